"""docs/production.md states how long things are kept: the figures are those of the code."""

import re
from datetime import timedelta
from pathlib import Path

from ingestion.engagement.counted_events import CREDITED_FOR, REMEMBERED_FOR
from photofeed import notifications, post_traces, turned_away, webhooks
from photofeed.erasures import TOMBSTONE_FOR
from photofeed.topics import DEAD_LETTER_RETENTION, all_topics

KEPT = {
    "dead letters": DEAD_LETTER_RETENTION,
    "ids of counted events in Redis": REMEMBERED_FOR,
    "what people are credited with, in Redis": CREDITED_FOR,
    "unfollowed authors and skipped posts, in Redis": timedelta(seconds=turned_away.KEPT_SECONDS),
    "notifications": notifications.RETENTION,
    "deliveries of webhooks": webhooks.RETENTION,
    "logins of deleted accounts": TOMBSTONE_FOR,
}


def test_the_stated_ages_are_those_of_the_code() -> None:
    text = (Path(__file__).parents[3] / "docs" / "production.md").read_text()
    section = text.partition("## How long things are kept")[2].partition("\n## ")[0]
    stated = {
        what: timedelta(days=int(days))
        for what, days in re.findall(r"^\| (.+?) \| (\d+) days \|", section, re.MULTILINE)
    }
    (live,) = {topic.retention for topic in all_topics() if not topic.name.endswith(".dlq")}
    assert "| traces of posts, in Redis | an hour |" in section
    assert timedelta(seconds=post_traces.KEPT_SECONDS) == timedelta(hours=1)
    assert stated == KEPT | {"messages of Kafka": live}
