"""Is there anything new? Asked before a feed is loaded again."""

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from photofeed.ids import encode_id
from photofeed.timelines import connect_redis
from photofeed.tokens import mint_token
from tests.api.conftest import Person
from tests.api.feed_world import FeedWorld

if TYPE_CHECKING:
    from tests.api.conftest import App


class Reader:
    """Somebody who follows three accounts with four posts each."""

    def __init__(self, app: "App") -> None:
        self.world = FeedWorld(app.settings)
        self.id, *self.followed = self.world.people(4)
        self.world.follow(self.id, self.followed)
        self.world.deliver(self.world.posts(self.followed, 4), [self.id])
        headers = {"Authorization": f"Bearer {mint_token(app.settings, self.id)}"}
        self.person = Person(encode_id(self.id), "", app.http, headers)

    def post(self, age: timedelta) -> None:
        self.world.deliver(self.world.posts(self.followed[:1], age=age), [self.id])

    def first(self, tag: str | None = None) -> Any:
        return self.person.call("GET", "/v1/feed?limit=5", headers={"If-None-Match": tag} if tag else {})

    def new(self, slate: str) -> Any:
        return self.person.get("/v1/feed/new", params={"slateId": slate})["newPosts"]


@pytest.fixture
def reader(app: "App") -> Reader:
    return Reader(app)


def test_nothing_new_is_said_without_a_body_until_somebody_posts(reader: Reader) -> None:
    first = reader.first()
    again = reader.first(first.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert reader.new(first.json()["slateId"]) == 0
    reader.post(timedelta(0))
    reader.post(timedelta(minutes=61, seconds=30))  # among the others in time, but delivered only now
    assert reader.new(first.json()["slateId"]) == 2
    fresh = reader.first(first.headers["ETag"])
    assert fresh.status_code == 200
    assert fresh.headers["ETag"] != first.headers["ETag"]


def test_the_slate_of_somebody_else_or_of_nobody_is_too_old(reader: Reader, app: "App") -> None:
    slate = reader.first().json()["slateId"]
    other = Reader(app)
    for asked in (slate, str(uuid.uuid4())):
        refusal = other.person.call("GET", "/v1/feed/new", params={"slateId": asked})
        assert (refusal.status_code, refusal.json()["code"]) == (422, "cursor_expired")
        assert other.first(f'W/"{asked}"').status_code == 200
    assert other.person.call("GET", "/v1/feed/new?slateId=none").json()["code"] == "invalid"


@pytest.mark.parametrize("tag", ["*", '"none"', 'W/"', "x" * 200])
def test_a_tag_that_is_not_ours_gets_the_feed(reader: Reader, tag: str) -> None:
    assert reader.first(tag).status_code == 200


def test_a_slate_that_is_scrolled_through_is_kept_on(app: "App") -> None:
    reader = Reader(app).person
    page = reader.get("/v1/feed?limit=2")
    with connect_redis(app.settings) as client:
        keys = client.keys(f"*{page['slateId']}")
        assert len(keys) == 2  # the slate, and what was new when it was decided
        for key in keys:
            client.expire(key, 30)
        assert reader.get("/v1/feed?limit=2&cursor=" + page["nextCursor"])["items"]
        assert min(map(client.ttl, keys)) > 30
