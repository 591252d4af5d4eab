"""What the feed path must know at once of engagement: posts seen, posts unwelcome, and posts that trend."""

from collections.abc import Sequence
from typing import Protocol

from ingestion.engagement.accumulate import MICROSECONDS, CounterRow
from photofeed.events import Action, EngagementEvent
from photofeed.posts import PostRef
from photofeed.timelines import (
    POOL_LENGTH,
    SEEN_LENGTH,
    TRENDING_POOL,
    RedisClient,
    hidden_key,
    seen_key,
    trending_score,
)

UNWELCOME = frozenset({Action.HIDE, Action.REPORT})
_TRENDING_VIEW, _TRENDING_COUNTER = "post_engagement", "likes_24h"


class FeedMemory(Protocol):
    """Side effects of engagement that candidates and filters read."""

    def remember(self, events: Sequence[EngagementEvent], likes: dict[int, tuple[float, int]]) -> None:
        """Note what was seen or is unwelcome, and how posts do: post id -> (decayed likes, as of, microseconds)."""


class RedisFeedMemory:
    """Seen and hidden posts and the trending pool in Redis."""

    def __init__(self, client: RedisClient) -> None:
        self._redis = client

    def remember(self, events: Sequence[EngagementEvent], likes: dict[int, tuple[float, int]]) -> None:
        """Note what was seen and what trends, in one pipeline."""
        pipeline = self._redis.pipeline(transaction=False)
        posts: dict[int, bytes] = {}
        for event in events:
            if event.post_id is None or event.topic_id is None:
                continue
            # members carry no time, so the time of posting is not needed to name the post
            posts[event.post_id] = PostRef(event.post_id, event.creator_id, event.topic_id, 0).member()
            if event.action is Action.IMPRESSION:
                key = seen_key(event.user_id)
                pipeline.zadd(key, {str(event.post_id): event.occurred_at.timestamp()}, gt=True)
                pipeline.zremrangebyrank(key, 0, -SEEN_LENGTH - 1)
            elif event.action in UNWELCOME:
                pipeline.sadd(hidden_key(event.user_id), event.post_id)
        for post_id, (count, as_of_us) in likes.items():
            if post_id in posts:
                pipeline.zadd(TRENDING_POOL, {posts[post_id]: trending_score(count, as_of_us / MICROSECONDS)})
        pipeline.zremrangebyrank(TRENDING_POOL, 0, -POOL_LENGTH - 1)
        pipeline.execute()


class NoFeedMemory:
    """For replays and tests in which nobody looks at a feed."""

    def remember(self, events: Sequence[EngagementEvent], likes: dict[int, tuple[float, int]]) -> None:
        """Forget at once."""


def likes_of(rows: Sequence[CounterRow], counters: Sequence[str]) -> dict[int, tuple[float, int]]:
    """Each post's decayed likes after these rows; `counters` names the values of a post row."""
    position = list(counters).index(_TRENDING_COUNTER)
    return {row.keys[0]: (row.values[position], row.as_of_us) for row in rows if row.view == _TRENDING_VIEW}
