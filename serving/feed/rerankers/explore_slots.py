"""Explore slots: about one slot in ten goes to a post from outside the follow graph, drawn with a known propensity."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

TEMPERATURE = 1.0


@dataclass(frozen=True, slots=True)
class Draw:
    """Posts drawn in order, and the probability with which each was drawn when it was."""

    places: NDArray[np.intp]
    propensities: NDArray[np.float64]


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
    edges = np.linspace(0, from_graph + explore, explore + 1).astype(int)
    return [int(rng.integers(min(low + (high - low) // 3, high - 1), high)) for low, high in pairwise(edges.tolist())]
