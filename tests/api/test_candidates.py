"""Candidates for a person, which a service ranks or mixes itself."""

import uuid
from typing import TYPE_CHECKING, Any

from photofeed import database
from photofeed.ids import decode_id, encode_id
from photofeed.redis_client import connect_redis
from photofeed.timelines import hidden_key
from tests.api.feed_world import FeedWorld

if TYPE_CHECKING:
    from tests.api.conftest import App


def _catalogue(app: "App", number: int, **content: Any) -> list[str]:
    names = [f"sku-{uuid.uuid4().hex}" for _ in range(number)]
    body = {"items": [{"externalId": name} | content for name in names]}
    assert app.service.call("PUT", "/v1/items", json=body).json()["created"] == number
    return names


def _like(app: "App", person: str, *items: str) -> None:
    events = [
        {"id": uuid.uuid4().hex, "type": "like", "actorExternalId": person, "itemExternalId": item} for item in items
    ]
    assert app.service.call("POST", "/v1/events", json={"events": events}).json()["accepted"] == len(items)


def _found(app: "App", person: dict[str, str], **more: Any) -> list[dict[str, Any]]:
    reply = app.service.call("POST", "/v1/candidates", json={"person": person, "limit": 1000} | more)
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["candidates"]
    return found


def test_items_are_found_by_topic_and_by_people_who_liked_the_same(app: "App") -> None:
    me, alike, topic = (f"u-{uuid.uuid4().hex}" for _ in range(3))
    liked, same_topic = _catalogue(app, 2, tags=[topic])
    theirs, of_a_stranger = _catalogue(app, 2)
    _like(app, me, liked)
    _like(app, alike, liked, theirs)
    _like(app, f"u-{uuid.uuid4().hex}", of_a_stranger)
    pools = {one["externalId"]: one["pool"] for one in _found(app, {"externalId": me})}
    assert pools[theirs] == "neighbours"
    assert pools[same_topic] == "topics"
    assert liked not in pools
    assert pools[of_a_stranger] in {"popular", "fresh"}


def test_popular_and_fresh_items_are_found_for_somebody_new(app: "App") -> None:
    popular, fresh = _catalogue(app, 2)
    _like(app, f"u-{uuid.uuid4().hex}", popular)
    found = _found(app, {"externalId": f"u-{uuid.uuid4().hex}"})
    assert {popular, fresh} <= {one["externalId"] for one in found}
    assert len({one["id"] for one in found}) == len(found)
    assert len(_found(app, {"externalId": "anybody"}, limit=1)) == 1


def test_what_must_not_be_shown_is_not_found(app: "App") -> None:
    me = f"u-{uuid.uuid4().hex}"
    (away,) = _catalogue(app, 1, available=False)
    (own,) = _catalogue(app, 1, creatorExternalId=me)
    (hidden,) = _catalogue(app, 1)
    named = f"sku-{uuid.uuid4().hex}"
    _like(app, f"u-{uuid.uuid4().hex}", named)  # added by an event, and not described yet
    ids = {one["externalId"]: one["id"] for one in _found(app, {"externalId": me})}
    with database.connect(app.settings) as connection, connect_redis(app.settings) as redis:
        row = connection.execute("select user_id from external_ids where external_id = %s", (me,)).fetchone()
        assert row is not None
        redis.sadd(hidden_key(row["user_id"]), decode_id(ids[hidden]))
    assert not {away, own, hidden} & {one["externalId"] for one in _found(app, {"externalId": me})}
    assert own not in ids
    assert named not in ids


def test_posts_are_those_of_a_feed(app: "App") -> None:
    world = FeedWorld(app.settings, seed=12)
    viewer, author = world.people(2)
    world.follow(viewer, [author])
    posts = world.posts([author], 3)
    world.deliver(posts, [viewer])
    found = {one["id"]: one["pool"] for one in _found(app, {"id": encode_id(viewer)}, kind="posts")}
    assert {found[encode_id(post.post_id)] for post in posts} == {"following"}


def test_wrong_calls_are_refused_by_name(app: "App") -> None:
    for body, code in (
        ({"person": {}}, "one_id"),
        ({"person": {"externalId": "a"}, "limit": 1001}, "invalid"),
        ({"person": {"externalId": "a"}, "kind": "people"}, "invalid"),
    ):
        reply = app.service.call("POST", "/v1/candidates", json=body)
        assert (reply.status_code, reply.json()["code"]) == (422, code)
    reply = app.service.call("POST", "/v1/candidates", json={"person": {"id": encode_id(1)}})
    assert (reply.status_code, reply.json()["code"]) == (404, "user_not_found")
