"""Stages without output, for tests of code that reports its progress."""

from collections.abc import Iterator
from contextlib import contextmanager

from simulation.stages import Advance


class SilentStages:
    """Implements `simulation.stages.Stages` and shows nothing."""

    @contextmanager
    def stage(
        self,
        title: str,  # noqa: ARG002
        total: int | None = None,  # noqa: ARG002
        *,
        usual_seconds: float | None = None,  # noqa: ARG002
    ) -> Iterator[Advance]:
        yield lambda _: None
