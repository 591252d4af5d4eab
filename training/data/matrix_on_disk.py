"""A matrix in a memory-mapped file, whose pages can be released when they are no longer needed."""

import mmap
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS_AT_ONCE, COLUMNS_AT_ONCE = 50_000, 8
SWEEP_SECONDS = 0.02  # in which LightGBM reads some 50 MB


class _File(mmap.mmap):
    """A mapping that `matrix_on_disk` made. It is shared with its file, so released pages are read back from there."""


def matrix_on_disk(rows: int, columns: int, folder: Path) -> NDArray[np.float32]:
    """Zeros, (rows, columns) float32, C-contiguous: a numpy array in an unnamed file of the folder.

    The disk space is allocated at once and freed with the array. Pages that are used stay in the process until
    `release_pages`. After that they are in the system's file cache, which shrinks when memory is needed.

    Raises:
        OSError: the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        size = max(rows * columns * np.dtype(np.float32).itemsize, 1)
        os.posix_fallocate(file.fileno(), 0, size)  # otherwise a full disk kills the process at a later write
        return np.ndarray((rows, columns), np.float32, buffer=_File(file.fileno(), size))


def release_pages(matrix: NDArray[np.float32]) -> None:
    """Release the pages of the whole matrix that this array is, or is a view of. Other arrays are left alone."""
    file = _file_of(matrix)
    if file is not None:
        file.madvise(mmap.MADV_DONTNEED)


@contextmanager
def keep_releasing_pages(matrix: NDArray[np.float32]) -> Iterator[None]:
    """Release the pages many times a second while the block runs, and once at its end.

    For code that reads the whole matrix by itself. It must release the interpreter lock, as calls through ctypes do.
    """
    ended = Event()

    def sweep() -> None:
        while not ended.wait(SWEEP_SECONDS):
            release_pages(matrix)

    sweeper = Thread(target=sweep, name="release-pages")
    sweeper.start()
    try:
        yield
    finally:
        ended.set()
        sweeper.join()
        release_pages(matrix)


def pieces(matrix: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Views of consecutive rows. The pages of a view are released before the next view is made."""
    for first in range(0, len(matrix), ROWS_AT_ONCE):
        yield matrix[first : first + ROWS_AT_ONCE]
        release_pages(matrix)


def columns(matrix: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Copies of its columns. They are read a few at a time, because one column touches every page of the matrix."""
    for first in range(0, matrix.shape[1], COLUMNS_AT_ONCE):
        some = slice(first, first + COLUMNS_AT_ONCE)
        yield from np.concatenate([piece[:, some].T.copy() for piece in pieces(matrix)], axis=1)


def _file_of(matrix: NDArray[np.float32]) -> _File | None:
    base: Any = matrix
    while base is not None and not isinstance(base, _File):
        base = getattr(base, "base", None)
    return base
