"""Calls about what is deleted meanwhile, or by people who do not exist, get a 404 and never a 500."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from photofeed.ids import decode_id
from photofeed.tokens import mint_token
from tests.api.held_up import held_up
from tests.api.pictures import picture

if TYPE_CHECKING:
    from tests.api.conftest import App

DELETE_PHOTO = b"delete from photos where id = %s"
ABOUT_A_POST = [
    ("PUT", "like", None),
    ("DELETE", "like", None),
    ("PUT", "save", None),
    ("DELETE", "save", None),
    ("POST", "comments", {"text": "Gone?"}),
    ("POST", "report", None),
]


@pytest.mark.parametrize(("method", "name", "body"), ABOUT_A_POST)
def test_an_action_on_a_post_that_is_being_deleted_is_a_404(
    app: "App", method: str, name: str, body: dict[str, str] | None
) -> None:
    author, viewer = app.person(), app.person()
    post = author.upload(picture(70))
    app.work()
    path = f"/v1/posts/{post}/{name}"
    if method == "DELETE":
        assert viewer.call("PUT", path).status_code == 200
    with held_up(app, DELETE_PHOTO, decode_id(post), commit=True) as begin:
        acted = begin(partial(viewer.call, method, path, **({"json": body} if body else {})))
    assert (acted.result().status_code, acted.result().json()["code"]) == (404, "post_not_found")


def test_a_batch_about_a_post_that_is_being_deleted_keeps_its_other_events(app: "App") -> None:
    author, viewer = app.person(), app.person()
    gone, kept = author.upload(picture(71)), author.upload(picture(72))
    app.work()
    likes = {"events": [{"id": f"like-{post}", "type": "like", "postId": post} for post in (gone, kept)]}
    with held_up(app, DELETE_PHOTO, decode_id(gone), commit=True) as begin:
        told = begin(partial(viewer.call, "POST", "/v1/events", json=likes))
    outcome = told.result().json()
    assert (told.result().status_code, outcome["accepted"]) == (202, 1)
    assert [refused["code"] for refused in outcome["refused"]] == ["post_not_found"]


@pytest.mark.parametrize(
    ("deletion", "method", "path"),
    [
        (b"delete from comments where id = %s", "POST", "/v1/posts/{post}/comments/{gone}/report"),
        (b"delete from users where id = %s", "POST", "/v1/users/{gone}/report"),
        (b"delete from users where id = %s", "PUT", "/v1/users/{gone}/block"),
    ],
)
def test_what_is_deleted_while_it_is_reported_or_blocked_is_a_404(
    app: "App", written: dict[str, str], deletion: bytes, method: str, path: str
) -> None:
    person, viewer = app.person(), app.person()
    gone = person.id
    if b"comments" in deletion:
        gone = person.call("POST", f"/v1/posts/{written['post']}/comments", json={"text": "Gone?"}).json()["id"]
    with held_up(app, deletion, decode_id(gone), commit=True) as begin:
        acted = begin(viewer.call, method, path.format(post=written["post"], gone=gone))
    reply = acted.result()
    assert (reply.status_code, reply.headers["content-type"]) == (404, "application/problem+json")


WRITES = [
    ("PUT", "/v1/posts/{post}/like", None),
    ("PUT", "/v1/posts/{post}/save", None),
    ("POST", "/v1/posts/{post}/comments", {"text": "Hello"}),
    ("POST", "/v1/posts/{post}/share", None),
    ("POST", "/v1/posts/{post}/report", None),
    ("PUT", "/v1/users/{author}/follow", None),
    ("DELETE", "/v1/users/{author}/follow", None),
    ("PUT", "/v1/users/{author}/block", None),
    ("DELETE", "/v1/users/{author}/block", None),
    ("PUT", "/v1/users/{author}/mute", None),
    ("DELETE", "/v1/users/{author}/mute", None),
    ("PUT", "/v1/me/follow-requests/{author}", None),
    ("DELETE", "/v1/me/followers/{author}", None),
    ("PATCH", "/v1/me", {"isPrivate": True}),
    ("POST", "/v1/photos/initiate", None),
]


@pytest.fixture(scope="module")
def written(app: "App") -> dict[str, str]:
    author = app.person()
    post = author.upload(picture(73))
    app.work()
    return {"author": author.id, "post": post}


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_a_write_by_somebody_who_has_no_account_is_a_404(
    app: "App", written: dict[str, str], method: str, path: str, body: dict[str, object] | None
) -> None:
    headers = {"Authorization": f"Bearer {mint_token(app.settings, 12345)}"}
    reply = app.http.request(method, path.format(**written), headers=headers, json=body)
    assert reply.status_code == 404, reply.text
    assert reply.json()["code"] in ("actor_not_found", "user_not_found", "request_not_found")


def test_a_comment_is_answered_with_itself_among_others_of_the_same_person(app: "App", written: dict[str, str]) -> None:
    viewer, path = app.person(), f"/v1/posts/{written['post']}/comments"
    texts = [f"number {number}" for number in range(24)]
    with ThreadPoolExecutor(8) as hands:
        replies = list(hands.map(lambda text: viewer.call("POST", path, json={"text": text}).json(), texts))
    assert [reply["text"] for reply in replies] == texts
    assert len({reply["id"] for reply in replies}) == len(texts)
