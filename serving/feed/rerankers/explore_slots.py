"""Explore slots: about one slot in ten shows a post from outside the follow graph, drawn with a known propensity."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from photofeed.compiled import compiled
from serving.feed.candidates import Mask
from serving.feed.rerankers import Ranking, Rows
from serving.feed.source_table import FIRST_EXPLORE, POOL_SHARES

TEMPERATURE = 1.0


class Draw(NamedTuple):
    """Indices of the posts drawn, in order, and the probability of each draw."""

    indices: NDArray[np.intp]
    propensities: NDArray[np.float64]


class ExploreSlots:
    """Fills a slate of `length` with the best posts of the follow graph, and spreads drawn explore posts over it."""

    name = "explore slots"
    reason = "ranked too low"

    def __init__(self, share: float, length: int, rng: np.random.Generator) -> None:
        self._share = share
        self._length = length
        self._rng = rng

    def apply(self, ranking: Ranking) -> Ranking:
        """The slate; posts of the follow graph have propensity 1."""
        graph, explore = split(ranking.rows, ranking.candidates.explore)
        graph_slots, explore_slots = count_slots(len(graph), self._share, self._length, ranking.shortest)
        draw = draw_from_pools(ranking.scores[explore], ranking.candidates.sources[explore], explore_slots, self._rng)
        drawn = explore[draw.indices]
        propensities = ranking.propensities.copy()
        propensities[drawn] = draw.propensities
        rows = spread_explore(graph[:graph_slots], drawn, self._rng.random(len(drawn)))
        return ranking._replace(propensities=propensities, rows=rows)


@compiled
def split(rows: Rows, explore: Mask) -> tuple[Rows, Rows]:
    """The rows of the follow graph, and those of explore posts, in their order. `explore` is bool (posts,)."""
    graph, others = np.empty_like(rows), np.empty_like(rows)
    in_graph = outside = 0
    for row in rows:
        graph[in_graph] = others[outside] = row  # no branch: a processor cannot guess which posts are explore posts
        in_graph += not explore[row]
        outside += explore[row]
    return graph[:in_graph], others[:outside]


def draw_from_pools(
    scores: NDArray[np.float64], sources: NDArray[np.int64], count: int, rng: np.random.Generator
) -> Draw:
    """Draw `count` posts without replacement: for each slot a pool by its share, then a post of the pool by its score.

    The post is drawn from a softmax over the standardised scores of the posts left in the pool. The draws from a pool
    are a Plackett-Luce sample, made with the Gumbel trick: the highest scores plus Gumbel noise (Yellott, 1977). The
    propensity is the pool's share among the pools with posts left, times the post's probability within the pool.
    """
    noise = rng.gumbel(size=len(scores))
    chances = rng.random(min(count, len(scores)))
    return Draw(*pick_posts(scores, sources - FIRST_EXPLORE, POOL_SHARES, noise, chances))


@compiled
def pick_posts(
    scores: NDArray[np.float64],
    pools: NDArray[np.int64],
    shares: NDArray[np.float64],
    noise: NDArray[np.float64],
    chances: NDArray[np.float64],
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Indices and propensities of the posts drawn.

    Args:
        scores: (n,) of each post.
        pools: (n,) pool of each post, as an index in `shares`.
        shares: (pools,) the probability that a slot is filled from each pool.
        noise: (n,) Gumbel noise, which decides between the posts of a pool.
        chances: (slots,) uniform in [0, 1), which decide between the pools; at most n.
    """
    logits = _standardised(scores, pools, len(shares)) / TEMPERATURE
    weights, keys = np.exp(logits), logits + noise
    posts, starts = _by_pool(pools, len(shares))
    left = np.diff(starts)
    indices, propensities = np.empty(len(chances), np.intp), np.empty(len(chances))
    for slot in range(len(chances)):
        open_shares = shares * (left > 0)
        total = open_shares.sum()
        pool = _pick_pool(open_shares, chances[slot] * total)
        best, remaining = -1, 0.0
        for post in posts[starts[pool] : starts[pool + 1]]:
            if weights[post] > 0:
                remaining += weights[post]
                if best < 0 or keys[post] > keys[best]:
                    best = post
        indices[slot] = best
        propensities[slot] = open_shares[pool] / total * (weights[best] / remaining)
        weights[best] = 0.0  # drawn
        left[pool] -= 1
    return indices, propensities


@compiled
def _by_pool(pools: NDArray[np.int64], count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The posts by pool, (n,), and the index in them at which each pool starts, (count + 1,)."""
    starts = np.zeros(count + 1, np.intp)
    for pool in pools:
        starts[pool + 1] += 1
    for pool in range(count):
        starts[pool + 1] += starts[pool]
    posts, filled = np.empty(len(pools), np.intp), starts.copy()
    for post in range(len(pools)):
        posts[filled[pools[post]]] = post
        filled[pools[post]] += 1
    return posts, starts


@compiled
def _standardised(scores: NDArray[np.float64], pools: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Scores less the mean of their pool, in standard deviations of the pool; 0 if all scores of a pool are equal."""
    posts, sums, squares = np.zeros(count), np.zeros(count), np.zeros(count)
    for row in range(len(scores)):
        posts[pools[row]] += 1
        sums[pools[row]] += scores[row]
    deviations = np.empty_like(scores)
    for row in range(len(scores)):
        deviations[row] = scores[row] - sums[pools[row]] / posts[pools[row]]
        squares[pools[row]] += deviations[row] ** 2
    for row in range(len(scores)):
        spread = np.sqrt(squares[pools[row]] / posts[pools[row]])
        if spread > 0:
            deviations[row] /= spread
    return deviations


@compiled
def _pick_pool(shares: NDArray[np.float64], point: float) -> int:
    """The pool whose interval contains `point`, where the shares divide [0, sum of shares) into intervals."""
    picked = 0
    for pool in range(len(shares)):
        if shares[pool] > 0:
            picked = pool  # the last pool with posts, if rounding has put the point at the end of the range
            point -= shares[pool]
            if point < 0:
                break
    return picked


def count_slots(followed: int, share: float, length: int, shortest: int) -> tuple[int, int]:
    """The number of slots for posts of the follow graph, and for explore posts.

    Explore has its share. It has more only if the slate would otherwise be shorter than `shortest`.

    Args:
        followed: number of posts from the follow graph.
        share: of explore in a full slate.
        length: of a full slate.
        shortest: the shortest slate that is worth showing.
    """
    graph_slots = min(followed, length - round(length * share))
    explore_slots = round(graph_slots * share / (1 - share))
    return graph_slots, max(explore_slots, shortest - graph_slots)


def slots_for(followed: int, share: float) -> int:
    """The length of a slate in which `followed` posts of the follow graph have slots."""
    return math.ceil(followed / (1 - share)) + 1


@compiled
def spread_explore(graph: Rows, explore: Rows, chances: NDArray[np.float64]) -> Rows:
    """A slate of both in their order, with one explore post in each of as many stretches of equal length.

    `chances` (explore posts,), in [0, 1), put each explore post somewhere in the last two thirds of its stretch, if
    that is long enough.
    """
    length = len(graph) + len(explore)
    slate, filled = np.empty(length, np.intp), 0
    for stretch in range(len(explore)):
        low, high = stretch * length // len(explore), (stretch + 1) * length // len(explore)
        first = min(low + (high - low) // 3, high - 1)
        slot = first + int(chances[stretch] * (high - first))
        for between in range(filled, slot):
            slate[between] = graph[between - stretch]
        slate[slot] = explore[stretch]
        filled = slot + 1
    for after in range(filled, length):
        slate[after] = graph[after - len(explore)]
    return slate
