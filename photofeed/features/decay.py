"""Exponential decay of counters: the one function that worker, serving and training share."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def decay(values: FloatArray, elapsed_seconds: FloatArray | float, half_life_seconds: FloatArray | float) -> FloatArray:
    """Counter values as they are `elapsed_seconds` later.

    A counter is kept as (value, time); its value halves every `half_life_seconds` (infinity: never). A negative elapsed
    time counts as none, so that clocks that disagree by a little never make a counter grow.

    Args:
        values: any shape, float64.
        elapsed_seconds: broadcastable to `values`.
        half_life_seconds: broadcastable to `values`, > 0.

    Returns:
        float64, the broadcast shape. Source: Cormode et al., Forward Decay, ICDE 2009, the exponential case.
    """
    return values * decay_factors(elapsed_seconds, half_life_seconds)


def decay_factors(elapsed_seconds: FloatArray | float, half_life_seconds: FloatArray | float) -> FloatArray:
    """What `decay` multiplies by: many counters of one time share it."""
    factors: FloatArray = np.exp2(-np.maximum(elapsed_seconds, 0.0) / half_life_seconds)
    return factors
