"""Edits of posts and comments, answers to comments, tags, and search by stems and beginnings of words."""

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from photofeed import database
from photofeed.ids import decode_id, encode_id
from tests.api.pictures import picture

if TYPE_CHECKING:
    from tests.api.conftest import App, Person


def _publish(app: "App", number: int, author: "Person | None" = None, **words: Any) -> tuple["Person", str]:
    author = author or app.person()
    post = author.upload(picture(number), **words)
    app.work()
    return author, post


def _found(person: "Person", q: str) -> list[str]:
    return [post["id"] for post in person.get("/v1/search", params={"q": q, "limit": 100})["items"]]


@pytest.fixture(scope="module")
def post(app: "App") -> tuple["Person", str]:
    return _publish(app, 130, caption="Sunrise over old mountains", tags=["alps"])


def test_caption_and_tags_are_edited_by_their_author(app: "App") -> None:
    author, post = _publish(app, 131, caption="Frst light", tags=["sea", "dawn"])
    before = author.get(f"/v1/posts/{post}")
    edited = author.call("PATCH", f"/v1/posts/{post}", json={"caption": "First light"}).json()
    assert edited == before | {"caption": "First light"}
    edited = author.call("PATCH", f"/v1/posts/{post}", json={"tags": ["#Dusk", "dusk", "sea"]}).json()
    assert (edited["caption"], edited["tags"], edited["topic"]) == ("First light", ["dusk", "sea"], "sea")
    assert author.get(f"/v1/photos/{post}")["tags"] == ["dusk", "sea"]
    assert author.call("PATCH", f"/v1/posts/{post}", json={}).json() == edited
    viewer = app.person()
    assert post in _found(viewer, "first dusk")
    assert post not in _found(viewer, "frst")
    assert post not in _found(viewer, "dawn")


def test_a_description_for_people_who_do_not_see_it_is_given_and_edited(app: "App") -> None:
    author, post = _publish(app, 139, caption="Up early", altText="A lake in fog, with one boat")
    assert app.person().get(f"/v1/posts/{post}")["altText"] == "A lake in fog, with one boat"
    assert author.get(f"/v1/photos/{post}")["altText"] == "A lake in fog, with one boat"
    edited = author.call("PATCH", f"/v1/posts/{post}", json={"altText": "A lake in fog"}).json()
    assert (edited["altText"], edited["caption"]) == ("A lake in fog", "Up early")
    assert author.get(f"/v1/posts/{post}") == edited


def test_a_post_is_edited_by_nobody_else(app: "App", post: tuple["Person", str]) -> None:
    refused = app.person().call("PATCH", f"/v1/posts/{post[1]}", json={"caption": "Mine"})
    assert (refused.status_code, refused.json()["code"]) == (403, "not_yours")
    missing = app.person().call("PATCH", f"/v1/posts/{encode_id(77)}", json={"caption": "Mine"})
    assert missing.json()["code"] == "post_not_found"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"caption": "c" * 2201}, "caption"),
        ({"caption": "a\0"}, "caption"),
        ({"altText": "c" * 1001}, "altText"),
        ({"altText": "a\0"}, "altText"),
        ({"tags": ["t"] * 31}, "tags"),
        ({"tags": [""]}, "tags.0"),
        ({"topic": "sea"}, "topic"),
    ],
)
def test_an_edit_has_bounds(post: tuple["Person", str], body: dict[str, Any], field: str) -> None:
    reply = post[0].call("PATCH", f"/v1/posts/{post[1]}", json=body)
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, field)


def test_a_comment_is_edited_by_its_author_and_shows_when(app: "App", post: tuple["Person", str]) -> None:
    viewer, other = app.person(), app.person()
    path = f"/v1/posts/{post[1]}/comments"
    written = viewer.call("POST", path, json={"text": "Wher?"}).json()
    assert written["editedAt"] is None
    edited = viewer.call("PATCH", f"{path}/{written['id']}", json={"text": " Where? "}).json()
    assert (edited["text"], edited["createdAt"]) == ("Where?", written["createdAt"])
    assert edited["editedAt"] > written["createdAt"]
    assert viewer.call("PATCH", f"{path}/{written['id']}", json={"text": "Where?"}).json() == edited
    assert edited in other.get(path)["items"]
    for person in (other, post[0]):
        refused = person.call("PATCH", f"{path}/{written['id']}", json={"text": "No"})
        assert (refused.status_code, refused.json()["code"]) == (403, "not_yours")
    missing = viewer.call("PATCH", f"{path}/{encode_id(77)}", json={"text": "No"})
    assert (missing.status_code, missing.json()["code"]) == (404, "comment_not_found")
    assert viewer.call("PATCH", f"{path}/{written['id']}", json={"text": "\u200b"}).status_code == 422


def test_answers_name_their_comment_and_are_listed_by_it(app: "App", post: tuple["Person", str]) -> None:
    asker, answerer = app.person(), app.person()
    path = f"/v1/posts/{post[1]}/comments"
    question = asker.call("POST", path, json={"text": "Where?"}).json()
    answers = [
        answerer.call("POST", path, json={"text": text, "replyTo": question["id"]}).json() for text in ("There", "Here")
    ]
    assert [one["replyTo"] for one in (question, *answers)] == [None, question["id"], question["id"]]
    listed = asker.get(path, params={"replyTo": question["id"]})["items"]
    assert listed == answers[::-1]
    assert {one["id"] for one in answers} <= {one["id"] for one in asker.get(path)["items"]}


def test_an_answer_needs_a_comment_on_the_same_post_that_its_author_sees(
    app: "App", post: tuple["Person", str]
) -> None:
    _, other_post = _publish(app, 132)
    viewer, blocked = app.person(), app.person()
    elsewhere = viewer.call("POST", f"/v1/posts/{other_post}/comments", json={"text": "Elsewhere"}).json()["id"]
    hidden = blocked.call("POST", f"/v1/posts/{post[1]}/comments", json={"text": "Hidden"}).json()["id"]
    viewer.call("PUT", f"/v1/users/{blocked.id}/block")
    for reply_to in (elsewhere, hidden, encode_id(77), "nonsense..."):
        reply = viewer.call("POST", f"/v1/posts/{post[1]}/comments", json={"text": "Hm", "replyTo": reply_to})
        assert reply.status_code == 404, reply_to


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("mountain", True),
        ("mountains", True),
        ("MOUNT", True),
        ("mountebank", False),
        ("sunrises", True),
        ("sunr alp", True),
        ("sunrise valley", False),
        ("valley or alps", True),
        ('"old mountains"', True),
        ('"mountains old"', False),
        ("sunrise -alps", False),
        ("s", False),
        ("'; drop table posts", False),
        (":*", False),
        ("\\", False),
        ("it's", False),
    ],
)
def test_search_finds_stems_and_beginnings_of_words(
    app: "App", post: tuple["Person", str], q: str, found: bool
) -> None:
    assert (post[1] in _found(app.person(), q)) is found


def test_words_of_other_languages_are_found_by_their_beginning(app: "App") -> None:
    _, post = _publish(app, 133, caption="Žlutý kůň o'Brien's 東京タワー")
    viewer = app.person()
    for q in ("žlut", "KŮŇ", "o'brien", "東京"):
        assert post in _found(viewer, q), q


def test_tags_are_suggested_by_how_often_they_are_used(app: "App") -> None:
    begins = f"z{uuid.uuid4().hex[:8]}"
    author = app.person()
    for number, tags in enumerate(([f"{begins}often", f"{begins}once"], [f"{begins}often"])):
        _publish(app, 134 + number, author, tags=tags)
    viewer = app.person()
    suggested = viewer.get("/v1/tags", params={"q": f"#{begins.upper()}"})["items"]
    assert suggested == [{"tag": f"{begins}often", "postCount": 2}, {"tag": f"{begins}once", "postCount": 1}]
    assert len(viewer.get("/v1/tags", params={"limit": 1})["items"]) == 1
    assert viewer.get("/v1/tags", params={"q": f"{begins}%"})["items"] == []
    author.upload(picture(140), tags=[f"{begins}once"])  # not shown yet
    assert viewer.get("/v1/tags", params={"q": begins})["items"] == suggested
    assert author.call("PATCH", "/v1/me", json={"isPrivate": True}).status_code == 200
    assert viewer.get("/v1/tags", params={"q": begins})["items"] == []


def test_the_posts_of_a_tag_are_listed_page_by_page(app: "App") -> None:
    tag, author = f"y{uuid.uuid4().hex[:8]}", app.person()
    posts = [_publish(app, 136 + number, author, tags=[tag.upper()])[1] for number in range(3)]
    viewer = app.person()
    first = viewer.get(f"/v1/tags/{tag}/posts", params={"limit": 2})
    rest = viewer.get(f"/v1/tags/%23{tag}/posts", params={"limit": 2, "cursor": first["nextCursor"]})
    assert [one["id"] for one in first["items"] + rest["items"]] == posts[::-1]
    assert rest["nextCursor"] is None
    assert viewer.get(f"/v1/tags/{tag[:-1]}/posts")["items"] == []
    author.call("PUT", f"/v1/users/{viewer.id}/block")
    assert viewer.get(f"/v1/tags/{tag}/posts")["items"] == []


def test_words_and_times_are_shown_as_they_are_stored(app: "App") -> None:
    words: dict[str, Any] = {"caption": 'Half "calm", \\ half\n\t100 % \U0001f30a', "altText": "Ü", "tags": ["sea"]}
    author, post = _publish(app, 138, **words)
    with database.connect(app.settings) as connection:
        moment = datetime(2026, 3, 1, 12, 30, 0, 500_000, UTC)
        connection.execute("update posts set posted_at = %s where id = %s", (moment, decode_id(post)))
    shown = author.get(f"/v1/posts/{post}")
    assert {name: shown[name] for name in words} == words
    assert (shown["id"], shown["postedAt"], shown["author"]["avatarUrl"]) == (post, "2026-03-01T12:30:00.500Z", None)
