"""Explore slots: about one slot in ten goes to a post from outside the follow graph, drawn with a known propensity."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from photofeed.compiled import compiled
from serving.feed.candidates import Source
from serving.feed.rerankers import Ranking, Rows

TEMPERATURE = 1.0

# How likely each slot is to be filled from each pool, among those that still have posts. New creators have a share of
# their own, whatever the model thinks of posts that nobody has seen yet. Older popular posts only fill what is left.
POOL_SHARES = {
    Source.NEIGHBOURS: 0.30,
    Source.TOPICS: 0.20,
    Source.NEW_CREATORS: 0.20,
    Source.TRENDING: 0.20,
    Source.FRESH: 0.10,
    Source.POPULAR: 1e-9,
}
_FIRST_POOL = np.int8(min(POOL_SHARES))
_SHARES = np.array([POOL_SHARES[pool] for pool in sorted(POOL_SHARES)])


@dataclass(frozen=True, slots=True)
class Draw:
    """Posts drawn in order, and the probability with which each was drawn when it was."""

    places: NDArray[np.intp]
    propensities: NDArray[np.float64]


class ExploreSlots:
    """Fills a slate of `length`: the best of the follow graph, and drawn explore posts spread over it."""

    name = "explore slots"
    reason = "ranked too low"

    def __init__(self, share: float, length: int, rng: np.random.Generator) -> None:
        self._share = share
        self._length = length
        self._rng = rng

    def apply(self, ranking: Ranking) -> Ranking:
        """The slate; posts of the graph have propensity 1."""
        is_explore = ranking.candidates.explore[ranking.rows]
        graph, explore = ranking.rows[~is_explore], ranking.rows[is_explore]
        from_graph, wanted = explore_count(len(graph), self._share, self._length, ranking.shortest)
        draw = draw_from_pools(ranking.scores[explore], ranking.candidates.sources[explore], wanted, self._rng)
        drawn = explore[draw.places]
        propensities = ranking.propensities.copy()
        propensities[drawn] = draw.propensities
        rows = spread_explore(graph[:from_graph], drawn, self._rng.random(len(drawn)))
        return replace(ranking, rows=rows, propensities=propensities)


def draw_from_pools(
    scores: NDArray[np.float64], sources: NDArray[np.int8], count: int, rng: np.random.Generator
) -> Draw:
    """Draw `count` posts without replacement: for each slot a pool by its share, then a post of it by its score.

    The post is drawn from a softmax of the scores, standardised within the pool, of those not drawn before it: together
    a Plackett-Luce sample, drawn by the Gumbel trick as the top of scores plus Gumbel noise (Yellott, 1977). The
    propensity of a pick is the pool's share among the pools that still had posts, times the post's within its pool.
    """
    noise = rng.gumbel(size=len(scores))
    chances = rng.random(min(count, len(scores)))
    return Draw(*pick_posts(scores, sources - _FIRST_POOL, _SHARES, noise, chances))


@compiled
def pick_posts(
    scores: NDArray[np.float64],
    pools: NDArray[np.int8],
    shares: NDArray[np.float64],
    noise: NDArray[np.float64],
    chances: NDArray[np.float64],
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Places and propensities of the posts that the chances and the noise decide for.

    Args:
        scores: (n,) of each post.
        pools: (n,) of each post, places in `shares`.
        shares: (pools,) how likely a slot is to be filled from each.
        noise: (n,) for the posts, of the Gumbel distribution.
        chances: (slots,) for the pools, in [0, 1); at most n.
    """
    logits = _standardised(scores, pools, len(shares)) / TEMPERATURE
    weights, keys = np.exp(logits), logits + noise
    left = np.zeros(len(shares), np.intp)
    for pool in pools:
        left[pool] += 1
    places, propensities = np.empty(len(chances), np.intp), np.empty(len(chances))
    for slot in range(len(chances)):
        open_shares = shares * (left > 0)
        total = open_shares.sum()
        pool = _pick_pool(open_shares, chances[slot] * total)
        best, remaining = -1, 0.0
        for row in range(len(scores)):
            if pools[row] == pool and weights[row] > 0:
                remaining += weights[row]
                if best < 0 or keys[row] > keys[best]:
                    best = row
        places[slot] = best
        propensities[slot] = open_shares[pool] / total * (weights[best] / remaining)
        weights[best] = 0.0  # drawn
        left[pool] -= 1
    return places, propensities


@compiled
def _standardised(scores: NDArray[np.float64], pools: NDArray[np.int8], count: int) -> NDArray[np.float64]:
    """Scores less the mean of their pool, in its standard deviations; 0 in a pool whose scores are all the same."""
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
    """The place on which a point falls, from 0 up to the sum of the shares, each being as wide as its share."""
    picked = 0
    for place in range(len(shares)):
        if shares[place] > 0:
            picked = place  # the last of them too where rounding has put the point on the very end
            point -= shares[place]
            if point < 0:
                break
    return picked


def explore_count(followed: int, share: float, length: int, shortest: int) -> tuple[int, int]:
    """How many slots go to followed posts and how many to explore.

    Explore has its share; it takes more only where the followed posts would leave a slate shorter than `shortest`.

    Args:
        followed: posts from the follow graph there are.
        share: of explore in a full slate.
        length: of a full slate.
        shortest: slate that is worth opening.
    """
    from_graph = min(followed, length - round(length * share))
    explore = round(from_graph * share / (1 - share))
    return from_graph, max(explore, shortest - from_graph)


@compiled
def spread_explore(graph: Rows, explore: Rows, chances: NDArray[np.float64]) -> Rows:
    """A slate of both in their order: an explore post in each stretch of equal length, the others around them.

    Each stands by chance, a number in [0, 1), in the lower two thirds of its stretch where that is long enough.
    """
    length = len(graph) + len(explore)
    slate, place = np.empty(length, np.intp), 0
    for stretch in range(len(explore)):
        low, high = stretch * length // len(explore), (stretch + 1) * length // len(explore)
        first = min(low + (high - low) // 3, high - 1)
        slot = first + int(chances[stretch] * (high - first))
        for between in range(place, slot):
            slate[between] = graph[between - stretch]
        slate[slot] = explore[stretch]
        place = slot + 1
    for after in range(place, length):
        slate[after] = graph[after - len(explore)]
    return slate
