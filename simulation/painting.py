"""Painting the world's pictures ahead of their upload, in processes of their own: painting keeps a core busy."""

from collections import deque
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from simulation.pictures.catalogue import Picture, pictures

PROCESSES = 2
CHUNK = 12  # pictures a task
_SEED_STRIDE = 1_000


@dataclass(frozen=True, slots=True)
class Paintings:
    """The pictures of a world by number: painted from a seed, or the user's own from a folder.

    The same seed gives the same pictures. At most `PROCESSES` + 1 chunks are in memory.
    """

    seed: int
    count: int
    folder: Path | None = None

    def missing(self, done: Collection[int]) -> Iterator[tuple[int, Picture]]:
        """Number and picture of all but those whose number is in `done`, in order."""
        numbered = self._painted(done) if self.folder is None else enumerate(self._own(self.folder))
        return ((number, picture) for number, picture in numbered if number not in done)

    def _own(self, folder: Path) -> Iterator[Picture]:
        return pictures(self.seed, self.count, folder)

    def _painted(self, done: Collection[int]) -> Iterator[tuple[int, Picture]]:
        chunks = (
            (first, min(CHUNK, self.count - first))
            for first in range(0, self.count, CHUNK)
            if any(number not in done for number in range(first, min(first + CHUNK, self.count)))
        )
        with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
            ahead: deque[tuple[int, Future[list[Picture]]]] = deque()

            def paint_next() -> None:
                for first, size in islice(chunks, 1):
                    ahead.append((first, pool.submit(_paint, self.seed * _SEED_STRIDE + first, size)))

            for _ in range(PROCESSES + 1):
                paint_next()
            while ahead:
                first, painted = ahead.popleft()
                chunk = painted.result()
                paint_next()
                yield from enumerate(chunk, start=first)


def _paint(seed: int, count: int) -> list[Picture]:
    return list(pictures(seed, count, None))
