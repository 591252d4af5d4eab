"""A random draw of candidates, the same chance for each."""

import numpy as np

from serving.feed.candidates import Candidates


def draw(candidates: Candidates, count: int, rng: np.random.Generator) -> Candidates:
    """`count` different candidates, or all where there are no more; in no order."""
    if count >= len(candidates):
        return candidates
    # a tenth of the price of rng.choice for so few
    return candidates.take(np.argpartition(rng.random(len(candidates)), count)[:count])
