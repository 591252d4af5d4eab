"""The time window that a dataset is built from."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from photofeed.errors import InvalidError


@dataclass(frozen=True, slots=True)
class Window:
    """A window of time: slates belong to it that started at or after `start` and before `end`.

    Raises:
        InvalidError: the window is empty, or one of its times has no time zone.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise InvalidError("the start and the end of a window need a time zone")
        if self.start >= self.end:
            raise InvalidError(f"an empty window: it starts {self.start.isoformat()} and ends {self.end.isoformat()}")

    @staticmethod
    def last(days: float, until: datetime | None = None) -> "Window":
        """The `days` before `until`. Default for `until`: now."""
        end = until or datetime.now(UTC)
        return Window(end - timedelta(days=days), end)

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M}"
