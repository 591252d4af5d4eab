"""The signal to stop, for streams: the server waits for open replies, and kills the process if one stays open.

Granian handles SIGTERM and SIGINT through the event loop, which takes them from Python's wake-up descriptor. A handler
of `signal.signal` beside it is called as well, and replaces nothing.
"""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignal:
    """Whether this process was told to stop."""

    def __init__(self) -> None:
        self._stopped = False
        self._listens = False
        self._callbacks: list[Callable[[], None]] = []

    def is_set(self) -> bool:
        """Whether it was told to stop."""
        return self._stopped

    def call(self, callback: Callable[[], None]) -> None:
        """Call a function, in the event loop, when the process is told to stop."""
        self._callbacks.append(callback)

    def set(self) -> None:
        """Stop; every stream ends soon."""
        self._stopped = True
        for callback in self._callbacks:
            callback()

    def listen(self) -> None:
        """Listen for the signals. Call it from a request: the server sets its own handlers after the start-up."""
        if self._listens or threading.current_thread() is not threading.main_thread():
            return
        self._listens, loop = True, asyncio.get_running_loop()
        for number in _SIGNALS:
            before = signal.getsignal(number)

            def handle(number: int, frame: FrameType | None, before: object = before) -> None:
                loop.call_soon_threadsafe(self.set)
                if callable(before):
                    before(number, frame)

            signal.signal(number, handle)
