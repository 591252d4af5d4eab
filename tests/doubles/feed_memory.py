"""A feed memory that forgets at once."""

from photofeed.features.event_columns import EventColumns


class NoFeedMemory:
    """For tests that read no feed."""

    def remember(self, events: EventColumns, likes: dict[int, tuple[float, int]]) -> None:
        """Forget at once."""
