"""Paints the world's pictures ahead of their upload, in separate processes, because painting is CPU-bound."""

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
CHUNK = 4  # pictures per task
_AHEAD = PROCESSES + 1  # tasks
_SEED_STRIDE = 10_000


@dataclass(frozen=True, slots=True)
class Paintings:
    """The numbered pictures of a world: painted from a seed, or read from a folder of the user's photos.

    The same seed gives the same pictures. Only the next few pictures are in memory.
    """

    seed: int
    count: int
    folder: Path | None = None

    def missing(self, done: Collection[int]) -> Generator[tuple[int, Picture], None, None]:
        """(number, picture) in order, without the numbers in `done`. Closing the generator stops painting."""
        if self.folder is None:
            numbered = self._paint_missing(done)
        else:
            numbered = enumerate(pictures(self.seed, self.count, self.folder))
        return ((number, picture) for number, picture in numbered if number not in done)

    def _paint_missing(self, done: Collection[int]) -> Iterator[tuple[int, Picture]]:
        chunks = (range(first, min(first + CHUNK, self.count)) for first in range(0, self.count, CHUNK))
        wanted = (chunk for chunk in chunks if any(number not in done for number in chunk))
        # Spawned, because a fork would copy the upload threads. Ctrl-C is handled by the parent.
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
    """Check that a folder has photos, before any server is started.

    Raises:
        SimulationError: the folder has no photo.
    """
    try:
        next(pictures(0, 1, folder))
    except ValueError as error:
        raise SimulationError(str(error)) from error


def _paint(seed: int, count: int) -> list[Picture]:
    return list(pictures(seed, count))
