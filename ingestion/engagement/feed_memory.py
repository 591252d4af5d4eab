"""What the feed path reads of engagement without delay: seen, hidden, liked and skipped posts, and posts that trend."""

import struct
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from ingestion.engagement.accumulate import CounterRows
from photofeed.action_weights import ENGAGEMENT_WEIGHTS, QUICK_SKIP_SECONDS
from photofeed.events import Action
from photofeed.explore_pools import LIKED_LAYOUT, LIKED_LENGTH, LIKED_SECONDS, liked_key
from photofeed.features.event_columns import EventColumns
from photofeed.posts import PostRef
from photofeed.redis_client import RedisClient
from photofeed.timelines import (
    POOL_LENGTH,
    SEEN_LENGTH,
    TRENDING_POOL,
    hidden_key,
    note_active,
    seen_key,
    trending_score,
)
from photofeed.times import MICROSECONDS
from photofeed.turned_away import KEPT_SECONDS, SKIPPED_LENGTH, SkippedPost, skipped_key

_TRENDING_VIEW, _TRENDING_COUNTER = "post_engagement", "likes_24h"


class FeedMemory(Protocol):
    """Effects of engagement that candidate sources and filters read."""

    def remember(self, events: EventColumns, likes: dict[int, tuple[float, int]]) -> None:
        """Record what was seen, hidden, liked and skipped, and how posts trend. May be repeated.

        Args:
            events: any engagement events.
            likes: post id -> (decayed likes, as of, microseconds since 1970).
        """


class RedisFeedMemory:
    """Seen, hidden, liked and skipped posts and the trending pool in Redis."""

    def __init__(self, client: RedisClient) -> None:
        self._redis = client

    def remember(self, events: EventColumns, likes: dict[int, tuple[float, int]]) -> None:
        """Record everything in one pipeline."""
        pipeline: Any = self._redis.pipeline(transaction=False)
        seen = _seen(events)
        note_active(pipeline, {user: max(posts.values()) for user, posts in seen.items()})
        for user, posts in seen.items():
            pipeline.zadd(seen_key(user), posts, gt=True)
            pipeline.zremrangebyrank(seen_key(user), 0, -SEEN_LENGTH - 1)
        for user, liked in _liked(events).items():
            if kept := {post: moment for post, moment in liked.items() if moment is not None}:
                pipeline.zadd(liked_key(user), kept, gt=True)
            if undone := liked.keys() - kept.keys():
                pipeline.zrem(liked_key(user), *undone)
            pipeline.zremrangebyrank(liked_key(user), 0, -LIKED_LENGTH - 1)
            pipeline.expire(liked_key(user), LIKED_SECONDS)
        for user, skipped in _skipped(events).items():
            if kept := {post: moment for post, moment in skipped.items() if moment is not None}:
                pipeline.zadd(skipped_key(user), kept, gt=True)
            if looked := skipped.keys() - kept.keys():
                pipeline.zrem(skipped_key(user), *looked)
            pipeline.zremrangebyrank(skipped_key(user), 0, -SKIPPED_LENGTH - 1)
            pipeline.expire(skipped_key(user), KEPT_SECONDS)
        for (user, post), is_hidden in _hidden(events).items():
            change = pipeline.sadd if is_hidden else pipeline.srem
            change(hidden_key(user), post)
        trending = {
            member: trending_score(likes[post][0], likes[post][1] / MICROSECONDS)
            for post, member in _members(events).items()
            if post in likes
        }
        if trending:
            pipeline.zadd(TRENDING_POOL, trending)
            pipeline.zremrangebyrank(TRENDING_POOL, 0, -POOL_LENGTH - 1)
        pipeline.execute()


def likes_of(rows: Sequence[CounterRows]) -> dict[int, tuple[float, int]]:
    """Each post's decayed likes after these rows."""
    found: dict[int, tuple[float, int]] = {}
    for each in rows:
        if each.view == _TRENDING_VIEW:
            likes = each.values[:, each.counters.index(_TRENDING_COUNTER)].tolist()
            found |= dict(zip(each.keys[:, 0].tolist(), zip(likes, each.as_of_us.tolist(), strict=True), strict=True))
    return found


def _seen(events: EventColumns) -> dict[int, dict[int, float]]:
    """User -> post shown to them -> when last, in seconds since 1970."""
    shown = events.take(events.did(Action.IMPRESSION) & (events.post_id != 0))
    shown = shown.take(np.argsort(shown.occurred_us, kind="stable"))
    seen: dict[int, dict[int, float]] = defaultdict(dict)
    for (user, post), moment in zip(_pairs(shown), (shown.occurred_us / MICROSECONDS).tolist(), strict=True):
        seen[user][post] = moment
    return seen


def _liked(events: EventColumns) -> dict[int, dict[bytes, float | None]]:
    """User -> post that they liked or saved, with its topic -> when last; None if they have undone it since."""
    does = events.did(Action.LIKE) | events.did(Action.SAVE)
    undoes = events.did(Action.UNLIKE) | events.did(Action.UNSAVE)
    indices = np.flatnonzero((does | undoes) & (events.post_id != 0))
    indices = indices[np.argsort(events.occurred_us[indices], kind="stable")]
    ordered, moments = events.take(indices), (events.occurred_us[indices] / MICROSECONDS).tolist()
    liked: dict[int, dict[bytes, float | None]] = defaultdict(dict)
    for (user, post), topic, moment, is_liked in zip(
        _pairs(ordered), ordered.topic_id.tolist(), moments, does[indices].tolist(), strict=True
    ):
        liked[user][struct.pack(LIKED_LAYOUT, post, topic)] = moment if is_liked else None
    return liked


def _skipped(events: EventColumns) -> dict[int, dict[bytes, float | None]]:
    """User -> post that they looked at or engaged with -> when they last skipped it; None if they no longer did."""
    dwells = events.did(Action.DWELL)
    engaged = np.any([events.did(action) for action in ENGAGEMENT_WEIGHTS], axis=0)
    indices = np.flatnonzero((dwells | engaged) & (events.post_id != 0))
    indices = indices[np.argsort(events.occurred_us[indices], kind="stable")]
    ordered = events.take(indices)
    is_skip = dwells[indices] & (ordered.dwell_seconds < QUICK_SKIP_SECONDS)
    skipped: dict[int, dict[bytes, float | None]] = defaultdict(dict)
    columns = (ordered.user_id, ordered.post_id, ordered.creator_id, ordered.topic_id, ordered.occurred_us, is_skip)
    for user, post, author, topic, moment, skips in zip(*(column.tolist() for column in columns), strict=True):
        skipped[user][SkippedPost(post, author, topic).member()] = moment / MICROSECONDS if skips else None
    return skipped


def _hidden(events: EventColumns) -> dict[tuple[int, int], bool]:
    """User and post -> whether the user hid or reported it; False if they have taken the hide back since."""
    hides = events.did(Action.HIDE) | events.did(Action.REPORT)
    indices = np.flatnonzero((hides | events.did(Action.UNHIDE)) & (events.post_id != 0))
    indices = indices[np.argsort(events.occurred_us[indices], kind="stable")]
    return dict(zip(_pairs(events.take(indices)), hides[indices].tolist(), strict=True))


def _pairs(events: EventColumns) -> list[tuple[int, int]]:
    return list(zip(events.user_id.tolist(), events.post_id.tolist(), strict=True))


def _members(events: EventColumns) -> dict[int, bytes]:
    """Post -> its member in pools. A member has no time, so the time of posting is not needed."""
    posts, first = np.unique(events.post_id, return_index=True)
    known = zip(posts.tolist(), events.creator_id[first].tolist(), events.topic_id[first].tolist(), strict=True)
    return {post: PostRef(post, creator, topic, 0).member() for post, creator, topic in known if post}
