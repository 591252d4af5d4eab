"""An account that stops being a celebrity: every post is delivered or pulled at every moment."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from ingestion.celebrities import Celebrities
from photofeed import database
from photofeed.posts import PostRef, decode_members
from photofeed.redis_client import RedisClient, connect_redis
from photofeed.timelines import TimelineWriter, timeline_key
from tests.api.feed_world import FeedWorld

if TYPE_CHECKING:
    from photofeed.settings import Settings

THRESHOLD = 10


@pytest.fixture
def redis(settings: "Settings") -> Iterator[RedisClient]:
    with connect_redis(settings) as client:
        yield client


class Account:
    """An account with the flag of a celebrity and few followers, and its posts."""

    def __init__(self, settings: "Settings", redis: RedisClient, posts: int) -> None:
        self.settings, self.redis = settings, redis
        world = FeedWorld(settings)
        self.author, *self.followers = world.people(4)
        for follower in self.followers:
            world.follow(follower, [self.author])
        self.posts: list[PostRef] = world.posts([self.author], each=posts)
        with database.connect(settings) as connection:
            connection.execute("update users set pulled = true where id = %s", (self.author,))

    def is_pulled(self) -> bool:
        with database.connect(self.settings) as connection:
            row = connection.execute("select pulled from users where id = %s", (self.author,)).fetchone()
        assert row is not None
        return bool(row["pulled"])

    def timelines(self) -> list[set[int]]:
        """The account's posts in the timeline of each follower."""
        mine = {post.post_id for post in self.posts}
        return [
            mine & set(decode_members(self.redis.zrange(timeline_key(follower), 0, -1))["post_id"].tolist())
            for follower in self.followers
        ]


class ObservedWriter(TimelineWriter):
    """Notes before each delivery whether the account is pulled, and what followers have."""

    def __init__(self, account: Account) -> None:
        super().__init__(account.redis, timeline_length=100)
        self.account = account
        self.observed: list[tuple[bool, list[set[int]]]] = []

    def follow(self, follower_id: int, author_id: int) -> None:
        self.observed.append((self.account.is_pulled(), self.account.timelines()))
        super().follow(follower_id, author_id)


class LateWriter(TimelineWriter):
    """Another worker publishes a post when the first delivery is done, while the account is still pulled."""

    def __init__(self, account: Account, late: PostRef) -> None:
        super().__init__(account.redis, timeline_length=100)
        self.account, self.late, self.deliveries = account, late, 0

    def follow(self, follower_id: int, author_id: int) -> None:
        super().follow(follower_id, author_id)
        self.deliveries += 1
        if self.deliveries == len(self.account.followers):
            assert self.account.is_pulled()
            self.add_to_author(self.late, public=True)


def test_a_post_left_undelivered_just_before_the_flag_is_cleared_reaches_every_follower(
    settings: "Settings", redis: RedisClient
) -> None:
    account = Account(settings, redis, posts=2)
    first, late = account.posts
    writer = LateWriter(account, late)
    writer.add_to_author(first, public=True)
    with database.pool(settings) as pool:
        assert not Celebrities(pool, writer, THRESHOLD).pulled(account.author)
    assert not account.is_pulled()
    assert account.timelines() == [{first.post_id, late.post_id}] * len(account.followers)


def test_timelines_have_the_posts_before_the_account_stops_being_pulled(
    settings: "Settings", redis: RedisClient
) -> None:
    account = Account(settings, redis, posts=2)
    writer = ObservedWriter(account)
    for post in account.posts:
        writer.add_to_author(post, public=True)
    with database.pool(settings) as pool:
        assert not Celebrities(pool, writer, THRESHOLD).pulled(account.author)
    everything = [{post.post_id for post in account.posts}] * len(account.followers)
    assert [pulled for pulled, _ in writer.observed] == [True] * 3 + [False] * 3
    assert all(timelines == everything for pulled, timelines in writer.observed if not pulled)


@pytest.mark.parametrize(("followers", "pulled"), [(9, True), (8, False), (10, True)])
def test_an_account_changes_only_beyond_the_gap_between_both_thresholds(
    settings: "Settings", redis: RedisClient, followers: int, pulled: bool
) -> None:
    account = Account(settings, redis, posts=1)
    with database.connect(settings) as connection:
        connection.execute("update users set follower_count = %s where id = %s", (followers, account.author))
    with database.pool(settings) as pool:
        celebrities = Celebrities(pool, TimelineWriter(redis, 100), THRESHOLD)
        assert celebrities.pulled(account.author) is pulled
        assert account.is_pulled() is pulled
        assert celebrities.pulled(account.author) is pulled


@pytest.mark.parametrize(("followers", "pulled"), [(9, False), (10, True)])
def test_an_account_becomes_a_celebrity_at_the_threshold(
    settings: "Settings", redis: RedisClient, followers: int, pulled: bool
) -> None:
    account = Account(settings, redis, posts=1)
    with database.connect(settings) as connection:
        connection.execute(
            "update users set pulled = false, follower_count = %s where id = %s", (followers, account.author)
        )
    with database.pool(settings) as pool:
        assert Celebrities(pool, TimelineWriter(redis, 100), THRESHOLD).pulled(account.author) is pulled
    assert account.is_pulled() is pulled
