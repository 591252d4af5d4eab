"""Recovery after Redis lost its data: what people hid, recently liked and recently saw, and which posts trend.

All of it is read from the lake.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

import numpy as np

from ingestion.engagement.counted_log import read_log
from ingestion.engagement.feed_memory import FeedMemory
from photofeed.events import Action
from photofeed.explore_pools import LIKED_SECONDS
from photofeed.features.decay import decay
from photofeed.features.event_columns import EventColumns
from photofeed.offline_store.lake import Lake
from photofeed.timelines import SEEN_FOR, TRENDING_HALF_LIFE_SECONDS
from photofeed.times import MICROSECONDS


def remember_people(lake: Lake, bucket: str, memory: FeedMemory, now: datetime) -> int:
    """Restore the feed memory from the lake; returns the number of events read. May be repeated.

    Events that have not reached the lake yet are missing.

    Raises:
        RetryableError: object storage cannot be reached.
    """
    liked_since, seen_since = now - timedelta(seconds=LIKED_SECONDS), now - SEEN_FOR
    liking = _is(Action.LIKE, Action.SAVE, Action.UNLIKE, Action.UNSAVE)
    lasting = f"""
        {_is(Action.HIDE, Action.UNHIDE, Action.REPORT)}
        or {liking} and occurred_at > timestamptz '{liked_since.isoformat()}'
        or {_is(Action.IMPRESSION)} and occurred_at > timestamptz '{seen_since.isoformat()}'
    """
    remembered, likes = 0, _Likes(now)
    for events in read_log(lake, bucket, lasting):
        memory.remember(events, likes.add(events))
        remembered += len(events)
    return remembered


class _Likes:
    """The likes of posts, decayed to one moment."""

    def __init__(self, now: datetime) -> None:
        self._now_us = round(now.timestamp() * MICROSECONDS)
        self._left: dict[int, float] = defaultdict(float)

    def add(self, events: EventColumns) -> dict[int, tuple[float, int]]:
        """Add the likes among the events; returns the likes of their posts in the form of `FeedMemory.remember`."""
        likes = events.take(events.did(Action.LIKE) | events.did(Action.UNLIKE))
        signs = np.where(likes.did(Action.LIKE), 1.0, -1.0)
        left = decay(signs, (self._now_us - likes.occurred_us) / MICROSECONDS, TRENDING_HALF_LIFE_SECONDS)
        posts, which = np.unique(likes.post_id, return_inverse=True)
        for post, more in zip(posts.tolist(), np.bincount(which, left).tolist(), strict=True):
            self._left[post] += more
        return {post: (self._left[post], self._now_us) for post in posts.tolist()}


def _is(*actions: Action) -> str:
    return f"action in ({_quoted(action.value for action in actions)})"


def _quoted(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)
