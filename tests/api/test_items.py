"""Items and people by the ids of another system: described in bulk, named in events, and on no page."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from photofeed import database, topics
from photofeed.erasures import request_statements
from photofeed.events import Envelope
from photofeed.ids import decode_id, encode_id
from photofeed.tokens import mint_token

if TYPE_CHECKING:
    from tests.api.conftest import App


def _new_id() -> str:
    return f"sku-{uuid.uuid4().hex}"


def _put(app: "App", *items: dict[str, Any]) -> dict[str, Any]:
    reply = app.service.call("PUT", "/v1/items", json={"items": list(items)})
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


def _send(app: "App", *events: dict[str, Any]) -> dict[str, Any]:
    body = {"events": [{"id": uuid.uuid4().hex, "actorExternalId": "reader"} | event for event in events]}
    reply = app.service.call("POST", "/v1/events", json=body)
    assert reply.status_code == 202, reply.text
    outcome: dict[str, Any] = reply.json()
    return outcome


def _row(app: "App", external_id: str) -> dict[str, Any]:
    query = "select p.*, e.available from external_ids e join posts p on p.id = e.post_id where e.external_id = %s"
    with database.connect(app.settings) as connection:
        row = connection.execute(query, (external_id,)).fetchone()
    assert row is not None
    return row


def _person(app: "App", external_id: str) -> int:
    with database.connect(app.settings) as connection:
        row = connection.execute(
            "select user_id from external_ids where kind = 'person' and external_id = %s", (external_id,)
        ).fetchone()
    assert row is not None
    return int(row["user_id"])


def _recorded(app: "App", post: int) -> list[dict[str, Any]]:
    """The engagement events about a post."""
    app.work()
    consumer = app.log.consumer(uuid.uuid4().hex, (topics.ENGAGEMENT,))
    events = [event for one in consumer.poll(1_000_000, 0) for event in Envelope.decode(one.value).payload["events"]]
    return [event for event in events if event.get("postId") == post]


def test_items_are_added_changed_and_left_alone(app: "App") -> None:
    one, other = _new_id(), _new_id()
    created = datetime.now(UTC) - timedelta(days=3)
    content = {"externalId": one, "title": "A red chair", "tags": ["Chairs", "red"], "createdAt": created.isoformat()}
    assert _put(app, content, {"externalId": other}) == {"created": 2, "updated": 0, "unchanged": 0, "refused": []}
    assert _put(app, content, {"externalId": other}) == {"created": 0, "updated": 0, "unchanged": 2, "refused": []}
    before = _row(app, one)
    assert (before["caption"], before["topic"], before["posted_at"]) == ("A red chair", "chairs", created)
    changed = _put(app, content | {"title": "A blue chair"}, {"externalId": other, "available": False})
    assert changed == {"created": 0, "updated": 2, "unchanged": 0, "refused": []}
    after = _row(app, one)
    assert (after["id"], after["caption"], after["posted_at"]) == (before["id"], "A blue chair", created)
    assert not _row(app, other)["available"]


def test_only_items_that_changed_are_announced(app: "App") -> None:
    name = _new_id()
    for title in ("first", "first", "second"):
        _put(app, {"externalId": name, "title": title})
    app.work()
    item = _row(app, name)["id"]
    consumer = app.log.consumer(uuid.uuid4().hex, (topics.PHOTO_PROCESSED,))
    messages = [Envelope.decode(one.value) for one in consumer.poll(1_000_000, 0)]
    of_item = [one for one in messages if one.key == str(item)]
    assert [one.type for one in of_item] == ["item.described"] * 2
    assert [one.payload["captionLength"] for one in of_item] == [len("first"), len("second")]


def test_refused_items_are_named_with_the_reason_and_the_others_are_stored(app: "App") -> None:
    good, twice, early = _new_id(), _new_id(), _new_id()
    outcome = _put(
        app,
        {"externalId": good},
        {"externalId": twice},
        {"externalId": twice, "title": "again"},
        {"externalId": early, "createdAt": "2019-12-31T23:59:59Z"},
    )
    assert outcome["created"] == 2
    assert [(one["index"], one["externalId"], one["code"]) for one in outcome["refused"]] == [
        (2, twice, "duplicate"),
        (3, early, "creation_time"),
    ]
    assert _row(app, twice)["caption"] == ""


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([], "items: must have at least 1 items"),
        ([{"externalId": f"i{number}"} for number in range(501)], "items: must have at most 500 items"),
        ([{"externalId": ""}], "externalId"),
        ([{"externalId": "x" * 201}], "externalId"),
        ([{"externalId": "a\0b"}], "externalId"),
        ([{"externalId": "x", "price": 3}], "price"),
    ],
)
def test_wrong_calls_are_refused_by_the_name_of_the_field(app: "App", items: list[Any], said: str) -> None:
    reply = app.service.call("PUT", "/v1/items", json={"items": items})
    assert reply.status_code == 422
    assert said in str(reply.json())


def test_events_name_people_and_items_by_external_ids_and_both_are_added_at_first_use(app: "App") -> None:
    item, reader = _new_id(), _new_id()
    like = {"type": "like", "itemExternalId": item, "actorExternalId": reader}
    assert _send(app, like, {"type": "open", "itemExternalId": item, "actorExternalId": reader}) == {
        "accepted": 2,
        "unchanged": 0,
        "refused": [],
    }
    assert _send(app, like)["unchanged"] == 1
    row, person = _row(app, item), _person(app, reader)
    assert row["like_count"] == 1
    events = _recorded(app, row["id"])
    assert sorted(one["action"] for one in events) == ["like", "open"]
    assert {one["userId"] for one in events} == {person}
    assert {one["creatorId"] for one in events} == {row["id"]}, "an item without a creator is its own"
    assert {one["contentType"] for one in events} == {"item"}
    assert _put(app, {"externalId": item, "title": "now described"})["created"] == 1
    assert _row(app, item)["id"] == row["id"]


def test_events_about_an_item_count_for_its_creator_and_notify_nobody(app: "App") -> None:
    item, creator = _new_id(), _new_id()
    _put(app, {"externalId": item, "creatorExternalId": creator})
    _send(app, {"type": "like", "itemExternalId": item}, {"type": "follow", "personExternalId": creator})
    row, person = _row(app, item), _person(app, creator)
    assert row["author_id"] == person
    assert {one["creatorId"] for one in _recorded(app, row["id"])} == {person}
    with database.connect(app.settings) as connection:
        told = connection.execute("select kind from notifications where user_id = %s", (person,)).fetchall()
    assert [one["kind"] for one in told] == ["follow"]


def test_concurrent_calls_agree_on_the_person_and_item_of_a_name(app: "App") -> None:
    reader, item = _new_id(), _new_id()
    event = {"type": "open", "itemExternalId": item, "actorExternalId": reader}
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda _: _send(app, event), range(8)))
    assert [one["accepted"] for one in outcomes] == [1] * 8
    assert {one["userId"] for one in _recorded(app, _row(app, item)["id"])} == {_person(app, reader)}


def test_names_that_cannot_be_right_are_refused_and_the_others_count(app: "App") -> None:
    item = _new_id()
    outcome = _send(
        app,
        {"type": "open", "itemExternalId": item},
        {"type": "open", "itemExternalId": item, "postId": "0" * 11},
        {"type": "open"},
    )
    assert outcome["accepted"] == 1
    assert [(one["index"], one["code"]) for one in outcome["refused"]] == [(1, "two_ids"), (2, "post_not_found")]
    person = app.person()
    body = {"events": [{"id": uuid.uuid4().hex, "type": "open", "itemExternalId": item}]}
    refused = person.call("POST", "/v1/events", json=body).json()["refused"]
    assert [one["code"] for one in refused] == ["external_id_forbidden"]


def test_no_page_of_people_shows_an_item(app: "App") -> None:
    item, creator, word = _new_id(), _new_id(), f"w{uuid.uuid4().hex}"
    _put(app, {"externalId": item, "title": word, "tags": [word], "creatorExternalId": creator})
    app.work()
    _send(app, {"type": "like", "itemExternalId": item})
    row, person, viewer = _row(app, item), _person(app, creator), app.person()
    profile = viewer.get(f"/v1/users/{encode_id(person)}")
    assert profile["postCount"] == 0
    assert viewer.get(f"/v1/users/{encode_id(person)}/posts")["items"] == []
    assert viewer.get(f"/v1/search?q={word}")["items"] == []
    assert viewer.get(f"/v1/tags/{word}/posts")["items"] == []
    assert viewer.call("GET", f"/v1/posts/{encode_id(row['id'])}").status_code == 404
    assert viewer.call("PUT", f"/v1/posts/{encode_id(row['id'])}/like").status_code == 404
    assert viewer.call("GET", f"/v1/photos/{encode_id(row['id'])}").status_code == 404
    reader = {"Authorization": f"Bearer {mint_token(app.settings, _person(app, 'reader'))}"}
    liked = app.http.get("/v1/me/likes", headers=reader).json()["items"]
    assert encode_id(row["id"]) not in {one["id"] for one in liked}
    assert app.http.get("/v1/feed", headers=reader).status_code == 200


def test_a_hidden_item_is_a_dislike_that_does_not_break_feeds(app: "App") -> None:
    item, reader = _new_id(), _new_id()
    _send(app, {"type": "hide", "itemExternalId": item, "actorExternalId": reader})
    headers = {"Authorization": f"Bearer {mint_token(app.settings, _person(app, reader))}"}
    assert app.http.get("/v1/feed", headers=headers).status_code == 200


def test_items_stay_without_their_creator_who_deleted_the_account(app: "App") -> None:
    item, creator = _new_id(), _new_id()
    _put(app, {"externalId": item, "title": "stays", "creatorExternalId": creator})
    person = _person(app, creator)
    with database.connect(app.settings) as connection, connection.transaction():
        for statement, values in request_statements(person):
            connection.execute(statement, values)
    row = _row(app, item)
    assert (row["author_id"], row["caption"]) == (None, "stays")
    outcome = _put(app, {"externalId": item, "creatorExternalId": creator})
    assert [one["code"] for one in outcome["refused"]] == ["creator_erased"]
    sent = _send(app, {"type": "open", "itemExternalId": item, "actorExternalId": creator})
    assert [one["code"] for one in sent["refused"]] == ["actor_not_found"]


def test_a_person_can_be_added_with_an_external_id_of_their_own(app: "App") -> None:
    name = _new_id()
    person = app.person(externalId=name)
    assert _person(app, name) == decode_id(person.id)
    body = {"handle": f"p{uuid.uuid4().hex[:12]}", "displayName": "Other", "externalId": name}
    taken = app.service.call("POST", "/v1/users", json=body)
    assert (taken.status_code, taken.json()["code"]) == (409, "external_id_taken")
