"""Progress of a long run, stage by stage."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

Advance: TypeAlias = Callable[[int], None]

LINE_EVERY_SECONDS = 15.0  # between two lines about a stage, if the output goes to a file


class Stages(Protocol):
    """Shows the progress of stages. `advance(n)` reports that n more of the stage's `total` steps are done."""

    def stage(
        self, title: str, total: int | None = None, *, usual_seconds: float | None = None
    ) -> AbstractContextManager[Advance]:
        """A stage. If the number of steps is unknown, `total` is None, and `usual_seconds` is what it mostly takes."""


class ConsoleStages:
    """Shows progress and time left: a bar per stage on a terminal, or lines of text if the output goes to a file."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self.seconds: dict[str, float] = {}
        """Title of each stage that has ended -> its duration."""

    @contextmanager
    def stage(self, title: str, total: int | None = None, *, usual_seconds: float | None = None) -> Iterator[Advance]:
        """Show a stage, and its duration when it ends."""
        began = self._clock()
        if not self._console.is_terminal:
            yield self._lines(title, total, began)
            self._end(title, began)
            self._console.print(f"{title}: {self.seconds[title]:.1f} s", highlight=False)
            return
        left = _TimeLeft("", usual_seconds)
        columns = (TextColumn(f"{title:<34}"), BarColumn(12), MofNCompleteColumn(), TimeElapsedColumn(), left)
        with Progress(SpinnerColumn(finished_text="✓"), *columns, console=self._console) as progress:
            task = progress.add_task("", total=total)
            yield lambda steps: progress.advance(task, steps)
            done = total if total is not None else 1
            progress.update(task, total=done, completed=done)
        self._end(title, began)

    def _lines(self, title: str, total: int | None, began: float) -> Advance:
        """Print how far a stage is, every LINE_EVERY_SECONDS."""
        done, printed = 0, began

        def advance(steps: int) -> None:
            nonlocal done, printed
            done += steps
            now = self._clock()
            if total and now - printed >= LINE_EVERY_SECONDS:
                printed = now
                left = time_left(done, total, now - began)
                self._console.print(f"{title}: {done} of {total}{', ' + left if left else ''}", highlight=False)

        return advance

    def _end(self, title: str, began: float) -> None:
        self.seconds[title] = round(self._clock() - began, 1)


class _TimeLeft(TextColumn):
    """The time left, from the pace so far, or from what a stage without steps mostly takes."""

    def __init__(self, text: str, usual_seconds: float | None) -> None:
        super().__init__(text)
        self._usual = usual_seconds

    def render(self, task: Task) -> Text:
        """The text of the column."""
        elapsed = task.elapsed or 0.0
        if task.finished:
            return self._said("")
        if task.total:
            return self._said(time_left(task.completed, task.total, elapsed))
        return self._said(in_words(self._usual - elapsed) if self._usual else "")

    def _said(self, text: str) -> Text:
        return Text(text, style="progress.remaining")


def time_left(done: float, total: float, elapsed: float) -> str:
    """The time that the rest takes at the pace so far; empty at the start, when there is none."""
    return in_words(elapsed / done * (total - done)) if 0 < done < total else ""


def in_words(seconds: float) -> str:
    """A time left, rounded as fits an estimate."""
    if seconds < 5:  # noqa: PLR2004  seconds that are over before they are read
        return "a moment left"
    return f"{round(seconds)} s left" if seconds < 100 else f"{seconds / 60:.0f} min left"  # noqa: PLR2004
