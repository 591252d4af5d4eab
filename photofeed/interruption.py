"""Ctrl-C and SIGTERM end a command in order: what it started is stopped first."""

import signal
from collections.abc import Callable
from types import FrameType

_BY_SIGNAL = 128  # plus the number of the signal: the exit code that shells give


def exit_by_signal(number: int) -> BaseException:
    """The exit with the code that shells give."""
    return SystemExit(_BY_SIGNAL + number)


def end_in_order(ending: Callable[[int], BaseException] = exit_by_signal) -> None:
    """Let the first SIGINT or SIGTERM raise `ending(number)` in the main thread; later ones must not stop the cleaning.

    A shell without job control starts its background processes with SIGINT ignored.
    """

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, _go_on)  # no SIG_IGN, which programs that the cleaning starts would inherit
        raise ending(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)


def _go_on(number: int, frame: FrameType | None) -> None:
    """The end is under way."""
