"""Explore slots: about one slot in ten goes to a post from outside the follow graph, drawn with a known propensity."""

from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from serving.feed.candidates import Source
from serving.feed.rerankers import Ranking

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


@dataclass(frozen=True, slots=True)
class Draw:
    """Posts drawn in order, and the probability with which each was drawn when it was."""

    places: NDArray[np.intp]
    propensities: NDArray[np.float64]


class ExploreSlots:
    """Fills a slate of `length`: the best of the follow graph, and drawn explore posts spread over it."""

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
        slots = spread_explore(from_graph, len(draw.places), self._rng)
        rows = np.empty(from_graph + len(slots), np.intp)
        propensities = np.ones(len(rows))
        in_slot = np.zeros(len(rows), np.bool_)
        in_slot[slots] = True
        rows[in_slot], propensities[in_slot] = explore[draw.places], draw.propensities
        rows[~in_slot] = graph[:from_graph]
        return replace(ranking, rows=rows, propensities=propensities)


def draw_from_pools(
    scores: NDArray[np.float64], sources: NDArray[np.int8], count: int, rng: np.random.Generator
) -> Draw:
    """Draw `count` posts without replacement: for each slot a pool by its share, then a post of it by its score.

    The propensity of a pick is the pool's share among the pools that still had posts, times the post's within its pool.
    """
    pools = {source: np.flatnonzero(sources == source) for source in POOL_SHARES}
    draws = {source: draw_explore(scores[rows], count, rng) for source, rows in pools.items() if len(rows)}
    taken = dict.fromkeys(draws, 0)
    places, propensities = [], []
    for chance in rng.random(min(count, len(scores))).tolist():
        shares = {source: POOL_SHARES[source] for source, n in taken.items() if n < len(draws[source].places)}
        pool, share = _pick(shares, chance)
        row = taken[pool]
        taken[pool] += 1
        places.append(pools[pool][draws[pool].places[row]])
        propensities.append(share * draws[pool].propensities[row])
    return Draw(np.array(places, np.intp), np.array(propensities))


def _pick(shares: dict[Source, float], chance: float) -> tuple[Source, float]:
    """The pool on which a number in [0, 1) falls, and its probability."""
    edges = list(accumulate(shares.values()))
    place = min(bisect_right(edges, chance * edges[-1]), len(edges) - 1)
    pool = list(shares)[place]
    return pool, shares[pool] / edges[-1]


def draw_explore(scores: NDArray[np.float64], count: int, rng: np.random.Generator) -> Draw:
    """Draw `count` posts without replacement, better scores likelier: Plackett-Luce over standardised scores.

    Drawn by the Gumbel trick: the top of scores plus Gumbel noise is a Plackett-Luce sample (Yellott, 1977). The
    propensity of a pick is its softmax share among the posts not picked before it.
    """
    spread = float(np.std(scores)) if len(scores) else 0.0
    logits = (scores - scores.mean()) / spread / TEMPERATURE if spread > 0 else np.zeros(len(scores))
    places = np.argsort(-(logits + rng.gumbel(size=len(scores))), kind="stable")
    weights = np.exp(logits[places])
    remaining = np.cumsum(weights[::-1])[::-1]
    return Draw(places[:count], (weights / remaining)[:count])


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


def spread_explore(from_graph: int, explore: int, rng: np.random.Generator) -> list[int]:
    """Where explore posts stand: one in each stretch of equal length, in its lower two thirds where it is long enough.

    Returns:
        Sorted positions in the slate of `from_graph + explore` posts.
    """
    if not explore:
        return []
    edges = np.linspace(0, from_graph + explore, explore + 1).astype(np.int64)
    low, high = edges[:-1], edges[1:]
    slots: list[int] = rng.integers(np.minimum(low + (high - low) // 3, high - 1), high).tolist()
    return slots
