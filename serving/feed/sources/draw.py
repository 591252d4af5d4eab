"""Uniform random draws of candidates."""

import numpy as np
from numpy.typing import NDArray


def draw(total: int, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """`count` distinct indices below `total`, or all of them if there are no more; in no order."""
    if count >= total:
        return np.arange(total)
    # ten times as fast as rng.choice for so few
    return np.argpartition(rng.random(total), count)[:count]
