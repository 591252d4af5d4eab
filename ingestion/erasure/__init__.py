"""Erases people who deleted their account from every store, and proves it.

Each file here is one store: it erases people from it, and finds what is left of them. Both may be repeated at any
time, and erasing continues where it was interrupted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Subject:
    """A person to erase, with the ids of their photos; `requested_at` is when they deleted their account."""

    user_id: int
    requested_at: datetime
    posts: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a person in a store.

    `until`: when the store deletes it by itself; None if it has to be erased. `kept`: why it stays, if it may.
    """

    name: str
    count: int
    until: datetime | None = None
    kept: str = ""

    def is_left(self, now: datetime) -> bool:
        """Whether it should not be there."""
        return not self.kept and (self.until is None or self.until <= now)

    def __str__(self) -> str:
        note = f"\tkept: {self.kept}" if self.kept else f"\tuntil {self.until:%Y-%m-%d %H:%M} UTC" if self.until else ""
        return f"{self.name}\t{self.count}{note}"


class Store(Protocol):
    """One store of data about people."""

    @property
    def name(self) -> str:
        """The store, in the words of operators."""

    def erase(self, people: Sequence[Subject]) -> None:
        """Erase people; may be repeated and interrupted.

        Raises:
            RetryableError: the store does not answer.
        """

    def find(self, person: Subject) -> Iterator[Finding]:
        """What is about a person in the store.

        Raises:
            RetryableError: the store does not answer.
        """
