"""Uniform random draws of candidates."""

import numpy as np
from numpy.typing import NDArray

from serving.feed.candidate_kernel import shuffled


def draw(total: int, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """`count` distinct indices below `total`, or all of them if there are no more; in no order."""
    if count >= total:
        return np.arange(total)
    return shuffled(total, rng.random(count))  # rng.choice takes many times as long for so few
