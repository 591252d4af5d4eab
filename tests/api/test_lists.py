"""Lists of people, posts and photos: complete, in order, page by page, and only what the caller may see."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from photofeed.ids import encode_id
from tests.api.pictures import picture

if TYPE_CHECKING:
    from tests.api.conftest import App, Person


def pages(person: "Person", path: str, limit: int = 2, **params: Any) -> list[dict[str, Any]]:
    """All items of a list; no page but the last is short, and no page is empty after the first."""
    items: list[dict[str, Any]] = []
    for page in _pages(person, path, limit, params):
        assert len(page["items"]) == limit or page["nextCursor"] is None
        assert page["items"] or not items
        items += page["items"]
    return items


def _pages(person: "Person", path: str, limit: int, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        page = person.get(path, params=params | {"limit": limit} | ({"cursor": cursor} if cursor else {}))
        yield page
        cursor = page["nextCursor"]
        if cursor is None:
            return


def ids(items: list[dict[str, Any]]) -> list[str]:
    return [item["id"] for item in items]


@pytest.fixture(scope="module")
def posts(app: "App") -> list[str]:
    """Four posts of one author, the newest last."""
    author = app.person()
    photos = [author.upload(picture(110 + number), tags=["lists"]) for number in range(4)]
    app.work()
    return photos


def test_a_single_post_is_read_as_in_a_list(app: "App", posts: list[str]) -> None:
    viewer = app.person()
    viewer.call("PUT", f"/v1/posts/{posts[0]}/like")
    post = viewer.get(f"/v1/posts/{posts[0]}")
    assert post["likedByMe"]
    fan = app.person()
    fan.call("PUT", f"/v1/users/{post['author']['id']}/follow")
    fan.call("PUT", f"/v1/posts/{posts[0]}/save")
    flags = [
        (one["likedByMe"], one["savedByMe"], one["author"]["followedByMe"])
        for one in (viewer.get(f"/v1/posts/{posts[0]}"), fan.get(f"/v1/posts/{posts[0]}"))
    ]
    assert flags == [(True, False, False), (False, True, True)]
    post = viewer.get(f"/v1/posts/{posts[0]}")
    assert post in viewer.get(f"/v1/users/{post['author']['id']}/posts")["items"]
    assert viewer.call("GET", f"/v1/posts/{encode_id(77)}").json()["code"] == "post_not_found"


def test_a_post_of_a_private_account_is_not_found_by_strangers(app: "App") -> None:
    author, stranger = app.person(isPrivate=True), app.person()
    post = author.upload(picture(115))
    app.work()
    assert author.get(f"/v1/posts/{post}")["id"] == post
    for path in (f"/v1/posts/{post}", f"/v1/posts/{post}/likes"):
        assert stranger.call("GET", path).json()["code"] == "post_not_found"


@pytest.mark.parametrize(("action", "path"), [("save", "/v1/me/saved"), ("like", "/v1/me/likes")])
def test_what_i_saved_or_liked_is_listed_with_the_last_first(
    app: "App", posts: list[str], action: str, path: str
) -> None:
    viewer = app.person()
    order = [posts[2], posts[0], posts[3], posts[1]]
    for post in order:
        viewer.call("PUT", f"/v1/posts/{post}/{action}")
    assert ids(pages(viewer, path)) == order[::-1]
    viewer.call("DELETE", f"/v1/posts/{order[1]}/{action}")
    assert ids(pages(viewer, path)) == [order[3], order[2], order[0]]
    author = viewer.get(f"/v1/posts/{posts[0]}")["author"]["id"]
    assert viewer.call("PUT", f"/v1/users/{author}/block").status_code == 204
    assert pages(viewer, path) == []
    assert pages(app.person(), path) == []


def test_who_liked_a_post_is_listed_without_blocked_people(app: "App", posts: list[str]) -> None:
    viewer, *fans = (app.person() for _ in range(6))
    for fan in fans:
        fan.call("PUT", f"/v1/posts/{posts[3]}/like")
    path, expected = f"/v1/posts/{posts[3]}/likes", [fan.id for fan in fans[::-1]]
    assert [person for person in ids(pages(viewer, path)) if person in expected] == expected
    viewer.call("PUT", f"/v1/users/{fans[0].id}/block")
    fans[1].call("PUT", f"/v1/users/{viewer.id}/block")
    assert not {fans[0].id, fans[1].id} & set(ids(pages(viewer, path)))
    assert {fans[0].id, fans[1].id} <= set(ids(pages(fans[2], path)))


def test_follows_are_listed_on_both_sides(app: "App") -> None:
    one, *others = (app.person() for _ in range(5))
    for other in others:
        one.call("PUT", f"/v1/users/{other.id}/follow")
    expected = [other.id for other in others[::-1]]
    for path in ("/v1/me/following", f"/v1/users/{one.id}/following"):
        assert ids(pages(one, path)) == expected
    assert ids(pages(app.person(), f"/v1/users/{one.id}/following")) == expected
    assert ids(pages(app.person(), f"/v1/users/{others[0].id}/followers")) == [one.id]
    assert pages(others[0], "/v1/me/following") == []
    blocked, blocking, viewer = others[0], others[1], others[2]
    for other in (blocked, blocking):
        other.call("PUT", f"/v1/users/{others[3].id}/follow")
    viewer.call("PUT", f"/v1/users/{blocked.id}/block")
    blocking.call("PUT", f"/v1/users/{viewer.id}/block")
    assert ids(pages(viewer, f"/v1/users/{one.id}/following")) == [others[3].id, viewer.id]
    assert ids(pages(viewer, f"/v1/users/{others[3].id}/followers")) == [one.id]
    assert one.call("GET", f"/v1/users/{encode_id(77)}/following").json()["code"] == "user_not_found"


@pytest.mark.parametrize("side", ["following", "followers"])
def test_follows_of_a_private_account_are_for_its_followers(app: "App", side: str) -> None:
    owner, follower, stranger = app.person(isPrivate=True), app.person(), app.person()
    follower.call("PUT", f"/v1/users/{owner.id}/follow")
    path = f"/v1/users/{owner.id}/{side}"
    for outsider in (follower, stranger):
        refused = outsider.call("GET", path)
        assert (refused.status_code, refused.json()["code"]) == (403, "private_account")
    assert owner.call("PUT", f"/v1/me/follow-requests/{follower.id}").status_code == 204
    for insider in (owner, follower):
        assert insider.call("GET", path).status_code == 200


@pytest.mark.parametrize(
    ("link", "path", "shown"), [("block", "blocks", "blockedByMe"), ("mute", "mutes", "mutedByMe")]
)
def test_blocks_and_mutes_are_listed_so_that_they_can_be_undone(app: "App", link: str, path: str, shown: str) -> None:
    me, *others = (app.person() for _ in range(4))
    for other in others:
        assert not me.get(f"/v1/users/{other.id}")[shown]
        for _ in range(2):  # a repeated call changes nothing
            assert me.call("PUT", f"/v1/users/{other.id}/{link}").status_code == 204
    assert ids(pages(me, f"/v1/me/{path}")) == [other.id for other in others[::-1]]
    assert pages(others[0], f"/v1/me/{path}") == []
    for person in pages(me, f"/v1/me/{path}"):
        for _ in range(2):
            assert me.call("DELETE", f"/v1/users/{person['id']}/{link}").status_code == 204
    assert pages(me, f"/v1/me/{path}") == []


def test_my_photos_are_listed_in_every_state(app: "App") -> None:
    me = app.person()
    ready = me.upload(picture(116))
    app.work()
    processing = me.upload(picture(117))
    waiting = me.call("POST", "/v1/photos/initiate").json()["photoId"]
    broken = me.upload(b"no picture")
    states = {"ready": ready, "processing": processing, "awaiting_upload": waiting}
    assert {item["id"] for item in pages(me, "/v1/me/photos")} == {*states.values(), broken}
    for status, photo in states.items():
        assert photo in ids(pages(me, "/v1/me/photos", status=status))
    app.work()
    (failed,) = pages(me, "/v1/me/photos", status="failed")
    assert (failed["id"], failed["failure"]["code"]) == (broken, me.get(f"/v1/photos/{broken}")["failure"]["code"])
    assert pages(app.person(), "/v1/me/photos") == []
    assert app.person().get(f"/v1/users/{me.id}")["postCount"] == 2
    assert me.call("GET", "/v1/me/photos?status=lost").json()["errors"][0]["field"] == "status"


def test_people_are_found_by_the_beginning_of_their_handle_or_name(app: "App") -> None:
    me, other = app.person(), app.person(displayName="Žofie Nováková")
    assert ids(pages(me, "/v1/people", q=other.handle)) == [other.id]
    assert ids(pages(me, "/v1/people", q=f"@{other.handle[:12].upper()}")) == [other.id]
    assert other.id in ids(pages(me, "/v1/people", q="žofie n"))
    assert pages(me, "/v1/people", q="ovákov") == []
    slashed = app.person(displayName=f"back\\{other.handle}")
    assert ids(pages(me, "/v1/people", q=f"back\\{other.handle}")) == [slashed.id]
    gone = me.get("/v1/people", params={"q": "back\\", "cursor": encode_id(77)})
    assert slashed.id in ids(gone["items"])  # of a cursor whose person is gone, the list goes on from the start
    everybody = pages(me, "/v1/people", limit=7, q="p")
    assert [one["handle"] for one in everybody] == sorted({one["handle"] for one in everybody})
    assert {me.id, other.id} <= set(ids(everybody))
    other.call("PUT", f"/v1/users/{me.id}/block")
    assert pages(me, "/v1/people", q=other.handle) == []


@pytest.mark.parametrize("q", ["%", "_", "\\", "p%", "' or true --", "a\\%"])
def test_the_search_for_people_has_no_wildcards(app: "App", q: str) -> None:
    assert pages(app.person(), "/v1/people", q=q) == []


def test_a_person_is_read_by_handle(app: "App") -> None:
    me, other = app.person(), app.person()
    for handle in (other.handle, other.handle.upper()):
        assert me.get(f"/v1/handles/{handle}") == me.get(f"/v1/users/{other.id}")
    assert me.call("GET", "/v1/handles/nobody.at.all").json()["code"] == "user_not_found"


def test_an_account_is_as_old_as_the_service_that_adds_it_says(app: "App") -> None:
    then, begin = "2026-01-05T10:00:00Z", datetime.now(UTC)
    old, new = app.person(createdAt=then), app.person()
    viewer = app.person()
    moments = [datetime.fromisoformat(viewer.get(f"/v1/users/{one.id}")["createdAt"]) for one in (old, new)]
    assert moments[0] == datetime.fromisoformat(then)
    assert begin - timedelta(milliseconds=1) <= moments[1] <= datetime.now(UTC)
    assert old.id < new.id  # ids sort by time


def test_name_and_bio_are_changed_and_shown(app: "App") -> None:
    me, other = app.person(), app.person()
    changed = me.call("PATCH", "/v1/me", json={"displayName": " Marta K. ", "bio": "Mountains.\nEarly."})
    assert (changed.json()["displayName"], changed.json()["bio"]) == ("Marta K.", "Mountains.\nEarly.")
    assert me.call("PATCH", "/v1/me", json={"isPrivate": True}).json()["bio"] == "Mountains.\nEarly."
    assert other.get(f"/v1/users/{me.id}")["displayName"] == "Marta K."
    assert me.call("PATCH", "/v1/me", json={"bio": ""}).json()["bio"] == ""


INVISIBLE = ["\u200b", "\u202e", "\u00a0 \u3000", "\u2800", "\ufeff\u200d", "\u3164"]


@pytest.mark.parametrize("text", [*INVISIBLE, "", " ", "Marta\u202e", "Mar\nta", "\x07bell", "M" * 81, "a\0"])
def test_a_name_that_cannot_be_read_is_refused(app: "App", text: str) -> None:
    reply = app.person().call("PATCH", "/v1/me", json={"displayName": text})
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, "displayName")
    new = {"handle": "never_made", "displayName": text}
    assert app.service.call("POST", "/v1/users", json=new).status_code == 422


@pytest.mark.parametrize("text", INVISIBLE)
def test_a_comment_that_shows_nothing_is_refused(app: "App", posts: list[str], text: str) -> None:
    reply = app.person().call("POST", f"/v1/posts/{posts[0]}/comments", json={"text": text})
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, "text")


@pytest.mark.parametrize("text", ["שלום", "👩‍👩‍👧", "é", "一", "\u202eabc", "ok\u200b"])
def test_texts_of_every_script_are_comments(app: "App", posts: list[str], text: str) -> None:
    assert app.person().call("POST", f"/v1/posts/{posts[0]}/comments", json={"text": text}).status_code == 201


def test_a_full_last_page_has_no_cursor(app: "App", posts: list[str]) -> None:
    viewer = app.person()
    author = viewer.get(f"/v1/posts/{posts[0]}")["author"]["id"]
    for path, total in ((f"/v1/users/{author}/posts", 4), (f"/v1/posts/{posts[1]}/comments", 3)):
        for number in range(total if "comments" in path else 0):
            viewer.call("POST", path, json={"text": f"number {number}"})
        assert viewer.get(path, params={"limit": total})["nextCursor"] is None
        assert viewer.get(path, params={"limit": total - 1})["nextCursor"] is not None


@pytest.mark.parametrize(
    "path",
    ["me/saved", "me/likes", "me/photos", "me/following", "me/blocks", "me/mutes", "people", "posts/{post}/likes"],
)
def test_a_cursor_that_is_none_is_refused(app: "App", posts: list[str], path: str) -> None:
    person = app.person()
    for cursor in ("nonsense", "z" * 11, "0" * 10 + "z" * 12):
        reply = person.call("GET", f"/v1/{path.format(post=posts[0])}", params={"cursor": cursor, "q": "p"})
        assert (reply.status_code, reply.json()["code"]) == (422, "cursor_invalid"), cursor
