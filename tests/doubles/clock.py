"""A clock that tests move."""


class Clock:
    """Seconds that grow only when a test adds to `now`."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now
