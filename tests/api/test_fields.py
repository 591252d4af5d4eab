"""What a type lets through and no database holds is a problem with the field's name, never a 500."""

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


def test_a_nul_character_is_refused_wherever_there_is_text(app: "App") -> None:
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


def test_a_text_that_is_empty_or_too_long_is_told_so_in_characters(app: "App") -> None:
    person = app.person()
    for text, said in ((" \n", "at least 1 character"), ("x" * 2201, "at most 2200 characters")):
        reply = person.call("POST", f"/v1/posts/{encode_id(1)}/comments", json={"text": text})
        assert said in reply.json()["detail"]


@pytest.mark.parametrize("moment", BEYOND)
def test_moments_beyond_the_calendar_refuse_the_batch(app: "App", moment: str) -> None:
    event = {"id": "12345678", "type": "open", "occurredAt": moment}
    _is_refused(app.person().call("POST", "/v1/events", json={"events": [event]}), "events.0.occurredAt")


@pytest.mark.parametrize(
    "moment",
    [*BEYOND, "1999-01-01T00:00:00Z", "2026-01-01T00:00:00", "2400-01-01T00:00:00Z"],
)
def test_nothing_is_dated_to_where_ids_cannot_sort_it(app: "App", moment: str) -> None:
    body = {"handle": "dated", "displayName": "Dated", "createdAt": moment}
    _is_refused(app.service.call("POST", "/v1/users", json=body), "createdAt")
    headers = {"Act-As": app.person().id}
    reply = app.service.call("POST", "/v1/photos/initiate", json={"createdAt": moment}, headers=headers)
    _is_refused(reply, "createdAt")
