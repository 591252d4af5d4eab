"""Recovery of the feed memory after Redis was emptied: hidden posts stay hidden, and seen posts are not shown again."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from ingestion.archive import Archive
from ingestion.engagement.feed_memory import RedisFeedMemory
from ingestion.engagement.remembered_people import remember_people
from photofeed.events import Action, EngagementEvent, engagement_envelope
from photofeed.explore_pools import liked_key
from photofeed.features.event_columns import EventColumns
from photofeed.offline_store.lake import open_lake
from photofeed.posts import decode_members
from photofeed.redis_client import RedisClient, connect_redis
from photofeed.timelines import TRENDING_POOL, hidden_key, seen_key, trending_score
from photofeed.turned_away import KEPT_SECONDS, SkippedPost, skipped_key

if TYPE_CHECKING:
    from photofeed.settings import Settings

NOW = datetime.now(UTC)
VIEWER = 11


@pytest.fixture
def settings(settings_apart: Callable[[int], "Settings"]) -> "Settings":
    return settings_apart(8)


@pytest.fixture
def client(settings: "Settings") -> Iterator[RedisClient]:
    """Redis without the memory of other tests, emptied also after a test that failed."""
    with connect_redis(settings) as client:
        client.flushdb()
        yield client
        client.flushdb()


def _did(action: Action, post: int, age: timedelta) -> EngagementEvent:
    return EngagementEvent(uuid4().hex, action, VIEWER, 9, NOW - age, post_id=post, topic_id=7, content_type="photo")


def test_hidden_seen_and_liked_posts_are_restored_within_their_windows(
    settings: "Settings", client: RedisClient
) -> None:
    day, hour = timedelta(days=1), timedelta(hours=1)
    events = [
        _did(Action.HIDE, 1, 300 * day),
        _did(Action.REPORT, 2, 20 * day),
        _did(Action.LIKE, 3, 30 * day),
        _did(Action.SAVE, 4, 200 * day),
        _did(Action.IMPRESSION, 5, 3 * day),
        _did(Action.IMPRESSION, 6, 2 * hour),
        _did(Action.OPEN, 7, hour),
        _did(Action.LIKE, 8, 20 * day),
        _did(Action.UNLIKE, 8, 19 * day),
    ]
    lake = open_lake(settings)
    archive = Archive(lake, settings.bucket_lake)
    archive.handle([engagement_envelope(VIEWER, events)])
    archive.handle([engagement_envelope(VIEWER, events[:2])])  # the log may hold an event twice
    for _ in range(2):  # it may be repeated
        assert remember_people(lake, settings.bucket_lake, RedisFeedMemory(client), NOW) == 6
    assert client.smembers(hidden_key(VIEWER)) == {b"1", b"2"}
    assert client.zrange(seen_key(VIEWER), 0, -1) == [b"6"]
    assert [int.from_bytes(liked[:8]) for liked in client.zrange(liked_key(VIEWER), 0, -1)] == [3]


def test_trending_scores_are_restored_from_decayed_likes(settings: "Settings", client: RedisClient) -> None:
    day, hour = timedelta(days=1), timedelta(hours=1)
    liked = {1: [hour] * 3, 2: [hour] * 2, 3: [4 * day] * 5, 4: [hour] * 4}
    events = [_did(Action.LIKE, post, age) for post, ages in liked.items() for age in ages]
    events += [_did(Action.UNLIKE, 4, hour) for _ in range(4)]
    lake = open_lake(settings)
    Archive(lake, settings.bucket_lake).handle([engagement_envelope(VIEWER, events)])
    for _ in range(2):  # it may be repeated
        remember_people(lake, settings.bucket_lake, RedisFeedMemory(client), NOW)
    trending = client.zrange(TRENDING_POOL, 0, -1, desc=True, withscores=True)
    assert decode_members([member for member, _ in trending])["post_id"].tolist() == [1, 2, 3, 4]
    assert trending[0][1] == pytest.approx(trending_score(3 * 2 ** (-1 / 24), NOW.timestamp()))


def test_posts_that_were_skipped_quickly_are_kept_until_they_get_a_longer_look(client: RedisClient) -> None:
    hour, look = timedelta(hours=1), Action.DWELL
    skipped = [replace(_did(look, post, 2 * hour), dwell_ms=400) for post in (1, 2, 3)]
    looked = [replace(_did(look, 2, hour), dwell_ms=1000), _did(Action.LIKE, 3, hour)]
    memory = RedisFeedMemory(client)
    for events in (skipped, looked):
        (payloads,) = [engagement_envelope(VIEWER, events).payload["events"]]
        for _ in range(2):  # it may be repeated
            memory.remember(EventColumns.from_payloads(payloads), {})
    assert client.zrange(skipped_key(VIEWER), 0, -1, withscores=True) == [
        (SkippedPost(1, 9, 7).member(), pytest.approx((NOW - 2 * hour).timestamp()))
    ]
    assert KEPT_SECONDS - 60 < client.ttl(skipped_key(VIEWER)) <= KEPT_SECONDS


def test_nothing_is_restored_from_an_empty_lake(settings: "Settings", client: RedisClient) -> None:
    assert remember_people(open_lake(settings), settings.bucket_lake, RedisFeedMemory(client), NOW) == 0
