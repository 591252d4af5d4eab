"""Ctrl-C and SIGTERM end a tool in order: what it started is stopped first."""

import signal
from types import FrameType

_BY_SIGNAL = 128  # plus the number of the signal: the exit code that shells give


def end_in_order() -> None:
    """Let the first SIGINT or SIGTERM raise SystemExit in the main thread; those after it must not stop the cleaning.

    A shell without job control starts its background processes with SIGINT ignored.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, _go_on)  # no SIG_IGN, which programs that the cleaning starts would inherit
    raise SystemExit(_BY_SIGNAL + number)


def _go_on(number: int, frame: FrameType | None) -> None:
    """The end is under way."""
