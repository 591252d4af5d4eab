"""What the feed path must know at once of engagement: posts seen, posts unwelcome, and posts that trend."""

import struct
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from ingestion.engagement.accumulate import CounterRows
from photofeed.events import Action
from photofeed.explore_pools import LIKED_LAYOUT, LIKED_LENGTH, LIKED_SECONDS, liked_key
from photofeed.features.event_columns import MICROSECONDS, EventColumns
from photofeed.posts import PostRef
from photofeed.timelines import (
    POOL_LENGTH,
    SEEN_LENGTH,
    TRENDING_POOL,
    RedisClient,
    hidden_key,
    note_active,
    seen_key,
    trending_score,
)

_TRENDING_VIEW, _TRENDING_COUNTER = "post_engagement", "likes_24h"


class FeedMemory(Protocol):
    """Side effects of engagement that candidates and filters read."""

    def remember(self, events: EventColumns, likes: dict[int, tuple[float, int]]) -> None:
        """Note what was seen or is unwelcome, and how posts do: post id -> (decayed likes, as of, microseconds).

        May be repeated.
        """


class RedisFeedMemory:
    """Seen and hidden posts and the trending pool in Redis."""

    def __init__(self, client: RedisClient) -> None:
        self._redis = client

    def remember(self, events: EventColumns, likes: dict[int, tuple[float, int]]) -> None:
        """Note what was seen and what trends, in one pipeline."""
        pipeline: Any = self._redis.pipeline(transaction=False)
        seen = _seen(events)
        note_active(pipeline, {user: max(posts.values()) for user, posts in seen.items()})
        for user, posts in seen.items():
            pipeline.zadd(seen_key(user), posts, gt=True)
            pipeline.zremrangebyrank(seen_key(user), 0, -SEEN_LENGTH - 1)
        for user, liked in _liked(events).items():
            if taken := {post: moment for post, moment in liked.items() if moment is not None}:
                pipeline.zadd(liked_key(user), taken, gt=True)
            if given_back := liked.keys() - taken.keys():
                pipeline.zrem(liked_key(user), *given_back)
            pipeline.zremrangebyrank(liked_key(user), 0, -LIKED_LENGTH - 1)
            pipeline.expire(liked_key(user), LIKED_SECONDS)
        unwelcome = events.did(Action.HIDE) | events.did(Action.REPORT)
        for user, post in _pairs(events.take(unwelcome)):
            pipeline.sadd(hidden_key(user), post)
        trending = {
            member: trending_score(likes[post][0], likes[post][1] / MICROSECONDS)
            for post, member in _members(events).items()
            if post in likes
        }
        if trending:
            pipeline.zadd(TRENDING_POOL, trending)
            pipeline.zremrangebyrank(TRENDING_POOL, 0, -POOL_LENGTH - 1)
        pipeline.execute()


class NoFeedMemory:
    """For replays and tests in which nobody looks at a feed."""

    def remember(self, events: EventColumns, likes: dict[int, tuple[float, int]]) -> None:
        """Forget at once."""


def likes_of(rows: Sequence[CounterRows]) -> dict[int, tuple[float, int]]:
    """Each post's decayed likes after these rows."""
    found: dict[int, tuple[float, int]] = {}
    for each in rows:
        if each.view == _TRENDING_VIEW:
            likes = each.values[:, each.counters.index(_TRENDING_COUNTER)].tolist()
            found |= dict(zip(each.keys[:, 0].tolist(), zip(likes, each.as_of_us.tolist(), strict=True), strict=True))
    return found


def _seen(events: EventColumns) -> dict[int, dict[int, float]]:
    """User -> posts they were shown -> when last."""
    shown = events.take(events.did(Action.IMPRESSION) & (events.post_id != 0))
    shown = shown.take(np.argsort(shown.occurred_us, kind="stable"))
    seen: dict[int, dict[int, float]] = defaultdict(dict)
    for (user, post), moment in zip(_pairs(shown), (shown.occurred_us / MICROSECONDS).tolist(), strict=True):
        seen[user][post] = moment
    return seen


def _liked(events: EventColumns) -> dict[int, dict[bytes, float | None]]:
    """User -> posts they liked or saved, with their topics -> when last; None where they have taken it back since."""
    taken = events.did(Action.LIKE) | events.did(Action.SAVE)
    given_back = events.did(Action.UNLIKE) | events.did(Action.UNSAVE)
    places = np.flatnonzero((taken | given_back) & (events.post_id != 0))
    places = places[np.argsort(events.occurred_us[places], kind="stable")]
    told, moments = events.take(places), (events.occurred_us[places] / MICROSECONDS).tolist()
    liked: dict[int, dict[bytes, float | None]] = defaultdict(dict)
    for (user, post), topic, moment, is_taken in zip(
        _pairs(told), told.topic_id.tolist(), moments, taken[places].tolist(), strict=True
    ):
        liked[user][struct.pack(LIKED_LAYOUT, post, topic)] = moment if is_taken else None
    return liked


def _pairs(events: EventColumns) -> list[tuple[int, int]]:
    return list(zip(events.user_id.tolist(), events.post_id.tolist(), strict=True))


def _members(events: EventColumns) -> dict[int, bytes]:
    """Post -> its member in pools; members carry no time, so the time of posting is not needed to name the post."""
    posts, first = np.unique(events.post_id, return_index=True)
    known = zip(posts.tolist(), events.creator_id[first].tolist(), events.topic_id[first].tolist(), strict=True)
    return {post: PostRef(post, creator, topic, 0).member() for post, creator, topic in known if post}
