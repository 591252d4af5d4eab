import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from ingestion.engagement import feed_memory
from ingestion.engagement.feed_memory import RedisFeedMemory
from photofeed import timelines
from photofeed.events import Action, EngagementEvent
from photofeed.explore_pools import LIKED_SECONDS, liked_key
from photofeed.features.event_columns import EventColumns
from photofeed.posts import PostRef, decode_members
from photofeed.redis_client import RedisClient, connect_redis
from photofeed.timelines import (
    ACTIVE_PEOPLE,
    FRESH_POOL,
    TRENDING_POOL,
    TimelineWriter,
    author_key,
    note_active,
    recently_active_first,
    seen_key,
    timeline_key,
)
from photofeed.turned_away import KEPT_SECONDS, skipped_key

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


def test_a_new_follower_gets_the_newest_posts(redis: RedisClient) -> None:
    author, follower = next(_people), next(_people)
    writer = TimelineWriter(redis, timeline_length=2)
    writer.follow(follower, author)
    assert _timeline(redis, follower) == []
    for number in (2, 3, 1):
        writer.add_to_author(PostRef(number, author, 8, 1_700_000_000_000 + number), public=False)
    writer.add_to_followers(_post(9), [follower])
    writer.follow(follower, author)
    assert _timeline(redis, follower) == [9, 3]


def test_an_author_and_the_fresh_pool_keep_the_newest_posts(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    author = next(_people)
    monkeypatch.setattr(timelines, "AUTHOR_LENGTH", 2)
    monkeypatch.setattr(timelines, "POOL_LENGTH", 3)
    in_future = 4_000_000_000_000  # newer than the posts of other tests
    for number in (3, 1, 5, 4, 2):
        TimelineWriter(redis, 3).add_to_author(PostRef(number, author, 8, in_future + number), public=True)
    for key, newest in ((author_key(author), [4, 5]), (FRESH_POOL, [3, 4, 5])):
        assert decode_members(redis.zrange(key, 0, -1))["post_id"].tolist() == newest, key
    redis.delete(FRESH_POOL)


def test_only_the_most_recently_active_people_are_known(redis: RedisClient, monkeypatch: pytest.MonkeyPatch) -> None:
    redis.delete(ACTIVE_PEOPLE)
    monkeypatch.setattr(timelines, "MOST_ACTIVE_PEOPLE", 2)
    pipeline = redis.pipeline(transaction=False)
    note_active(pipeline, {1: 10.0, 2: 30.0, 3: 20.0})
    note_active(pipeline, {})
    pipeline.execute()
    assert redis.zrange(ACTIVE_PEOPLE, 0, -1) == [b"3", b"2"]
    assert recently_active_first(redis, []) == []
    redis.delete(ACTIVE_PEOPLE)


def _event(action: Action, user: int, post: int, second: int, dwell_ms: int | None = None) -> dict[str, Any]:
    moment = NOW + timedelta(seconds=second)
    return EngagementEvent("e", action, user, 7, moment, post, 8, dwell_ms=dwell_ms).to_payload()


# What the feed remembers of each kind of event, and for how many posts and seconds; None: as long as it is used.
MEMORIES = [
    (Action.IMPRESSION, seen_key, "SEEN_LENGTH", None),
    (Action.SAVE, liked_key, "LIKED_LENGTH", LIKED_SECONDS),
    (Action.DWELL, skipped_key, "SKIPPED_LENGTH", KEPT_SECONDS),
]


@pytest.mark.parametrize(("action", "key_of", "length", "expires"), MEMORIES)
def test_the_feed_remembers_the_newest_of_what_a_person_did(
    redis: RedisClient,
    monkeypatch: pytest.MonkeyPatch,
    action: Action,
    key_of: Callable[[int], str],
    length: str,
    expires: int | None,
) -> None:
    user, memory = next(_people), RedisFeedMemory(redis)
    monkeypatch.setattr(feed_memory, length, 3)

    def remember(*of: tuple[int, int]) -> None:
        dwell = 100 if action is Action.DWELL else None
        events = [_event(action, user, post, second, dwell) for post, second in of]
        memory.remember(EventColumns.from_payloads(events), {})

    def kept() -> list[float]:
        return [moment - NOW.timestamp() for _, moment in redis.zrange(key_of(user), 0, -1, withscores=True)]

    remember((1, 10), (2, 30), (2, 20))
    assert kept() == [10, 30]
    remember((1, 5), (0, 40))  # late; without a post
    assert kept() == [10, 30]
    remember((3, 25), (4, 50), (1, 60))
    assert kept() == [30, 50, 60]
    left = redis.ttl(key_of(user))
    assert left == -1 if expires is None else expires - 60 < left <= expires


def test_the_trending_pool_keeps_the_posts_with_the_most_likes(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis.delete(TRENDING_POOL)
    monkeypatch.setattr(feed_memory, "POOL_LENGTH", 2)
    events = EventColumns.from_payloads([_event(Action.LIKE, 1, post, 0) for post in (1, 2, 3, 4)])
    as_of = round(NOW.timestamp() * 1e6)
    RedisFeedMemory(redis).remember(events, {1: (5.0, as_of), 2: (1.0, as_of), 3: (4.0, as_of), 9: (8.0, as_of)})
    (third, likes), (first, more_likes) = redis.zrange(TRENDING_POOL, 0, -1, withscores=True)
    assert decode_members([third, first])["post_id"].tolist() == [3, 1]
    assert more_likes - likes == pytest.approx(math.log2(5 / 4))
    redis.delete(TRENDING_POOL)


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
