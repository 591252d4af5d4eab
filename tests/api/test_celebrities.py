"""Posts of an account that crosses the celebrity threshold, up or down, are all in its followers' feeds, once each."""

from typing import TYPE_CHECKING

import pytest

from photofeed import database
from photofeed.events import Envelope
from photofeed.ids import decode_id, uuid7
from photofeed.redis_client import connect_redis
from photofeed.timelines import FRESH_POOL, author_key, timeline_key
from photofeed.topics import PHOTO_PROCESSED
from tests.api.pictures import picture

if TYPE_CHECKING:
    from tests.api.conftest import App, Person

LINE = 3  # followers of a celebrity, in these tests


class Star:
    """An account with a changing number of followers, and a reader who always follows it."""

    def __init__(self, app: "App") -> None:
        self.app = app
        self.account, self.reader = app.person(), app.person()
        self.fans = [app.person() for _ in range(LINE)]
        self.posts: list[str] = []
        self.follow(self.reader)

    def follow(self, *fans: "Person") -> None:
        for fan in fans:
            fan.call("PUT", f"/v1/users/{self.account.id}/follow")
        self.app.work()

    def leave(self, *fans: "Person") -> None:
        for fan in fans:
            fan.call("DELETE", f"/v1/users/{self.account.id}/follow")
        self.app.work()

    def post(self, seed: int) -> None:
        self.posts.append(self.account.upload(picture(7000 + seed, (160, 120))))
        self.app.work()

    def sources(self) -> dict[str, str]:
        """The star's posts in the reader's feed; fails if one is repeated."""
        items = self.reader.get("/v1/feed?limit=100&explain=true")["explanation"]["candidates"]
        shown = [item for item in items if not item["outcome"].startswith("dropped")]
        mine = [item for item in shown if item["authorId"] == self.account.id]
        found = {item["postId"]: item["source"] for item in mine}
        assert len(found) == len(mine)
        return found


@pytest.fixture
def star(app: "App") -> Star:
    return Star(app)


def test_crossing_the_celebrity_threshold_in_both_directions_neither_loses_nor_repeats_a_post(star: Star) -> None:
    star.post(1)
    assert star.sources() == {star.posts[0]: "following"}
    star.follow(*star.fans[:2])  # at the line
    star.post(2)
    star.follow(star.fans[2])
    star.post(3)
    assert star.sources().keys() == set(star.posts)
    assert star.sources()[star.posts[2]] == "celebrity"
    star.leave(star.fans[2])
    star.post(4)
    assert star.sources().keys() == set(star.posts)
    star.leave(*star.fans[:2])
    assert star.sources() == dict.fromkeys(star.posts, "following")
    star.post(5)
    assert star.sources() == dict.fromkeys(star.posts, "following")


def test_a_former_celebrity_is_pulled_until_timelines_are_repaired(star: Star) -> None:
    star.follow(*star.fans)
    star.post(1)
    for fan in star.fans:
        fan.call("DELETE", f"/v1/users/{star.account.id}/follow")
    assert star.sources() == {star.posts[0]: "celebrity"}
    star.app.work()
    assert star.sources() == {star.posts[0]: "following"}


def test_a_new_follower_of_a_celebrity_keeps_its_posts_when_it_is_no_longer_one(star: Star) -> None:
    star.follow(*star.fans)
    star.post(1)
    late = star.app.person()
    star.follow(late)
    star.leave(*star.fans)
    star.reader = late
    assert star.sources() == {star.posts[0]: "following"}


def test_blocked_deleted_and_private_posts_leave_all_timelines(star: Star) -> None:
    star.post(1)
    star.post(2)
    author, reader = decode_id(star.account.id), decode_id(star.reader.id)
    with connect_redis(star.app.settings) as client, database.connect(star.app.settings) as connection:
        assert client.zcard(timeline_key(reader)) == 2
        star.account.call("DELETE", f"/v1/photos/{star.posts[0]}")
        star.app.work()
        assert client.zcard(timeline_key(reader)) == client.zcard(author_key(author)) == 1
        (post,) = client.zrange(author_key(author), 0, -1)
        assert client.zscore(FRESH_POOL, post) is not None
        assert star.account.call("PATCH", "/v1/me", json={"isPrivate": True}).json()["isPrivate"]
        star.app.work()
        assert client.zscore(FRESH_POOL, post) is None
        assert client.zcard(timeline_key(reader)) == 1
        star.account.call("PATCH", "/v1/me", json={"isPrivate": False})
        star.app.work()
        assert client.zscore(FRESH_POOL, post) is not None
        star.account.call("PUT", f"/v1/users/{star.reader.id}/block")
        star.app.work()
        assert client.zcard(timeline_key(reader)) == 0
        assert connection.execute("select 1 from follows where follower_id = %s", (reader,)).fetchone() is None
    assert star.sources() == {}


def test_a_graph_change_that_is_redelivered_late_changes_nothing(star: Star) -> None:
    star.post(1)
    author, reader = decode_id(star.account.id), decode_id(star.reader.id)
    fanout = star.app.workers[1].handler
    with connect_redis(star.app.settings) as client:
        (post,) = client.zrange(author_key(author), 0, -1)
        mine = decode_id(star.posts[0])
        star.leave(star.reader)
        fanout([Envelope("followed", star.reader.id, {"userId": reader, "followeeId": author})])
        assert client.zcard(timeline_key(reader)) == 0
        star.follow(star.reader)
        fanout([Envelope("unfollowed", star.reader.id, {"userId": reader, "followeeId": author})])
        assert client.zrange(timeline_key(reader), 0, -1) == [post]
        star.account.call("PATCH", "/v1/me", json={"isPrivate": True})
        star.app.work()
        processed = star.app.log.consumer(uuid7(), (PHOTO_PROCESSED,)).poll(1_000_000, 0)
        shown = [one for one in map(Envelope.decode, (message.value for message in processed)) if one.key == str(mine)]
        fanout([Envelope("made_public", star.account.id, {"userId": author}), *shown])
        assert client.zscore(FRESH_POOL, post) is None
