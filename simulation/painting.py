"""Painting the world's pictures ahead of their upload, in processes of their own: painting keeps a core busy."""

import signal
from collections import deque
from collections.abc import Collection, Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from simulation.errors import SimulationError
from simulation.pictures.catalogue import Picture, pictures

PROCESSES = 2
CHUNK = 4  # pictures a task
_AHEAD = PROCESSES + 1  # tasks
_SEED_STRIDE = 10_000


@dataclass(frozen=True, slots=True)
class Paintings:
    """The pictures of a world by number: painted from a seed, or the user's own from a folder.

    The same seed gives the same pictures. Only the next few are in memory.
    """

    seed: int
    count: int
    folder: Path | None = None

    def missing(self, done: Collection[int]) -> Generator[tuple[int, Picture], None, None]:
        """Number and picture of all but those whose number is in `done`, in order; painting ends when it is closed."""
        numbered = self._painted(done) if self.folder is None else enumerate(self._own(self.folder))
        return ((number, picture) for number, picture in numbered if number not in done)

    def _own(self, folder: Path) -> Iterator[Picture]:
        return pictures(self.seed, self.count, folder)

    def _painted(self, done: Collection[int]) -> Iterator[tuple[int, Picture]]:
        chunks = (range(first, min(first + CHUNK, self.count)) for first in range(0, self.count, CHUNK))
        wanted = (chunk for chunk in chunks if any(number not in done for number in chunk))
        # Fresh interpreters: a fork would copy the threads that upload. Ctrl-C is the parent's to handle.
        pool = ProcessPoolExecutor(PROCESSES, get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_IGN))
        ahead: deque[tuple[range, Future[list[Picture]]]] = deque()
        try:
            for chunk in islice(wanted, _AHEAD):
                ahead.append((chunk, self._paint_in(pool, chunk)))
            while ahead:
                chunk, painted = ahead.popleft()
                yield from zip(chunk, painted.result(), strict=True)
                ahead += ((chunk, self._paint_in(pool, chunk)) for chunk in islice(wanted, 1))
        finally:
            pool.shutdown(cancel_futures=True)

    def _paint_in(self, pool: ProcessPoolExecutor, chunk: range) -> Future[list[Picture]]:
        return pool.submit(_paint, self.seed * _SEED_STRIDE + chunk.start, len(chunk))


def check_folder(folder: Path) -> None:
    """Make sure that a folder has photos, before anything is started for it.

    Raises:
        SimulationError: it holds none.
    """
    try:
        next(pictures(0, 1, folder))
    except ValueError as error:
        raise SimulationError(str(error)) from error


def _paint(seed: int, count: int) -> list[Picture]:
    return list(pictures(seed, count))
