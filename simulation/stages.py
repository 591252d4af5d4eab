"""Progress of a long run, stage by stage."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

Advance: TypeAlias = Callable[[int], None]


class Stages(Protocol):
    """Shows the progress of stages. `advance(n)` reports that n more of the stage's `total` steps are done."""

    def stage(self, title: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """A stage. `total` is None if the number of steps is unknown."""


class ConsoleStages:
    """Shows a progress bar per stage on a terminal, or one line per stage if the output goes to a file."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.seconds: dict[str, float] = {}
        """Title of each stage that has ended -> its duration."""

    @contextmanager
    def stage(self, title: str, total: int | None = None) -> Iterator[Advance]:
        """Show a stage, and its duration when it ends."""
        began = time.monotonic()
        if not self._console.is_terminal:
            yield lambda _: None
            self._end(title, began)
            self._console.print(f"{title}: {self.seconds[title]:.1f} s", highlight=False)
            return
        columns = (TextColumn(f"{title:<34}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(SpinnerColumn(finished_text="✓"), *columns, console=self._console) as progress:
            task = progress.add_task("", total=total)
            yield lambda steps: progress.advance(task, steps)
            done = total if total is not None else 1
            progress.update(task, total=done, completed=done)
        self._end(title, began)

    def _end(self, title: str, began: float) -> None:
        self.seconds[title] = round(time.monotonic() - began, 1)
