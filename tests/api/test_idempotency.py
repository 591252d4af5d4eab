"""A POST with an Idempotency-Key is done once."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import REGISTRY

from photofeed.errors import RetryableError
from photofeed.ids import decode_id
from photofeed.redis_client import connect_redis
from tests.api.held_up import held_up
from tests.api.pictures import picture

if TYPE_CHECKING:
    from tests.api.conftest import App, Person


@pytest.fixture(scope="module")
def post(app: "App") -> str:
    post = app.person().upload(picture(90))
    app.work()
    return post


@pytest.fixture
def key() -> str:
    return uuid.uuid4().hex


def _send(person: "Person", path: str, key: str, body: Any = None) -> Any:
    return person.call("POST", path, json=body, headers={"Idempotency-Key": key})


def _same(first: Any, again: Any) -> bool:
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    return (first.status_code, first.content) == (again.status_code, again.content)


def _replays() -> float:
    return REGISTRY.get_sample_value("photofeed_idempotent_replays_total") or 0.0


def test_a_comment_sent_twice_is_written_once(app: "App", post: str, key: str) -> None:
    viewer, path, replays = app.person(), f"/v1/posts/{post}/comments", _replays()
    first, again = (_send(viewer, path, key, {"text": "Once"}) for _ in range(2))
    assert first.status_code == 201
    assert _same(first, again)
    assert _replays() == replays + 1
    mine = [one for one in viewer.get(path)["items"] if one["author"]["id"] == viewer.id]
    assert mine == [first.json()]


def test_every_call_that_creates_replays_its_first_reply(app: "App", post: str, key: str) -> None:
    viewer = app.person()
    for path, body in (
        ("/v1/photos/initiate", {"mediaType": "image/jpeg"}),
        (f"/v1/posts/{post}/share", None),
        (f"/v1/posts/{post}/report", None),
        ("/v1/events", {"events": [{"id": key, "type": "open", "postId": post}]}),
    ):
        first, again = (_send(viewer, path, key + path, body) for _ in range(2))
        assert _same(first, again), path
    new = {"handle": f"p{key[:12]}", "displayName": "Once"}
    first, again = (_send(app.service, "/v1/users", key, new) for _ in range(2))
    assert (first.status_code, _same(first, again)) == (201, True)
    ruling = {"decision": "approve", "reason": "fine"}
    moderator = app.moderator()
    first, again = (_send(moderator, f"/v1/moderation/{post}/decisions", key, ruling) for _ in range(2))
    assert (first.status_code, _same(first, again)) == (201, True)


def test_a_key_belongs_to_its_caller(app: "App", post: str, key: str) -> None:
    path = f"/v1/posts/{post}/comments"
    ids = {_send(app.person(), path, key, {"text": "Mine"}).json()["id"] for _ in range(3)}
    assert len(ids) == 3


def test_a_key_of_a_service_belongs_to_the_person_it_acts_for(app: "App", key: str) -> None:
    started = [
        app.service.call(
            "POST", "/v1/photos/initiate", headers={"Idempotency-Key": key, "Act-As": app.person().id}
        ).json()["photoId"]
        for _ in range(2)
    ]
    assert len(set(started)) == 2


@pytest.mark.parametrize("other", ["body", "path", "query"])
def test_a_key_of_another_call_is_refused(app: "App", post: str, key: str, other: str) -> None:
    viewer, path = app.person(), f"/v1/posts/{post}/comments"
    assert _send(viewer, path, key, {"text": "One"}).status_code == 201
    calls = {
        "body": (path, {"text": "Another"}),
        "path": (f"/v1/posts/{post}/share", {"text": "One"}),
        "query": (f"{path}?again=1", {"text": "One"}),
    }
    another, body = calls[other]
    reused = _send(viewer, another, key, body)
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")


def test_a_refused_call_leaves_its_key_free(app: "App", post: str, key: str) -> None:
    viewer, path = app.person(), f"/v1/posts/{post}/comments"
    assert _send(viewer, path, key, {"text": ""}).status_code == 422
    assert _send(viewer, path, key, {"text": "Now"}).status_code == 201


def test_a_call_that_failed_leaves_its_key_free(
    app: "App", post: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise RetryableError("no broker")

    viewer, body = app.person(), {"events": [{"id": key, "type": "open", "postId": post}]}
    with monkeypatch.context() as patched:
        patched.setattr(app.log.__class__, "publish", away)
        assert _send(viewer, "/v1/events", key, body).status_code == 503
    again = _send(viewer, "/v1/events", key, body)
    assert (again.status_code, again.json()["accepted"], "idempotency-replayed" in again.headers) == (202, 1, False)


def test_a_call_that_is_sent_while_the_first_runs_is_a_conflict(app: "App", post: str, key: str) -> None:
    viewer, path = app.person(), f"/v1/posts/{post}/comments"
    with held_up(app, b"select from posts where id = %s for update", decode_id(post)) as begin:
        running = begin(partial(_send, viewer, path, key, {"text": "Slow"}))
        second = _send(viewer, path, key, {"text": "Slow"})
        with connect_redis(app.settings) as client:  # the key of a server that was killed is free again soon
            (name,) = client.keys(f"idempotency:{viewer.id}:*")
            assert 0 < client.ttl(name) <= 60
    assert (second.status_code, second.json()["code"]) == (409, "idempotency_key_in_use")
    assert running.result().status_code == 201
    assert _same(running.result(), _send(viewer, path, key, {"text": "Slow"}))


def test_of_many_calls_at_once_one_is_done(app: "App", post: str, key: str) -> None:
    viewer, path = app.person(), f"/v1/posts/{post}/comments"
    with ThreadPoolExecutor(8) as hands:
        replies = list(hands.map(lambda _: _send(viewer, path, key, {"text": "Storm"}), range(16)))
    assert {reply.status_code for reply in replies} <= {201, 409}
    assert len({reply.json()["id"] for reply in replies if reply.status_code == 201}) == 1
    assert len([one for one in viewer.get(path)["items"] if one["author"]["id"] == viewer.id]) == 1


def test_replies_are_kept_for_a_day(app: "App", post: str, key: str) -> None:
    with connect_redis(app.settings) as client:
        before = set(client.keys("idempotency:*"))
        _send(app.person(), f"/v1/posts/{post}/share", key)
        (name,) = set(client.keys("idempotency:*")) - before
        assert 86_000 < client.ttl(name) <= 86_400


@pytest.mark.parametrize("bad", ["", "x" * 256])
def test_a_key_has_a_bounded_length(app: "App", post: str, bad: str) -> None:
    reply = _send(app.person(), f"/v1/posts/{post}/share", bad)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid")


def test_a_key_without_a_token_is_not_looked_up(app: "App", post: str, key: str) -> None:
    reply = app.http.post(f"/v1/posts/{post}/share", headers={"Idempotency-Key": key})
    assert reply.status_code == 401
