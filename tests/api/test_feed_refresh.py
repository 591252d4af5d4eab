"""The check for new posts, before a feed is loaded again."""

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from photofeed import database
from photofeed.ids import decode_id, encode_id
from photofeed.redis_client import connect_redis
from photofeed.tokens import mint_token
from tests.api.conftest import Person
from tests.api.feed_world import FeedWorld

if TYPE_CHECKING:
    from tests.api.conftest import App


class Reader:
    """A viewer who follows three accounts with four posts each."""

    def __init__(self, app: "App") -> None:
        self.world = FeedWorld(app.settings)
        self.id, *self.followed = self.world.people(4)
        self.world.follow(self.id, self.followed)
        self.world.deliver(self.world.posts(self.followed, 4), [self.id])
        headers = {"Authorization": f"Bearer {mint_token(app.settings, self.id)}"}
        self.person = Person(encode_id(self.id), "", app.http, headers)

    def post(self, age: timedelta, by: int | None = None) -> None:
        self.world.deliver(self.world.posts([by or self.followed[0]], age=age), [self.id])

    def first(self, tag: str | None = None, limit: int = 5) -> Any:
        headers = {"If-None-Match": tag} if tag else {}
        return self.person.call("GET", "/v1/feed", params={"limit": limit}, headers=headers)

    def new(self, slate: str) -> Any:
        return self.person.get("/v1/feed/new", params={"slateId": slate})["newPosts"]


@pytest.fixture
def reader(app: "App") -> Reader:
    return Reader(app)


def test_without_new_posts_the_reply_is_304(reader: Reader) -> None:
    first = reader.first()
    again = reader.first(first.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert {reply.headers["Cache-Control"] for reply in (first, again)} == {"private, no-store"}
    assert reader.new(first.json()["slateId"]) == 0
    reader.post(timedelta(0))
    reader.post(timedelta(minutes=61, seconds=30))  # older than some of the slate, and delivered only now
    assert reader.new(first.json()["slateId"]) == 2
    fresh = reader.first(first.headers["ETag"])
    assert fresh.status_code == 200
    assert fresh.headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize("link", ["mute", "block"])
def test_posts_of_people_who_were_muted_or_blocked_are_not_new(reader: Reader, link: str) -> None:
    muted, other = reader.followed[:2]
    slate = reader.first().json()["slateId"]
    assert reader.person.call("PUT", f"/v1/users/{encode_id(muted)}/{link}").status_code == 204
    reader.post(timedelta(0), by=muted)
    assert reader.new(slate) == 0
    reader.post(timedelta(0), by=other)
    assert reader.new(slate) == 1


def test_another_viewers_slate_and_an_unknown_slate_count_as_expired(reader: Reader, app: "App") -> None:
    slate = reader.first().json()["slateId"]
    other = Reader(app)
    for asked in (slate, str(uuid.uuid4())):
        refusal = other.person.call("GET", "/v1/feed/new", params={"slateId": asked})
        assert (refusal.status_code, refusal.json()["code"]) == (422, "cursor_expired")
        assert other.first(f'W/"{asked}.5.0123456789ab"').status_code == 200
    assert other.person.call("GET", "/v1/feed/new?slateId=none").json()["code"] == "invalid"


def test_the_tag_of_another_viewer_gets_a_new_feed(reader: Reader, app: "App") -> None:
    assert Reader(app).first(reader.first().headers["ETag"]).status_code == 200


def test_a_tag_is_for_the_number_of_posts_that_was_asked_for(reader: Reader) -> None:
    five, all_ = reader.first(), reader.first(limit=30)
    assert reader.first(five.headers["ETag"], limit=30).status_code == 200
    assert reader.first(all_.headers["ETag"]).status_code == 200
    both = f'{all_.headers["ETag"]}, "other", {five.headers["ETag"]}'
    for limit, tag in ((5, five.headers["ETag"]), (30, all_.headers["ETag"])):
        known = reader.first(both, limit=limit)
        assert (known.status_code, known.headers["ETag"]) == (304, tag)


def test_a_304_never_stands_for_a_post_that_is_gone(reader: Reader, app: "App") -> None:
    def shown(first: Any) -> dict[str, str]:
        return {item["post"]["id"]: item["post"]["author"]["id"] for item in first.json()["items"]}

    first = reader.first()
    kept = reader.first(first.headers["ETag"])
    assert kept.status_code == 304
    with database.connect(app.settings) as connection:
        connection.execute("delete from photos where id = %s", (decode_id(next(iter(shown(first)))),))
    fresh = reader.first(first.headers["ETag"])
    assert fresh.status_code == 200
    assert next(iter(shown(first))) not in shown(fresh)
    author = next(iter(shown(fresh).values()))
    assert reader.person.call("PUT", f"/v1/users/{author}/mute").status_code == 204
    muted = reader.first(fresh.headers["ETag"])
    assert muted.status_code == 200
    assert author not in shown(muted).values()
    assert reader.first(muted.headers["ETag"]).status_code == 304


def _by_event(kind: str, post: str) -> tuple[str, str, Any]:
    return "POST", "/v1/events", {"events": [{"id": uuid.uuid4().hex, "type": kind, "postId": post}]}


@pytest.mark.parametrize(
    "turn_away",
    [
        lambda post: ("PUT", f"/v1/posts/{post}/hide", None),
        lambda post: ("POST", f"/v1/posts/{post}/report", {"reason": "spam"}),
        lambda post: _by_event("hide", post),
        lambda post: _by_event("report", post),
    ],
)
def test_a_post_that_was_hidden_or_reported_is_shown_no_more(reader: Reader, turn_away: Any) -> None:
    """Also before the features worker has counted it, and on pages of a slate that was ranked before."""
    loaded, whole = reader.first(), reader.first(limit=9)
    first, beyond = ([item["post"]["id"] for item in reply.json()["items"]] for reply in (loaded, whole))
    assert reader.first(loaded.headers["ETag"]).status_code == 304
    for post in (first[0], next(post for post in beyond if post not in first)):
        method, path, body = turn_away(post)
        assert reader.person.call(method, path, json=body).is_success
        rest = reader.person.get("/v1/feed", params={"limit": 100, "cursor": loaded.json()["nextCursor"]})
        again = reader.first(loaded.headers["ETag"], limit=5)
        assert again.status_code == 200
        for items in (again.json()["items"], reader.first(limit=100).json()["items"], rest["items"]):
            assert items
            assert post not in {item["post"]["id"] for item in items}


@pytest.mark.parametrize(
    "change",
    [
        [("DELETE", "follow")],
        [("PUT", "follow")],
        [("DELETE", "follow"), ("PUT", "follow")],
        [("PUT", "mute")],
        [("PUT", "block")],
    ],
)
def test_a_304_never_outlives_a_relation_of_the_viewer(app: "App", change: list[tuple[str, str]]) -> None:
    reader = Reader(app)
    (stranger,) = reader.world.people(1)
    about = encode_id(reader.followed[0] if ("DELETE", "follow") in change else stranger)
    first = reader.first()
    assert reader.first(first.headers["ETag"]).status_code == 304
    for method, relation in change:
        assert reader.person.call(method, f"/v1/users/{about}/{relation}").status_code == 204
    assert reader.first(first.headers["ETag"]).status_code == 200


def test_a_block_by_somebody_ends_a_304(app: "App") -> None:
    reader = Reader(app)
    first = reader.first()
    author = Person(encode_id(reader.followed[0]), "", app.http, {})
    author.headers["Authorization"] = f"Bearer {mint_token(app.settings, reader.followed[0])}"
    assert author.call("PUT", f"/v1/users/{encode_id(reader.id)}/block").status_code == 204
    assert reader.first(first.headers["ETag"]).status_code == 200


@pytest.mark.parametrize("tag", ["*", '"none"', 'W/"', "x" * 200])
def test_an_unknown_etag_gets_a_new_feed(reader: Reader, tag: str) -> None:
    assert reader.first(tag).status_code == 200


def test_requesting_a_page_extends_the_expiry_of_its_slate(app: "App") -> None:
    reader = Reader(app).person
    page = reader.get("/v1/feed?limit=2")
    with connect_redis(app.settings) as client:
        keys = client.keys(f"*{page['slateId']}")
        assert len(keys) == 2  # the slate, and the newest posts at its ranking
        for key in keys:
            client.expire(key, 30)
        assert reader.get("/v1/feed?limit=2&cursor=" + page["nextCursor"])["items"]
        assert min(map(client.ttl, keys)) > 30
