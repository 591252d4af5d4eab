"""Timelines are rebuilt after Redis was emptied, or after a release changed their format."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from ingestion.timeline_rebuild import FEWEST_EACH, TimelineRebuild
from photofeed import database
from photofeed.posts import PostRef, decode_members
from photofeed.redis_client import RedisClient, connect_redis
from photofeed.timelines import FRESH_POOL, TIMELINES_WHOLE_KEY, author_key, timeline_key
from tests.api.feed_world import FeedWorld

if TYPE_CHECKING:
    from tests.api.conftest import App

LENGTH = 50


@dataclass
class Lost:
    """A viewer whose timeline is lost, except for a newer post and an entry of another release."""

    world: FeedWorld
    redis: RedisClient
    rebuild: TimelineRebuild
    viewer: int
    followed: list[int]
    posts: list[PostRef]
    since: PostRef

    def timeline(self) -> list[int]:
        members = self.redis.zrange(timeline_key(self.viewer), 0, -1, desc=True)
        ids: list[int] = decode_members(members)["post_id"].tolist()
        assert len(ids) == len(members)
        return ids


@pytest.fixture
def lost(app: "App") -> Iterator[Lost]:
    world = FeedWorld(app.settings)
    viewer, *followed = world.people(4)
    world.follow(viewer, followed)
    posts = world.posts(followed, 5)
    (since,) = world.posts(followed[:1], age=timedelta(minutes=1))
    with connect_redis(app.settings) as client, database.pool(app.settings) as pool:
        world.deliver([since], [viewer])
        client.zadd(timeline_key(viewer), {posts[0].member()[:-9]: posts[0].posted_ms})
        client.delete(TIMELINES_WHOLE_KEY, FRESH_POOL)
        yield Lost(world, client, TimelineRebuild(pool, client, LENGTH), viewer, followed, posts, since)


def test_a_rebuilt_timeline_has_all_posts_in_the_current_format(lost: Lost) -> None:
    lost.rebuild.ensure()
    newest_first = sorted((post.post_id for post in [*lost.posts, lost.since]), reverse=True)
    assert lost.timeline() == newest_first
    own = decode_members(lost.redis.zrange(author_key(lost.followed[1]), 0, -1))["post_id"]
    assert set(own) == {post.post_id for post in lost.posts if post.author_id == lost.followed[1]}
    fresh = decode_members(lost.redis.zrange(FRESH_POOL, 0, -1))["post_id"]
    assert set(newest_first) <= set(fresh.tolist())


def test_a_complete_timeline_is_left_unchanged(lost: Lost) -> None:
    lost.rebuild.ensure()
    lost.redis.delete(timeline_key(lost.viewer))
    lost.rebuild.ensure()
    assert lost.timeline() == []


def test_hidden_and_pulled_posts_are_not_delivered_again(lost: Lost, app: "App") -> None:
    hidden = lost.posts[-1]
    with database.connect(app.settings) as connection:
        connection.execute("update posts set visible = false where id = %s", (hidden.post_id,))
        connection.execute("update users set pulled = true where id = %s", (lost.followed[0],))
    lost.rebuild.ensure()
    expected = [post for post in lost.posts if post is not hidden and post.author_id != lost.followed[0]]
    assert set(lost.timeline()) == {post.post_id for post in expected} | {lost.since.post_id}


def test_posts_of_an_author_who_has_deleted_all_are_dropped(lost: Lost, app: "App") -> None:
    author = lost.followed[1]
    gone = [post for post in lost.posts if post.author_id == author]
    lost.world.deliver(gone, [])
    lost.redis.delete(TIMELINES_WHOLE_KEY)
    assert lost.redis.zcard(author_key(author)) >= len(gone) > 0
    with database.connect(app.settings) as connection:
        connection.execute("update posts set visible = false where author_id = %s", (author,))
    lost.rebuild.ensure()
    assert lost.redis.zrange(author_key(author), 0, -1) == []


def test_one_account_does_not_crowd_out_the_others(lost: Lost) -> None:
    many = lost.world.posts(lost.followed[:1], 2 * LENGTH, age=timedelta(0))
    lost.rebuild.ensure()
    timeline = lost.timeline()
    # the newest of many, `since` among them
    assert len({post.post_id for post in [*many, lost.since]} & set(timeline)) == 2 * LENGTH // 3 > FEWEST_EACH
    assert {post.post_id for post in lost.posts if post.author_id != lost.followed[0]} <= set(timeline)


def test_only_one_of_several_workers_rebuilds(lost: Lost, app: "App") -> None:
    with database.connect(app.settings) as other, other.transaction():
        assert database.try_leadership_now(other, database.TIMELINES)
        lost.rebuild.ensure()
        assert not lost.redis.exists(TIMELINES_WHOLE_KEY)
    lost.rebuild.ensure()
    assert len(lost.timeline()) == len(lost.posts) + 1
