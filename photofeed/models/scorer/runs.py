"""Runs: lists of different lengths, concatenated in one array."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def run_starts(lengths: ArrayLike) -> NDArray[np.int64]:
    """The start of each run, and the end of the last one: one more entry than there are runs."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def pad_runs(values: NDArray[Any], lengths: NDArray[np.int64], multiple: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Pad each run to a multiple of `multiple` by repeating its last value; returns the runs and their `run_starts`."""
    padded = -(-lengths // multiple) * multiple
    starts = run_starts(padded)
    offset = np.arange(starts[-1]) - np.repeat(starts[:-1], padded)
    source = np.repeat(run_starts(lengths)[:-1], padded) + np.minimum(offset, np.repeat(lengths - 1, padded))
    return values[source], starts
