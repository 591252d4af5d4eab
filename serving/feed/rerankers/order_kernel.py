"""Rows by score: compiled loops around numpy's sort of integers, which is vectorised.

Each row becomes an integer: the high bits of its score, and its index in the low bits. Sorted integers are rows by
score, and equal scores keep their order. Only scores that differ in the low bits alone need to be compared afterwards.
"""

import numpy as np
from numpy.typing import NDArray

from photofeed.compiled import compiled

_SIGN_BIT = np.int64(63)
_ALL_BUT_SIGN = np.int64(2**63 - 1)


def descending(scores: NDArray[np.float64], rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """The rows by descending score; equal scores keep their order. Takes half the time of a stable argsort.

    Args:
        scores: float64 (n,), finite.
        rows: indices of scores, (m,).
    """
    keys = sort_keys(scores, rows)
    keys.sort()
    return rows_of_keys(keys, scores, rows)


@compiled
def sort_keys(scores: NDArray[np.float64], rows: NDArray[np.intp]) -> NDArray[np.int64]:
    """The integer of each row, (m,): lower for a better score."""
    negative = 0.0 - scores[rows]  # 0 for both zeros, which are equal
    keys = negative.view(np.int64)
    indices = _index_bits(len(rows))
    for index in range(len(rows)):
        # IEEE 754: floats are ordered like their bits as integers, negative ones in reverse
        ordered = keys[index] ^ ((keys[index] >> _SIGN_BIT) & _ALL_BUT_SIGN)
        keys[index] = (ordered & ~indices) | index
    return keys


@compiled
def rows_of_keys(keys: NDArray[np.int64], scores: NDArray[np.float64], rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """The rows in the order of their sorted keys, (m,), each moved up past those of a lower score."""
    ordered = np.empty_like(rows)
    indices = _index_bits(len(rows))
    for index in range(len(keys)):
        row, position = rows[keys[index] & indices], index
        while position > 0 and scores[ordered[position - 1]] < scores[row]:
            ordered[position] = ordered[position - 1]
            position -= 1
        ordered[position] = row
    return ordered


@compiled
def _index_bits(count: int) -> np.int64:
    """A mask of the low bits that the indices of `count` rows need."""
    mask = np.int64(0)
    while mask < count - 1:
        mask = mask << 1 | 1
    return mask
