"""Exponential decay of counters: one function, shared by the worker, serving and training."""

import numpy as np

from photofeed.arrays import FloatArray


def decay(values: FloatArray, elapsed_seconds: FloatArray | float, half_life_seconds: FloatArray | float) -> FloatArray:
    """Values of counters `elapsed_seconds` later.

    A counter is kept as (value, time); its value halves every `half_life_seconds` (infinity: never). A negative elapsed
    time counts as 0, so that a counter never grows because two clocks disagree.

    Args:
        values: any shape, float64.
        elapsed_seconds: broadcastable to `values`.
        half_life_seconds: broadcastable to `values`, > 0.

    Returns:
        float64, the broadcast shape. Source: Cormode et al., Forward Decay, ICDE 2009, the exponential case.
    """
    return values * decay_factors(elapsed_seconds, half_life_seconds)


def decay_factors(elapsed_seconds: FloatArray | float, half_life_seconds: FloatArray | float) -> FloatArray:
    """The factors that `decay` multiplies by; counters with the same time and half-life can share one."""
    factors: FloatArray = np.exp2(-np.maximum(elapsed_seconds, 0.0) / half_life_seconds)
    return factors
