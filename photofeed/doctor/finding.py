"""What a check reports."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from photofeed.settings import Settings


class Level(StrEnum):
    """How bad it is. Only `wrong` makes the exit code non-zero."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        name: of the check, stable and for programs: `system.property`.
        text: what was found.
        mend: what to do about it; empty if nothing is to be done.
    """

    level: Level
    name: str
    text: str
    mend: str = ""

    def __str__(self) -> str:
        return f"{self.level:<8} {self.name:<22} {self.text}{': ' if self.mend else ''}{self.mend}"


Check: TypeAlias = Callable[[Settings], Iterator[Finding]]
"""The findings about one system. A system that does not answer is a finding, not an error."""


def ok(name: str, text: str) -> Finding:
    """All is as it has to be."""
    return Finding(Level.OK, name, text)


def warning(name: str, text: str, mend: str) -> Finding:
    """It works, and may not for long."""
    return Finding(Level.WARNING, name, text, mend)


def wrong(name: str, text: str, mend: str) -> Finding:
    """Photofeed does not work with this, or loses data."""
    return Finding(Level.WRONG, name, text, mend)


def first_line(error: Exception) -> str:
    """The first line of an error's message, or its class if it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
