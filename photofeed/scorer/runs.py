"""Runs: lists of different lengths, one after the other in one array."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def run_starts(lengths: ArrayLike) -> NDArray[np.int64]:
    """Where each run starts, and where the last one ends: one entry more than there are runs."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def pad_runs(values: NDArray[Any], lengths: NDArray[np.int64], multiple: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Repeat the last value of each run until its length is a multiple of `multiple`; also the new `run_starts`."""
    padded = -(-lengths // multiple) * multiple
    starts = run_starts(padded)
    place = np.arange(starts[-1]) - np.repeat(starts[:-1], padded)
    source = np.repeat(run_starts(lengths)[:-1], padded) + np.minimum(place, np.repeat(lengths - 1, padded))
    return values[source], starts
