"""Profile pictures: photos that are no posts, shown everywhere once they are ready, and gone when replaced."""

from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from photofeed import topics
from photofeed.events import Envelope
from photofeed.ids import decode_id
from tests.api.pictures import picture

if TYPE_CHECKING:
    from tests.api.conftest import App, Person


def _upload(person: "Person", data: bytes) -> str:
    ticket = person.call("POST", "/v1/photos/initiate", json={"purpose": "avatar"}).json()
    assert httpx2.put(ticket["uploadUrl"], content=data).status_code == 200
    assert person.call("POST", f"/v1/photos/{ticket['photoId']}/complete").status_code == 202
    photo_id: str = ticket["photoId"]
    return photo_id


def _set(person: "Person", photo_id: str) -> Any:
    return person.call("PUT", "/v1/me/avatar", json={"photoId": photo_id})


def _avatar(app: "App", person: "Person", seed: int) -> str:
    photo_id = _upload(person, picture(seed, (640, 480)))
    app.work()
    assert _set(person, photo_id).status_code == 200
    return photo_id


def _path(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def _removals(app: "App", photo_id: str) -> list[str]:
    consumer = app.log.consumer(f"avatars of {photo_id}", (topics.PHOTO_PROCESSED,))
    envelopes = [Envelope.decode(message.value) for message in consumer.poll(1_000_000, 0)]
    return [one.type for one in envelopes if one.key == str(decode_id(photo_id))]


def test_an_avatar_is_square_and_stands_beside_the_person_everywhere(app: "App") -> None:
    author, viewer = app.person(), app.person()
    assert author.get("/v1/me")["avatarUrl"] is None
    photo_id = _avatar(app, author, 350)
    url = author.get("/v1/me")["avatarUrl"]
    assert url.endswith(f"/photos/{photo_id}/320")
    image = app.http.get(_path(url))
    assert (image.status_code, "immutable" in image.headers["cache-control"]) == (200, True)
    assert author.get(f"/v1/photos/{photo_id}")["images"]["320"] | {"url": ""} == {
        "url": "",
        "width": 320,
        "height": 320,
    }

    post = author.upload(picture(351, (320, 240)))
    app.work()
    viewer.call("PUT", f"/v1/users/{author.id}/follow")
    author.call("PUT", f"/v1/users/{viewer.id}/follow")
    author.call("PUT", f"/v1/posts/{post}/like")
    author.call("POST", f"/v1/posts/{post}/comments", json={"text": "Mine"})
    people = [
        viewer.get(f"/v1/users/{author.id}"),
        viewer.get(f"/v1/handles/{author.handle}"),
        viewer.get(f"/v1/posts/{post}")["author"],
        next(one["post"]["author"] for one in viewer.get("/v1/feed")["items"] if one["post"]["id"] == post),
        viewer.get(f"/v1/posts/{post}/likes")["items"][0],
        viewer.get(f"/v1/posts/{post}/comments")["items"][0]["author"],
        viewer.get("/v1/me/following")["items"][0],
        viewer.get("/v1/me/followers")["items"][0],
        viewer.get("/v1/people", params={"q": author.handle})["items"][0],
        viewer.get("/v1/me/notifications")["items"][0]["actors"][0],
    ]
    assert [(one["id"], one["avatarUrl"]) for one in people] == [(author.id, url)] * len(people)


def test_everybody_sees_the_avatar_of_a_private_account(app: "App") -> None:
    person, stranger = app.person(isPrivate=True), app.person()
    _avatar(app, person, 349)
    url = stranger.get(f"/v1/users/{person.id}")["avatarUrl"]
    assert "?" not in url
    assert app.http.get(_path(url)).status_code == 200


def test_an_avatar_is_no_post_and_no_zoom_size_is_made(app: "App") -> None:
    person, follower = app.person(), app.person()
    follower.call("PUT", f"/v1/users/{person.id}/follow")
    photo_id = _avatar(app, person, 352)
    assert person.get(f"/v1/users/{person.id}/posts")["items"] == []
    assert person.get("/v1/me/photos")["items"] == []
    assert follower.call("GET", f"/v1/posts/{photo_id}").status_code == 404
    assert photo_id not in [item["post"]["id"] for item in follower.get("/v1/feed")["items"]]
    assert app.messages(photo_id) == []


def test_another_avatar_replaces_the_first_one_which_is_purged(app: "App") -> None:
    person = app.person()
    first, second = _avatar(app, person, 353), _avatar(app, person, 354)
    app.work()
    assert person.get("/v1/me")["avatarUrl"].endswith(f"/photos/{second}/320")
    assert app.http.get(f"/photos/{first}/320").status_code == 404
    assert person.call("GET", f"/v1/photos/{first}").status_code == 404
    assert (_removals(app, first), _removals(app, second)) == (["avatar.removed"], [])
    assert _set(person, second).json()["avatarUrl"].endswith(f"/photos/{second}/320")
    assert _removals(app, second) == []
    for _ in range(2):
        assert person.call("DELETE", "/v1/me/avatar").json()["avatarUrl"] is None
    app.work()
    assert app.http.get(f"/photos/{second}/320").status_code == 404
    assert _removals(app, second) == ["avatar.removed"]


def test_an_avatar_that_is_deleted_as_a_photo_is_gone_too(app: "App") -> None:
    person = app.person()
    photo_id = _avatar(app, person, 355)
    assert person.call("DELETE", f"/v1/photos/{photo_id}").status_code == 204
    app.work()
    assert person.get("/v1/me")["avatarUrl"] is None
    assert _removals(app, photo_id) == ["avatar.removed"]


def test_only_ones_own_avatar_that_is_ready_is_shown(app: "App") -> None:
    person, other = app.person(), app.person()
    photo_id = _upload(person, picture(356, (320, 240)))
    early = _set(person, photo_id)
    assert (early.status_code, early.json()["code"]) == (409, "photo_not_ready")
    post = person.upload(picture(357, (320, 240)))
    app.work()
    for who, which in ((other, photo_id), (person, post), (person, person.id)):
        reply = _set(who, which)
        assert (reply.status_code, reply.json()["code"]) == (404, "photo_not_found")
    assert person.get("/v1/me")["avatarUrl"] is None


@pytest.mark.parametrize(("opinion", "status"), [(0.7, "review"), (0.95, "rejected")])
def test_an_avatar_is_moderated_before_it_is_shown(app: "App", opinion: float, status: str) -> None:
    person, moderator = app.person(), app.moderator()
    app.model.opinion = opinion
    try:
        photo_id = _upload(person, picture(358 + int(10 * opinion), (320, 240)))
        app.work()
    finally:
        app.model.opinion = 0.0
    assert person.get(f"/v1/photos/{photo_id}")["status"] == status
    assert _set(person, photo_id).status_code == 409
    assert app.http.get(f"/photos/{photo_id}/320").status_code == 404
    ruling = {"decision": "approve", "reason": "seen by a person"}
    assert moderator.call("POST", f"/v1/moderation/{photo_id}/decisions", json=ruling).status_code == 201
    assert person.get("/v1/me/notifications")["items"][0]["kind"] == "photo_approved"
    assert _set(person, photo_id).status_code == 200
    moderator.call("POST", f"/v1/moderation/{photo_id}/decisions", json=ruling | {"decision": "reject"})
    app.work()
    assert person.get("/v1/me")["avatarUrl"] is None
    assert app.http.get(f"/photos/{photo_id}/320").status_code == 404
    assert _removals(app, photo_id) == ["avatar.removed"]


def test_an_avatar_has_no_words(app: "App") -> None:
    person = app.person()
    ticket = person.call("POST", "/v1/photos/initiate", json={"purpose": "avatar"}).json()
    for words in ({"caption": "Me"}, {"altText": "Me"}, {"tags": ["me"]}):
        reply = person.call("POST", f"/v1/photos/{ticket['photoId']}/complete", json=words)
        assert (reply.status_code, reply.json()["code"]) == (422, "no_post")
    assert person.call("POST", "/v1/photos/initiate", json={"purpose": "banner"}).status_code == 422
