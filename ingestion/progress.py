"""What a worker did last. Its threads report it; the management port and the watchdog read it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import Gauge

LAST_COMMIT = Gauge("photofeed_worker_last_commit_timestamp_seconds", "Unix time at which work was last finished")

TURN_SECONDS = 60.0  # a turn of a worker's loop takes a second
WORK_SECONDS = 900.0  # far longer than any batch takes, so only work that hangs takes it
BEHIND_SECONDS = 120.0  # a group takes 30 s to rebalance, and a slow broker as long for a fetch


@dataclass(slots=True)
class Progress:
    """The progress of one worker.

    A worker whose loop has not begun is not stuck: it starts, or stands by for the leader.
    """

    clock: Callable[[], float] = time.monotonic
    waits_for: str | None = None  # the error of a server that is unavailable
    _turned_at: float | None = None
    _committed_at: float | None = None
    _work_began_at: float | None = None
    _behind_since: float | None = None
    _lag: int | None = None
    _begun: bool = False

    def turned(self) -> None:
        """The worker's loop made a turn."""
        self._begun, self._turned_at = True, self.clock()

    def committed(self) -> None:
        """Work is finished and will not be repeated."""
        self._committed_at = self.clock()
        self._behind_since = None
        LAST_COMMIT.set_to_current_time()

    @contextmanager
    def working(self, *, takes_messages: bool = True) -> Iterator[None]:
        """The block is one piece of work, of messages that wait or of another kind."""
        self._begun = True
        self._work_began_at = self.clock()
        try:
            yield
        finally:
            self._work_began_at = None
            if takes_messages:
                self._behind_since = None

    def stands_by(self) -> None:
        """The worker waits until it becomes the leader: its loop does not turn."""
        self._begun, self._turned_at = True, None

    def waiting(self, reason: str | None) -> None:
        """The worker waits for a server, for this reason; None: it no longer does."""
        self.waits_for = reason

    def behind(self, lag: int | None, *, moves: bool) -> None:
        """The group's messages that are not committed, if known, and whether any were since the last report."""
        self._lag = lag
        if not lag or moves:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = self.clock()

    @property
    def is_ready(self) -> bool:
        """Whether the worker has begun, and waits for no server."""
        return self._begun and self.waits_for is None and self.stuck() is None

    def stuck(self) -> str | None:
        """Why the worker does not work although it could; None while it does."""
        now = self.clock()
        if self._work_began_at is not None:
            seconds = now - self._work_began_at
            return f"one piece of work takes {seconds:.0f} s" if seconds > WORK_SECONDS else None
        if self._turned_at is not None and now - self._turned_at > TURN_SECONDS:
            return f"its loop has not turned for {now - self._turned_at:.0f} s"
        if self._behind_since is not None and self.waits_for is None and now - self._behind_since > BEHIND_SECONDS:
            return f"{self._lag} messages wait, and none was committed for {now - self._behind_since:.0f} s"
        return None

    def report(self) -> dict[str, str | float | None]:
        """The progress in the words of the management port; ages in seconds."""
        now = self.clock()
        ages = {"lastTurnSeconds": self._turned_at, "lastCommitSeconds": self._committed_at}
        return {
            "waitsFor": self.waits_for,
            "lag": self._lag,
            **{name: None if moment is None else round(now - moment, 1) for name, moment in ages.items()},
        }
