"""A block is whole: to the blocked person, the blocker does not exist."""

import uuid
from typing import TYPE_CHECKING

import pytest

from photofeed import database
from photofeed.ids import decode_id, encode_id
from tests.api.pictures import picture

if TYPE_CHECKING:
    from tests.api.conftest import App, Person

NOBODY = encode_id(2**62)


def _block(blocker: "Person", blocked: "Person") -> None:
    assert blocker.call("PUT", f"/v1/users/{blocked.id}/block").status_code == 204


def _post(app: "App", author: "Person", seed: int) -> str:
    photo_id = author.upload(picture(seed, (320, 240)))
    app.work()
    return photo_id


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/users/{}"),
        ("GET", "/v1/users/{}/posts"),
        ("GET", "/v1/users/{}/followers"),
        ("GET", "/v1/users/{}/following"),
        ("PUT", "/v1/users/{}/follow"),
        ("DELETE", "/v1/users/{}/follow"),
        ("PUT", "/v1/users/{}/block"),
        ("DELETE", "/v1/users/{}/block"),
        ("PUT", "/v1/users/{}/mute"),
        ("DELETE", "/v1/users/{}/mute"),
        ("DELETE", "/v1/me/followers/{}"),
    ],
)
def test_the_blocked_get_the_same_reply_as_for_nobody(app: "App", method: str, path: str) -> None:
    blocker, blocked = app.person(), app.person()
    _block(blocker, blocked)
    hidden, missing = (blocked.call(method, path.format(name)) for name in (blocker.id, NOBODY))
    assert (hidden.status_code, hidden.json()["detail"]) == (missing.status_code, missing.json()["detail"])
    assert (hidden.status_code, hidden.json()["code"]) == (404, "user_not_found")


def test_the_handle_of_a_blocker_is_nobodys(app: "App") -> None:
    blocker, blocked = app.person(), app.person()
    _block(blocker, blocked)
    assert blocked.call("GET", f"/v1/handles/{blocker.handle}").status_code == 404
    assert blocker.get(f"/v1/handles/{blocked.handle}")["blockedByMe"] is True


def test_events_about_a_blocker_are_refused_like_those_about_nobody(app: "App") -> None:
    blocker, blocked = app.person(), app.person()
    _block(blocker, blocked)
    events = [
        {"id": uuid.uuid4().hex, "type": kind, "personId": person}
        for kind in ("profile_visit", "follow", "unfollow", "mute", "unmute")
        for person in (blocker.id, NOBODY)
    ]
    reply = blocked.call("POST", "/v1/events", json={"events": events}).json()
    assert reply["accepted"] == reply["unchanged"] == 0
    assert {one["code"] for one in reply["refused"]} == {"user_not_found"}


def test_a_service_imports_what_somebody_did_who_has_been_blocked_since(app: "App") -> None:
    blocker, blocked = app.person(), app.person()
    _block(blocker, blocked)
    events = [
        {"id": uuid.uuid4().hex, "type": kind, "personId": blocker.id, "actorId": blocked.id}
        for kind in ("profile_visit", "mute", "unmute", "follow")
    ]
    reply = app.service.call("POST", "/v1/events", json={"events": events}).json()
    assert (reply["accepted"], [one["code"] for one in reply["refused"]]) == (3, ["blocked"])


@pytest.mark.parametrize("by_event", [False, True])
def test_a_mute_of_somebody_who_has_blocked_since_can_be_taken_back_once(app: "App", *, by_event: bool) -> None:
    blocker, blocked = app.person(), app.person()
    assert blocked.call("PUT", f"/v1/users/{blocker.id}/mute").status_code == 204
    _block(blocker, blocked)

    def unmute() -> bool:
        if not by_event:
            return blocked.call("DELETE", f"/v1/users/{blocker.id}/mute").status_code == 204
        event = {"id": uuid.uuid4().hex, "type": "unmute", "personId": blocker.id}
        return bool(blocked.call("POST", "/v1/events", json={"events": [event]}).json()["accepted"])

    assert unmute()
    assert blocked.get("/v1/me/mutes")["items"] == []
    assert not unmute()


def test_a_block_ends_follows_in_both_directions_and_can_be_undone_by_its_owner(app: "App") -> None:
    one, other = app.person(), app.person()
    for follower, followee in ((one, other), (other, one)):
        assert follower.call("PUT", f"/v1/users/{followee.id}/follow").status_code == 204
    _block(one, other)
    with database.connect(app.settings) as connection:
        pair = [decode_id(one.id), decode_id(other.id)]
        query = "select 1 from follows where follower_id = any(%s) and followee_id = any(%s)"
        assert connection.execute(query, (pair, pair)).fetchall() == []
        connection.execute("insert into blocks (blocker_id, blocked_id) values (%s, %s)", pair[::-1])
    assert other.call("DELETE", f"/v1/users/{one.id}/block").status_code == 204  # although one is hidden from them
    assert one.call("DELETE", f"/v1/users/{other.id}/block").status_code == 204
    assert other.get(f"/v1/users/{one.id}")["id"] == one.id


def test_the_blocked_can_take_back_their_own_reactions_and_nothing_else(app: "App") -> None:
    author, viewer = app.person(), app.person()
    post_id, other_id = _post(app, author, 200), _post(app, author, 201)
    for reaction in ("like", "save"):
        viewer.call("PUT", f"/v1/posts/{post_id}/{reaction}")
    hidden = _post(app, author, 207)
    viewer.call("PUT", f"/v1/posts/{hidden}/hide")
    _block(author, viewer)
    assert viewer.call("PUT", f"/v1/posts/{post_id}/like").status_code == 404
    assert viewer.call("DELETE", f"/v1/posts/{post_id}/like").json()["likedByMe"] is False
    assert viewer.call("DELETE", f"/v1/posts/{post_id}/save").json()["savedByMe"] is False
    assert viewer.call("DELETE", f"/v1/posts/{hidden}/hide").status_code == 204
    for gone in (post_id, other_id, hidden):
        assert viewer.call("DELETE", f"/v1/posts/{gone}/like").status_code == 404


def test_comments_of_the_blocked_leave_the_blockers_posts_for_everyone(app: "App") -> None:
    author, rude, reader = app.person(), app.person(), app.person()
    post_id, of_reader = _post(app, author, 202), _post(app, reader, 203)
    for text in ("first", "second"):
        assert rude.call("POST", f"/v1/posts/{post_id}/comments", json={"text": text}).status_code == 201
    reader.call("POST", f"/v1/posts/{post_id}/comments", json={"text": "lovely"})
    rude.call("POST", f"/v1/posts/{of_reader}/comments", json={"text": "elsewhere"})

    def seen() -> tuple[list[str], int]:
        comments = [one["text"] for one in reader.get(f"/v1/posts/{post_id}/comments")["items"]]
        (post,) = reader.get(f"/v1/users/{author.id}/posts")["items"]
        return comments, post["commentCount"]

    assert seen() == (["lovely", "second", "first"], 3)
    _block(author, rude)
    _block(author, rude)
    assert seen() == (["lovely"], 1)
    assert [one["text"] for one in reader.get(f"/v1/posts/{of_reader}/comments")["items"]] == ["elsewhere"]
    assert reader.get(f"/v1/posts/{of_reader}")["commentCount"] == 1
    author.call("DELETE", f"/v1/users/{rude.id}/block")
    assert seen() == (["lovely", "second", "first"], 3)


def test_comments_are_deleted_by_their_author_the_posts_author_and_moderators_only(app: "App") -> None:
    author, writer, other, moderator = app.person(), app.person(), app.person(), app.moderator()
    post_id, another = _post(app, author, 204), _post(app, author, 205)

    def comment() -> str:
        reply = writer.call("POST", f"/v1/posts/{post_id}/comments", json={"text": "hm"})
        comment_id: str = reply.json()["id"]
        return comment_id

    for person in (writer, author, moderator):
        comment_id = comment()
        path = f"/v1/posts/{post_id}/comments/{comment_id}"
        for refused in (other.call("DELETE", path), person.call("DELETE", path.replace(post_id, another))):
            assert (refused.status_code, refused.json()["code"]) == (404, "comment_not_found")
        assert person.call("DELETE", path).status_code == 204
        assert person.call("DELETE", path).status_code == 404
    posts = {one["id"]: one["commentCount"] for one in other.get(f"/v1/users/{author.id}/posts")["items"]}
    assert posts[post_id] == 0
    assert other.get(f"/v1/posts/{post_id}/comments")["items"] == []


def test_a_deleted_comment_of_a_blocked_person_is_not_subtracted_twice(app: "App") -> None:
    author, rude = app.person(), app.person()
    post_id = _post(app, author, 206)
    comment = rude.call("POST", f"/v1/posts/{post_id}/comments", json={"text": "hm"}).json()["id"]
    _block(author, rude)
    assert author.call("DELETE", f"/v1/posts/{post_id}/comments/{comment}").status_code == 204
    author.call("DELETE", f"/v1/users/{rude.id}/block")
    assert author.get(f"/v1/users/{author.id}/posts")["items"][0]["commentCount"] == 0


def test_a_mute_reaches_a_feed_that_is_already_ranked(app: "App") -> None:
    viewer, other, loud, quiet = (app.person() for _ in range(4))
    for author in (loud, quiet):
        for follower in (viewer, other):
            follower.call("PUT", f"/v1/users/{author.id}/follow")
    for seed in range(3):
        _post(app, loud, 210 + seed)
        _post(app, quiet, 220 + seed)
    page = viewer.get("/v1/feed", params={"limit": 1})
    assert viewer.call("PUT", f"/v1/users/{loud.id}/mute").status_code == 204
    shown = []
    while page["nextCursor"]:
        page = viewer.get("/v1/feed", params={"limit": 1, "cursor": page["nextCursor"]})
        shown += [item["post"]["author"]["id"] for item in page["items"]]
    assert loud.id not in shown
    assert quiet.id in shown
    assert {loud.id, quiet.id} <= {item["post"]["author"]["id"] for item in other.get("/v1/feed")["items"]}
    assert viewer.get(f"/v1/users/{loud.id}/posts")["items"]
