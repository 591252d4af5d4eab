"""A matrix that lives in a file and is in memory only where, and while, it is used."""

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
    """A mapping that was made here: what is written to it is in the file, so that memory can let go of it."""


def matrix_on_disk(rows: int, columns: int, folder: Path) -> NDArray[np.float32]:
    """Zeros, (rows, columns) float32, C-contiguous: an array like any other, in a file of the folder without a name.

    Its disk space is taken at once, and given back with the array. What is used of it comes into memory and stays there
    until `let_go`; beyond that it is the system's file cache, which gives way to whoever needs memory.

    Raises:
        OSError: the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        size = max(rows * columns * np.dtype(np.float32).itemsize, 1)
        os.posix_fallocate(file.fileno(), 0, size)  # else a disk that fills up kills the process at some later write
        return np.ndarray((rows, columns), np.float32, buffer=_File(file.fileno(), size))


def let_go(matrix: NDArray[np.float32]) -> None:
    """Take the whole matrix that this one is, or is a part of, out of memory; nothing if it is in no file."""
    file = _file_of(matrix)
    if file is not None:
        file.madvise(mmap.MADV_DONTNEED)


@contextmanager
def letting_go(matrix: NDArray[np.float32]) -> Iterator[None]:
    """Let go of it many times a second while the block runs, for code that reads all of it by itself; and then at last.

    The code has to release the interpreter's lock, as what is called through ctypes does.
    """
    ended = Event()

    def sweep() -> None:
        while not ended.wait(SWEEP_SECONDS):
            let_go(matrix)

    sweeper = Thread(target=sweep, name="letting-go")
    sweeper.start()
    try:
        yield
    finally:
        ended.set()
        sweeper.join()
        let_go(matrix)


def pieces(matrix: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Views of its rows from first to last, each of which is let go when the next one is asked for."""
    for first in range(0, len(matrix), ROWS_AT_ONCE):
        yield matrix[first : first + ROWS_AT_ONCE]
        let_go(matrix)


def columns(matrix: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Copies of its columns, a few at a time: the pages of one column are those of all."""
    for first in range(0, matrix.shape[1], COLUMNS_AT_ONCE):
        some = slice(first, first + COLUMNS_AT_ONCE)
        yield from np.concatenate([piece[:, some].T.copy() for piece in pieces(matrix)], axis=1)


def _file_of(matrix: NDArray[np.float32]) -> _File | None:
    base: Any = matrix
    while base is not None and not isinstance(base, _File):
        base = getattr(base, "base", None)
    return base
