"""Stages without output, for tests of code that reports its progress."""

from collections.abc import Iterator
from contextlib import contextmanager

from simulation.stages import Advance


class SilentStages:
    """Implements `simulation.stages.Stages` and shows nothing."""

    @contextmanager
    def stage(self, title: str, total: int | None = None) -> Iterator[Advance]:  # noqa: ARG002
        yield lambda _: None
