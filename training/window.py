"""The stretch of time a dataset is made from."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from photofeed.errors import InvalidError


@dataclass(frozen=True, slots=True)
class Window:
    """Slates that started at or after `start` and before `end`, both with a time zone.

    Raises:
        InvalidError: the window is empty or has no time zone.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise InvalidError("a window needs times with a time zone")
        if self.start >= self.end:
            raise InvalidError(f"a window that ends at {self.end.isoformat()} cannot start at {self.start.isoformat()}")

    @staticmethod
    def last(days: float, until: datetime | None = None) -> "Window":
        """The `days` before `until`, which is now unless given."""
        end = until or datetime.now(UTC)
        return Window(end - timedelta(days=days), end)

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M}"
