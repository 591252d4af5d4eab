"""Stages of a long run, shown as they go on."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

Advance: TypeAlias = Callable[[int], None]


class Stages(Protocol):
    """Shows stages; within one, `advance(n)` says that n more of its `total` steps are done."""

    def stage(self, title: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """A stage; without a total its length is not known."""


class SilentStages:
    """Shows nothing."""

    @contextmanager
    def stage(self, title: str, total: int | None = None) -> Iterator[Advance]:  # noqa: ARG002
        """A stage nobody sees."""
        yield lambda _: None


class ConsoleStages:
    """A progress bar a stage on a terminal; a line a stage where the output goes to a file."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def stage(self, title: str, total: int | None = None) -> Iterator[Advance]:
        """A stage with its bar, and its time when it is over."""
        began = time.monotonic()
        if not self._console.is_terminal:
            yield lambda _: None
            self._console.print(f"{title}: {time.monotonic() - began:.1f} s", highlight=False)
            return
        columns = (TextColumn(f"{title:<34}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(SpinnerColumn(finished_text="✓"), *columns, console=self._console) as progress:
            task = progress.add_task("", total=total)
            yield lambda steps: progress.advance(task, steps)
            done = total if total is not None else 1
            progress.update(task, total=done, completed=done)
