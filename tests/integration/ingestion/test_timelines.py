from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

import pytest

from ingestion.engagement.feed_memory import RedisFeedMemory
from photofeed.events import Action, EngagementEvent
from photofeed.features.event_columns import EventColumns
from photofeed.posts import PostRef, decode_members
from photofeed.redis_client import RedisClient, connect_redis
from photofeed.timelines import (
    FRESH_POOL,
    TRENDING_POOL,
    TimelineWriter,
    author_key,
    note_active,
    recently_active_first,
    timeline_key,
)

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

NOW = datetime(2026, 3, 1, tzinfo=UTC)
_people = count(2**62)


@pytest.fixture
def redis(stack: "EmbeddedStack") -> Iterator[RedisClient]:
    with connect_redis(stack.settings()) as client:
        yield client


def _post(number: int) -> PostRef:
    return PostRef(number, author_id=7, topic_id=8, posted_ms=1_700_000_000_000 + number)


def _timeline(redis: RedisClient, user_id: int) -> list[int]:
    ids: list[int] = decode_members(redis.zrange(timeline_key(user_id), 0, -1, desc=True))["post_id"].tolist()
    return ids


def test_followers_get_the_newest_posts_once_in_any_order_of_delivery(redis: RedisClient) -> None:
    followers = [next(_people) for _ in range(1_200)] + [12]
    writer = TimelineWriter(redis, timeline_length=3)
    for number in (5, 1, 4, 2, 3, 5, 4):
        writer.add_to_followers(_post(number), followers)
    for follower in (followers[0], followers[999], followers[1_000], 12):
        assert _timeline(redis, follower) == [5, 4, 3]


def test_recently_active_followers_are_delivered_to_first(redis: RedisClient) -> None:
    never, long_ago, today = (next(_people) for _ in range(3))
    pipeline = redis.pipeline(transaction=False)
    note_active(pipeline, {long_ago: 1_000.0, today: 2_000.0})
    note_active(pipeline, {today: 1_500.0})
    pipeline.execute()
    assert recently_active_first(redis, [never, long_ago, today]) == [today, long_ago, never]


def test_a_refused_delivery_is_an_error_and_the_next_one_arrives(redis: RedisClient) -> None:
    spoiled, follower = next(_people), next(_people)
    redis.set(timeline_key(spoiled), b"no sorted set")
    writer = TimelineWriter(redis, timeline_length=3)
    with pytest.raises(Exception, match="WRONGTYPE"):
        writer.add_to_followers(_post(1), [spoiled, follower])
    redis.delete(timeline_key(spoiled))
    writer.add_to_followers(_post(2), [spoiled, follower])
    assert _timeline(redis, spoiled) == [2]


def _pools(redis: RedisClient) -> dict[str, set[int]]:
    """The posts of each pool that everybody explores."""
    return {
        key: set(decode_members(redis.zrange(key, 0, -1))["post_id"].tolist()) for key in (FRESH_POOL, TRENDING_POOL)
    }


def _explored(redis: RedisClient, posts: Sequence[PostRef]) -> None:
    """Put posts into the pools as publication and engagement do."""
    writer = TimelineWriter(redis, timeline_length=3)
    for post in posts:
        writer.add_to_author(post, public=True)
    likes = [
        EngagementEvent(str(post.post_id), Action.LIKE, 1, post.author_id, NOW, post.post_id, post.topic_id)
        for post in posts
    ]
    RedisFeedMemory(redis).remember(
        EventColumns.from_payloads([like.to_payload() for like in likes]), {post.post_id: (1.0, 0) for post in posts}
    )
    for explored in _pools(redis).values():
        assert explored >= {post.post_id for post in posts}


def test_posts_of_an_account_that_became_private_leave_every_pool_at_once(redis: RedisClient) -> None:
    private, other, public = (_post(next(_people)) for _ in range(3))
    _explored(redis, [private, other, public])
    TimelineWriter(redis, timeline_length=3).keep_from_strangers([private, other])
    for pool, explored in _pools(redis).items():
        assert explored & {private.post_id, other.post_id, public.post_id} == {public.post_id}, pool


def test_a_removed_post_leaves_every_pool_and_timeline_at_once(redis: RedisClient) -> None:
    removed, kept, follower = _post(next(_people)), _post(next(_people)), next(_people)
    _explored(redis, [removed, kept])
    writer = TimelineWriter(redis, timeline_length=3)
    for post in (removed, kept):
        writer.add_to_followers(post, [follower])
    writer.remove(removed, [follower])
    for pool, explored in _pools(redis).items():
        assert explored & {removed.post_id, kept.post_id} == {kept.post_id}, pool
    assert _timeline(redis, follower) == [kept.post_id]
    assert removed.post_id not in decode_members(redis.zrange(author_key(removed.author_id), 0, -1))["post_id"]
