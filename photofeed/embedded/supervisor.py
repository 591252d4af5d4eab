"""Keeps a process of the stack running: a thread starts it again when it ends."""

import time
from collections.abc import Callable
from threading import Event, Lock, Thread

import structlog

from photofeed.embedded.child import Child
from photofeed.embedded.record import ProcessRecord, kill_leftovers, stop

FIRST_DELAY, LONGEST_DELAY, STEADY_SECONDS = 0.25, 30.0, 60.0
CHECK_SECONDS = 2.0

log = structlog.get_logger(__name__)


class Supervisor:
    """Supervises one process. The delay before a start doubles while the process ends early or does not start."""

    def __init__(
        self, child: Child, start: Callable[[Event], Child], stuck: Callable[[], str | None] | None = None
    ) -> None:
        """Take over a running process.

        Args:
            child: the process.
            start: starts it again; it gives up with an exception soon after the event is set.
            stuck: why a process that runs must be started again, or None; asked again and again.
        """
        self.name = child.name
        self._child = child
        self._start = start
        self._stuck = stuck
        self._stopping = Event()
        self._starting = Lock()
        self._thread = Thread(target=self._keep_running, name=f"supervise-{child.name}", daemon=True)
        self._thread.start()

    def retire(self) -> ProcessRecord:
        """Start the process no more; return its record, by which it can be stopped. A start in progress is given up."""
        self._stopping.set()
        with self._starting:
            return self._child.record

    def join(self) -> None:
        """Return when the process, which was stopped by its record, has ended."""
        self._child.reap()
        self._thread.join()

    def _keep_running(self) -> None:
        delay, began = FIRST_DELAY, time.monotonic()
        while True:
            code = self._ended()
            if self._stopping.is_set():
                return
            if time.monotonic() - began > STEADY_SECONDS:
                delay = FIRST_DELAY
            log.warning(
                "process_ended", process=self.name, exit_code=code, restart_in_seconds=delay, log=str(self._child.log)
            )
            while not self._start_after(delay):
                if self._stopping.is_set():
                    return
                delay = min(delay * 2, LONGEST_DELAY)
            began, delay = time.monotonic(), min(delay * 2, LONGEST_DELAY)

    def _ended(self) -> int | None:
        """Wait until the process has ended, also because it was stuck; return its exit code."""
        if self._stuck is None:
            return self._child.wait()
        while (code := self._child.wait(CHECK_SECONDS)) is None:
            why = None if self._stopping.is_set() else self._stuck()
            if why is not None:
                log.warning("process_stuck", process=self.name, reason=why)
                stop([self._child.record])
        return code

    def _start_after(self, delay: float) -> bool:
        """Start the process after a delay; returns whether it runs."""
        if self._stopping.wait(delay):
            return False
        with self._starting:
            if self._stopping.is_set():
                return False
            kill_leftovers(self._child.record)
            try:
                self._child = self._start(self._stopping)
            except Exception as error:  # noqa: BLE001  whatever it was, the next attempt may succeed
                log.warning("process_not_started", process=self.name, error=str(error))
                return False
        log.info("process_started", process=self.name, pid=self._child.record.pid)
        return True
