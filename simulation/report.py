"""One person's feed as a table."""

from datetime import datetime, timedelta

from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from simulation.replies import Feed, FeedItem

_AUTHOR_COLUMNS = 14


def feed_table(name: str, feed: Feed, now: datetime) -> Table:
    """One line per post: author, caption, age, source, score, and the reason for its position, as far as they fit."""
    ranked_by = f"model {feed.model_version}" if feed.model_version else feed.ranking
    title = escape(f"The feed of {name}, ranked by {ranked_by}")
    table = Table(title=title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0), expand=True)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("author", no_wrap=True, max_width=_AUTHOR_COLUMNS)
    table.add_column("caption", no_wrap=True, ratio=1)
    table.add_column("age", justify="right", no_wrap=True)
    table.add_column("source", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("why", no_wrap=True, ratio=1)
    for number, item in enumerate(feed.items, start=1):
        table.add_row(str(number), *map(Text, _cells(item, now)))  # Text, because captions may contain rich markup
    return table


def _cells(item: FeedItem, now: datetime) -> tuple[str, ...]:
    score = "" if item.score is None else f"{item.score:.3f}"
    return (
        f"@{item.author_handle}",
        " ".join(item.caption.split()),
        _age(now - item.posted_at),
        item.source,
        score,
        item.reason,
    )


def _age(age: timedelta) -> str:
    minutes = max(int(age.total_seconds() // 60), 0)
    if minutes < 60:  # noqa: PLR2004  minutes of an hour
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} d"  # noqa: PLR2004  two days read better in days
