"""Fan-out when messages about posts and follows are handled late, in another order, or by several workers."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ingestion.celebrities import Celebrities
from ingestion.fanout import Fanout
from ingestion.timeline_rebuild import KeptPosts, PostsOfRedis, TimelineRebuild
from photofeed import database
from photofeed.database import Database
from photofeed.events import Envelope
from photofeed.posts import PostRef, PublishedPost, decode_members
from photofeed.redis_client import RedisClient, connect_redis
from photofeed.timelines import AUTHOR_LENGTH, FRESH_POOL, TimelineWriter, author_key, timeline_key
from tests.api.feed_world import FeedWorld
from tests.metric_values import metric

if TYPE_CHECKING:
    from photofeed.settings import Settings


class MeanwhileWriter(TimelineWriter):
    """Lets something happen when followers were read and nothing was delivered to them yet."""

    meanwhile: Callable[[], None] | None = None

    def add_to_followers(self, post: PostRef, follower_ids: Sequence[int]) -> None:
        if self.meanwhile is not None:
            self.meanwhile()
        super().add_to_followers(post, follower_ids)


class Pair:
    """An author with a post, and a follower of theirs."""

    def __init__(self, settings: "Settings", client: RedisClient, pool: Database) -> None:
        self.settings, self.client, self.pool = settings, client, pool
        self.world = FeedWorld(settings)
        self.author, self.reader = self.world.people(2)
        self.world.follow(self.reader, [self.author])
        (self.post,) = self.world.posts([self.author])
        self.writer = MeanwhileWriter(client, timeline_length=100)

    def handle(self, *kinds: str) -> None:
        """Messages about the pair, for a worker of its own."""
        about = PublishedPost(self.post, "photo", 0, 0, True, False, 1.0, 0.0, 0.0, 0.0).to_payload()
        payload = about | {"userId": self.reader, "followeeId": self.author}
        writer = self.writer if "photo.processed" in kinds else TimelineWriter(self.client, 100)
        fanout = Fanout(self.pool, writer, Celebrities(self.pool, writer, 1_000_000))
        envelopes = [Envelope(kind, "", about if kind.startswith("photo.") else payload) for kind in kinds]
        fanout.handle(envelopes)

    def execute(self, statement: str) -> None:
        with self.pool.connection() as connection:
            connection.execute(
                statement.encode(), {"author": self.author, "reader": self.reader, "post": self.post.post_id}
            )

    def leave(self) -> None:
        self.execute("delete from follows where follower_id = %(reader)s and followee_id = %(author)s")

    def delete(self) -> None:
        self.execute("delete from posts where id = %(post)s")

    def has_post(self, key: str) -> bool:
        return self.post.post_id in decode_members(self.client.zrange(key, 0, -1))["post_id"]

    def in_timeline(self) -> bool:
        return self.has_post(timeline_key(self.reader))


@pytest.fixture
def pair(settings: "Settings") -> Iterator[Pair]:
    with connect_redis(settings) as client, database.pool(settings) as pool:
        yield Pair(settings, client, pool)


def test_deliveries_are_counted_by_timelines(pair: Pair) -> None:
    others = pair.world.people(2)
    for other in others:
        pair.world.follow(other, [pair.author])
    before = metric("photofeed_fanout_deliveries_total")
    pair.handle("photo.processed")
    assert metric("photofeed_fanout_deliveries_total") == before + 3
    pair.execute("update users set pulled = true, follower_count = 1000000 where id = %(author)s")
    pair.handle("photo.processed", "photo.removed")  # followers of a celebrity read its posts themselves
    assert metric("photofeed_fanout_deliveries_total") == before + 3


@pytest.mark.parametrize("pulled", [False, True])
def test_a_post_that_was_deleted_while_the_reader_was_away_is_not_there_again(pair: Pair, pulled: bool) -> None:
    pair.handle("photo.processed")
    assert pair.in_timeline()
    pair.leave()
    pair.delete()
    pair.handle("photo.removed")
    pair.world.follow(pair.reader, [pair.author])
    if pulled:
        pair.execute("update users set pulled = true, follower_count = 1000000 where id = %(author)s")
    pair.handle("unfollowed", "followed")
    assert not pair.in_timeline()


def test_a_late_message_of_a_deleted_post_delivers_nothing(pair: Pair) -> None:
    pair.delete()
    pair.handle("photo.removed", "photo.processed")
    assert not any(map(pair.has_post, (timeline_key(pair.reader), author_key(pair.author), FRESH_POOL)))


def test_a_reader_who_leaves_while_a_post_is_delivered_does_not_get_it(pair: Pair) -> None:
    def leave() -> None:
        pair.leave()
        pair.handle("unfollowed")

    pair.writer.meanwhile = leave
    pair.handle("photo.processed")
    assert not pair.in_timeline()
    assert pair.has_post(author_key(pair.author))


def test_a_post_that_is_deleted_while_it_is_delivered_is_taken_back(pair: Pair) -> None:
    def delete() -> None:
        pair.delete()
        pair.handle("photo.removed")

    pair.writer.meanwhile = delete
    pair.handle("photo.processed")
    assert not any(map(pair.has_post, (timeline_key(pair.reader), author_key(pair.author), FRESH_POOL)))


@pytest.mark.parametrize("read", ["of_timelines", "of_authors", "fresh"])
def test_a_post_that_is_deleted_while_timelines_are_rebuilt_is_taken_back(
    pair: Pair, read: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_posts: Any = getattr(PostsOfRedis, read)

    def read_before_it_is_deleted(*arguments: Any) -> Any:
        posts = read_posts(*arguments)
        pair.delete()
        pair.handle("photo.removed")
        return posts

    monkeypatch.setattr(PostsOfRedis, read, read_before_it_is_deleted)
    TimelineRebuild(pair.pool, pair.client, 100).rebuild()
    assert not any(map(pair.has_post, (timeline_key(pair.reader), author_key(pair.author), FRESH_POOL)))


def test_a_reader_who_leaves_while_timelines_are_rebuilt_gets_nothing(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_timelines = PostsOfRedis.of_timelines

    def read_before_they_leave(*arguments: Any) -> list[KeptPosts]:
        timelines = read_timelines(*arguments)
        pair.leave()
        pair.handle("unfollowed")
        return timelines

    monkeypatch.setattr(PostsOfRedis, "of_timelines", read_before_they_leave)
    TimelineRebuild(pair.pool, pair.client, 100).rebuild()
    assert not pair.in_timeline()
    assert pair.has_post(author_key(pair.author))


def test_a_post_that_is_still_there_stays_after_following_again(pair: Pair) -> None:
    pair.handle("photo.processed")
    pair.leave()
    pair.world.follow(pair.reader, [pair.author])
    pair.handle("unfollowed", "followed")
    assert pair.in_timeline()


def test_the_newest_posts_of_an_account_that_becomes_private_leave_the_pools(pair: Pair) -> None:
    pair.world.posts([pair.author], each=AUTHOR_LENGTH, age=timedelta(hours=2))
    pair.writer.add_to_author(pair.post, public=True)
    assert pair.has_post(FRESH_POOL)
    pair.execute("update users set is_private = true where id = %(author)s")
    fanout = Fanout(pair.pool, pair.writer, Celebrities(pair.pool, pair.writer, 1_000_000))
    fanout.handle([Envelope("made_private", "", {"userId": pair.author})])
    assert not pair.has_post(FRESH_POOL)
