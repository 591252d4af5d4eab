"""A random draw of candidates, the same chance for each."""

import numpy as np
from numpy.typing import NDArray


def draw(total: int, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """`count` different places among `total`, or all where there are no more; in no order."""
    if count >= total:
        return np.arange(total)
    # a tenth of the price of rng.choice for so few
    return np.argpartition(rng.random(total), count)[:count]
