from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING

import pytest

from photofeed.posts import PostRef, decode_members
from photofeed.timelines import (
    RedisClient,
    TimelineWriter,
    connect_redis,
    note_active,
    recently_active_first,
    timeline_key,
)

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

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


def test_followers_get_the_newest_posts_once_however_often_and_in_whatever_order_they_come(redis: RedisClient) -> None:
    followers = [next(_people) for _ in range(1_200)] + [12]
    writer = TimelineWriter(redis, timeline_length=3)
    for number in (5, 1, 4, 2, 3, 5, 4):
        writer.add_to_followers(_post(number), followers)
    for follower in (followers[0], followers[999], followers[1_000], 12):
        assert _timeline(redis, follower) == [5, 4, 3]


def test_who_looked_lately_is_delivered_to_first(redis: RedisClient) -> None:
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
