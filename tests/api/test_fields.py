"""Values that PostgreSQL cannot store are refused with the field's name, never with a 500."""

from typing import TYPE_CHECKING, Any

import pytest

from photofeed.ids import encode_id
from tests.api.pictures import picture

if TYPE_CHECKING:
    from tests.api.conftest import App

NUL = "a\0b"
BEYOND = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]


def _is_refused(reply: Any, field: str) -> None:
    assert reply.status_code == 422, reply.text
    assert reply.json()["errors"][0]["field"].endswith(field)


def test_a_nul_character_is_refused_in_every_text_field(app: "App") -> None:
    person, moderator = app.person(), app.moderator()
    photo = person.upload(picture(90, (160, 120)))
    app.work()
    texts: list[tuple[str, str, str, dict[str, Any]]] = [
        ("GET", "/v1/search", "q", {"params": {"q": NUL}}),
        ("POST", f"/v1/posts/{photo}/comments", "text", {"json": {"text": NUL}}),
        ("POST", f"/v1/photos/{photo}/complete", "caption", {"json": {"caption": NUL}}),
        ("POST", f"/v1/photos/{photo}/complete", "tags.0", {"json": {"tags": [NUL]}}),
        ("PUT", f"/v1/posts/{photo}/like", "slateId", {"json": {"slateId": NUL}}),
    ]
    for method, path, field, sent in texts:
        _is_refused(person.call(method, path, **sent), field)
    for field in ("id", "slateId", "source", "text"):
        event = {"id": "12345678", "type": "comment", "postId": photo} | {field: NUL + "c" * 8}
        _is_refused(person.call("POST", "/v1/events", json={"events": [event]}), f"events.0.{field}")
    ruling = {"decision": "approve", "reason": NUL}
    _is_refused(moderator.call("POST", f"/v1/moderation/{photo}/decisions", json=ruling), "reason")
    _is_refused(app.service.call("POST", "/v1/users", json={"handle": "nul", "displayName": NUL}), "displayName")


def test_an_empty_or_too_long_text_is_refused_with_the_limit(app: "App") -> None:
    person = app.person()
    for text, said in ((" \n", "at least 1 character"), ("x" * 2201, "at most 2200 characters")):
        reply = person.call("POST", f"/v1/posts/{encode_id(1)}/comments", json={"text": text})
        assert said in reply.json()["detail"]


@pytest.mark.parametrize("moment", BEYOND)
def test_moments_beyond_the_calendar_refuse_the_batch(app: "App", moment: str) -> None:
    event = {"id": "12345678", "type": "open", "occurredAt": moment}
    _is_refused(app.person().call("POST", "/v1/events", json={"events": [event]}), "events.0.occurredAt")


def _dated(app: "App", moment: str) -> list[Any]:
    """A person and a photo, created at this moment."""
    user = {"handle": "dated", "displayName": "Dated", "createdAt": moment}
    headers = {"Act-As": app.person().id}
    return [
        app.service.call("POST", "/v1/users", json=user),
        app.service.call("POST", "/v1/photos/initiate", json={"createdAt": moment}, headers=headers),
    ]


@pytest.mark.parametrize("moment", [*BEYOND, "2026-01-01T00:00:00"])
def test_a_creation_time_that_is_no_moment_is_refused(app: "App", moment: str) -> None:
    for reply in _dated(app, moment):
        _is_refused(reply, "createdAt")


@pytest.mark.parametrize("moment", ["1999-01-01T00:00:00Z", "2400-01-01T00:00:00Z"])
def test_a_creation_time_that_ids_cannot_encode_is_refused(app: "App", moment: str) -> None:
    for reply in _dated(app, moment):
        assert (reply.status_code, reply.json()["code"]) == (422, "creation_time")


@pytest.mark.parametrize("value", [True, "7", 1.5])
@pytest.mark.parametrize("field", ["dwellMs", "position"])
def test_numbers_are_neither_booleans_nor_texts(app: "App", field: str, value: object) -> None:
    event = {"id": "12345678", "type": "dwell", "postId": encode_id(1), field: value}
    _is_refused(app.person().call("POST", "/v1/events", json={"events": [event]}), f"events.0.{field}")


@pytest.mark.parametrize("value", [0, True, "yesterday"])
def test_times_are_texts(app: "App", value: object) -> None:
    event = {"id": "12345678", "type": "open", "postId": encode_id(1), "occurredAt": value}
    _is_refused(app.person().call("POST", "/v1/events", json={"events": [event]}), "events.0.occurredAt")


@pytest.mark.parametrize("value", [1, "true", "yes"])
@pytest.mark.parametrize("field", ["isPrivate", "keepPlaces"])
def test_booleans_are_neither_numbers_nor_texts(app: "App", field: str, value: object) -> None:
    _is_refused(app.person().call("PATCH", "/v1/me", json={field: value}), field)
