"""Paints the world's pictures ahead of their upload, in separate processes, because painting is CPU-bound."""

import os
import signal
from collections import deque
from collections.abc import Collection, Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import TypeAlias

from simulation.errors import SimulationError
from simulation.pictures.catalogue import Picture, picture, pictures

PROCESSES = 2
CHUNK = 4  # pictures per task
_AHEAD = 40  # tasks
_NICENESS = 10  # servers that start go first

Numbered: TypeAlias = Generator[tuple[int, Picture], None, None]
Task: TypeAlias = tuple[range, Future[list[Picture]]]


@dataclass(frozen=True, slots=True)
class Paintings:
    """The numbered pictures of a world: painted from a seed, or read from a folder of the user's photos.

    The same seed gives the same pictures. Only the next pictures are in memory. Pictures whose number is in `large`
    are painted in the size of a camera's picture. The `first` ones are painted while servers start; the others wait
    until somebody asks for one, because the processors are needed for the first feed.
    """

    seed: int
    count: int
    folder: Path | None = None
    large: frozenset[int] = frozenset()
    first: int = 0

    def missing(self, done: Collection[int]) -> Numbered:
        """(number, picture) in order, without the numbers in `done`. Closing the generator stops painting."""
        with self.ahead(done) as numbered:
            yield from numbered

    @contextmanager
    def ahead(self, done: Collection[int]) -> Iterator[Numbered]:
        """The same pictures, which are painted from now on: the first ones before anybody asks for them."""
        if self.folder is not None:
            every = enumerate(pictures(self.seed, self.count, self.folder))
            yield ((number, picture) for number, picture in every if number not in done)
            return
        chunks = (range(first, min(first + CHUNK, self.count)) for first in range(0, self.count, CHUNK))
        wanted = (chunk for chunk in chunks if any(number not in done for number in chunk))
        # Spawned, because a fork would copy the upload threads.
        pool = ProcessPoolExecutor(PROCESSES, get_context("spawn"), _begin_painting)
        try:
            early = -(-self.first // CHUNK) or _AHEAD
            tasks = deque((chunk, self._paint_in(pool, chunk)) for chunk in islice(wanted, early))
            yield self._painted(pool, tasks, wanted, done)
        finally:
            pool.shutdown(cancel_futures=True)

    def _painted(
        self, pool: ProcessPoolExecutor, tasks: deque[Task], wanted: Iterator[range], done: Collection[int]
    ) -> Numbered:
        ahead = 0 if self.first else _AHEAD  # tasks to have waiting: none before the first pictures were taken
        while True:
            if not tasks:
                ahead = _AHEAD
            tasks += ((chunk, self._paint_in(pool, chunk)) for chunk in islice(wanted, max(0, ahead - len(tasks))))
            if not tasks:
                return
            chunk, painted = tasks.popleft()
            yield from (numbered for numbered in zip(chunk, painted.result(), strict=True) if numbered[0] not in done)

    def _paint_in(self, pool: ProcessPoolExecutor, chunk: range) -> Future[list[Picture]]:
        return pool.submit(_paint, self.seed, chunk, self.large.intersection(chunk))


def check_folder(folder: Path) -> None:
    """Check that a folder has photos, before any server is started.

    Raises:
        SimulationError: the folder has no photo.
    """
    try:
        next(pictures(0, 1, folder))
    except ValueError as error:
        raise SimulationError(str(error)) from error


def _begin_painting() -> None:
    """Prepare a process that paints. Ctrl-C is handled by the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICENESS)


def _paint(seed: int, numbers: range, large: frozenset[int]) -> list[Picture]:
    return [picture(seed, number, large=number in large) for number in numbers]
