"""Compiled loops over candidates: the columns of stored posts, and random draws."""

import numpy as np
from numpy.typing import NDArray

from photofeed.compiled import compiled

_IDS, _ID_BYTES = 4, 8  # a stored post is four integers, big-endian, and a byte


@compiled
def columns_of_posts(posts: NDArray[np.uint8], source: int) -> NDArray[np.int64]:
    """The columns of `Candidates`, int64 (6, n), for posts that `source` found: the bytes of POST_DTYPE, (n, 33)."""
    columns = np.empty((_IDS + 2, len(posts)), np.int64)
    for row in range(len(posts)):
        for column in range(_IDS):
            value = np.uint64(0)
            for byte in range(_ID_BYTES):  # LLVM makes one instruction of these steps
                value = (value << np.uint64(8)) | np.uint64(posts[row, column * _ID_BYTES + byte])
            columns[column, row] = np.int64(value)
        columns[_IDS, row] = posts[row, _IDS * _ID_BYTES]
        columns[_IDS + 1, row] = source
    return columns


@compiled
def shuffled(total: int, chances: NDArray[np.float64]) -> NDArray[np.int64]:
    """The first indices of a shuffle of those below `total` (Fisher and Yates).

    Args:
        total: number of indices.
        chances: (drawn,) uniform in [0, 1), which decide; at most `total`.
    """
    rows = np.arange(total)
    for drawn in range(len(chances)):
        other = drawn + int(chances[drawn] * (total - drawn))
        rows[drawn], rows[other] = rows[other], rows[drawn]
    return rows[: len(chances)].copy()


def warm() -> None:
    """Compile the loops (seconds) or load them from numba's cache, so that no request waits for it."""
    writable = np.zeros((0, _IDS * _ID_BYTES + 1), np.uint8)
    read_only = writable.copy()
    read_only.flags.writeable = False
    columns_of_posts(writable, 0)  # posts that were selected
    columns_of_posts(read_only, 0)  # posts as they were received
    shuffled(0, np.zeros(0))
