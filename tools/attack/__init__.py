"""`make attack`: attacks on a fresh embedded stack, through plain HTTP clients.

Each attack is a function with the row of docs/security.md that promises what it tries to break. It returns if the row
holds, and raises `BrokenError` if not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from tools.attack.world import World


class BrokenError(Exception):
    """An attack succeeded; the message says what came back."""


@dataclass(frozen=True, slots=True)
class Attack:
    """An attack, and the row of docs/security.md that it tries to break."""

    name: str
    row: str
    run: Callable[["World"], None]


ATTACKS: list[Attack] = []


def attack(row: str) -> Callable[[Callable[["World"], None]], Callable[["World"], None]]:
    """Add a function to the attacks; its docstring says what the attacker does."""

    def add(function: Callable[["World"], None]) -> Callable[["World"], None]:
        ATTACKS.append(Attack((function.__doc__ or function.__name__).partition("\n")[0].rstrip("."), row, function))
        return function

    return add


def expect(reply: httpx.Response, *statuses: int) -> httpx.Response:
    """The reply, if it has one of the statuses.

    Raises:
        BrokenError: it has another.
    """
    if reply.status_code not in statuses:
        raise BrokenError(f"{reply.request.method} {reply.request.url}: {reply.status_code} {reply.text[:200]}")
    return reply


def refuse(*, broken: bool, what: str) -> None:
    """Raise if something is broken.

    Raises:
        BrokenError: it is.
    """
    if broken:
        raise BrokenError(what)
