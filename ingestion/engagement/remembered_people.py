"""What feeds know of people, out of the lake, after Redis was lost: what they hid for good, liked, and saw lately."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from ingestion.engagement.counted_log import read_log
from ingestion.engagement.feed_memory import FeedMemory
from photofeed.events import Action
from photofeed.explore_pools import LIKED_SECONDS
from photofeed.offline_store.lake import Lake
from photofeed.timelines import SEEN_FOR


def remember_people(lake: Lake, bucket: str, memory: FeedMemory, now: datetime) -> int:
    """Have feeds know again what people did; returns how many events that were. It may be repeated.

    What has not reached the lake yet is missing, and how posts trend: new likes bring that back.

    Raises:
        RetryableError: object storage cannot be reached.
    """
    liked_since, seen_since = now - timedelta(seconds=LIKED_SECONDS), now - SEEN_FOR
    liking = _is(Action.LIKE, Action.SAVE, Action.UNLIKE, Action.UNSAVE)
    lasting = f"""
        {_is(Action.HIDE, Action.REPORT)}
        or {liking} and occurred_at > timestamptz '{liked_since.isoformat()}'
        or {_is(Action.IMPRESSION)} and occurred_at > timestamptz '{seen_since.isoformat()}'
    """
    remembered = 0
    for events in read_log(lake, bucket, lasting):
        memory.remember(events, {})
        remembered += len(events)
    return remembered


def _is(*actions: Action) -> str:
    return f"action in ({_quoted(action.value for action in actions)})"


def _quoted(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)
