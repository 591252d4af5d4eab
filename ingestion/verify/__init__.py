"""`photofeed verify`: compares the systems that hold photofeed's data, and changes none of them.

A check reads what one system says, asks another, and waits before it believes that they disagree: messages are on their
way all the time. What still differs after that is a disagreement. Every check works in pieces, so its memory does not
grow with the data.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two systems that say different things.

    Attributes:
        check: which comparison found it, stable and for programs.
        subject: what it is about, such as a post or a key; with `check` it tells one disagreement from another.
        text: what each side says.
        repair: what repairs it.
    """

    check: str
    subject: str
    text: str = field(compare=False)
    repair: str = field(compare=False)

    def __str__(self) -> str:
        return f"{self.check}\t{self.subject}\t{self.text}\t{self.repair}"


class Check(Protocol):
    """One comparison.

    Attributes:
        name: what it compares.
        compared: how many things were compared so far.
        notes: what could not be compared, and why; one sentence each.
    """

    name: str
    compared: int
    notes: list[str]

    def run(self) -> Iterator[Disagreement]:
        """The disagreements.

        Raises:
            UnavailableError: a system does not answer.
        """


@dataclass(slots=True)
class Patience:
    """How long to wait until a message must have arrived, and how to wait."""

    seconds: float
    wait: Callable[[float], None] = time.sleep

    def persisting(self, find: Callable[[], Iterable[Disagreement]]) -> list[Disagreement]:
        """What `find` finds each time, with a pause between: it is called once if it finds nothing."""
        found = list(find())
        for _ in range(_ROUNDS - 1):
            if not found:
                return []
            self.wait(self.seconds / (_ROUNDS - 1))
            before = set(found)
            found = [one for one in find() if one in before]
        return found
