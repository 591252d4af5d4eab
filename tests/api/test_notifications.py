"""Notifications: written once with their cause, gone with it, and watched as they arrive."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from photofeed import database
from photofeed.ids import decode_id
from photofeed.notifications import KEPT, LATEST, RETENTION, NotificationKind
from serving.api import notifications as api
from serving.api.lists import cursor_id
from serving.api.notifications import notification_events
from serving.api.server_sent_events import STILL_HERE
from serving.notification_signals import MOST_STREAMS
from tests.api.pictures import picture

if TYPE_CHECKING:
    from tests.api.conftest import App, Person

PATIENCE_SECONDS = 60.0


def _post(app: "App", author: "Person", seed: int, **words: Any) -> str:
    photo_id = author.upload(picture(seed, (320, 240)), **words)
    app.work()
    return photo_id


def _comment(person: "Person", post: str, **body: Any) -> str:
    reply = person.call("POST", f"/v1/posts/{post}/comments", json=body)
    assert reply.status_code == 201, reply.text
    comment_id: str = reply.json()["id"]
    return comment_id


def _told(person: "Person") -> list[dict[str, Any]]:
    page = person.get("/v1/me/notifications", params={"limit": 100})
    assert page["unreadCount"] == sum(not one["read"] for one in page["items"])
    items: list[dict[str, Any]] = page["items"]
    return items


def _kinds(person: "Person") -> list[str]:
    return [one["kind"] for one in _told(person)]


def test_likes_of_a_photo_are_one_notification_with_the_last_people_and_their_number(app: "App") -> None:
    author, people = app.person(), [app.person() for _ in range(5)]
    post, other = _post(app, author, 330), _post(app, author, 331)
    for person in people:
        for _ in range(2):
            person.call("PUT", f"/v1/posts/{post}/like")
    author.call("PUT", f"/v1/posts/{post}/like")
    (one,) = _told(author)
    assert (one["kind"], one["postId"], one["actorCount"], one["read"]) == ("like", post, 5, False)
    assert [actor["id"] for actor in one["actors"]] == [person.id for person in people[:1:-1]]
    assert one["images"]
    people[0].call("PUT", f"/v1/posts/{other}/like")
    people[4].call("DELETE", f"/v1/posts/{post}/like")
    newest, before = _told(author)
    assert (newest["postId"], before["id"], before["actorCount"]) == (other, one["id"], 4)
    for person in people:
        person.call("DELETE", f"/v1/posts/{post}/like")
    assert [one["postId"] for one in _told(author)] == [other]


def test_a_person_who_likes_again_and_again_notifies_once(app: "App") -> None:
    author, person, other = app.person(), app.person(), app.person()
    post = _post(app, author, 332)
    person.call("PUT", f"/v1/posts/{post}/like")
    assert author.call("PUT", "/v1/me/notifications/read").json() == {"unreadCount": 0}
    for _ in range(3):
        person.call("DELETE", f"/v1/posts/{post}/like")
        person.call("PUT", f"/v1/posts/{post}/like")
    assert author.get("/v1/me/notifications/unread") == {"unreadCount": 0}
    other.call("PUT", f"/v1/posts/{post}/like")
    assert author.get("/v1/me/notifications/unread") == {"unreadCount": 1}


def test_a_comment_notifies_each_person_once_of_what_concerns_them_most(app: "App") -> None:
    author, asker, answerer, friend = (app.person() for _ in range(4))
    post = _post(app, author, 333)
    first = _comment(asker, post, text="Where is this?")
    said = f"@{asker.handle} @{author.handle} In the Alps, ask @{friend.handle}. And not me@{friend.handle}"
    second = _comment(answerer, post, text=said, replyTo=first)
    assert [(one["kind"], one["commentId"]) for one in _told(author)] == [("mention", second), ("comment", first)]
    assert [(one["kind"], one["text"], one["actors"][0]["id"]) for one in _told(asker)] == [
        ("reply", said, answerer.id)
    ]
    assert _kinds(friend) == ["mention"]
    assert _kinds(answerer) == []
    answerer.call("PATCH", f"/v1/posts/{post}/comments/{second}", json={"text": f"@{asker.handle} In the Alps"})
    assert _kinds(friend) == []
    answerer.call("DELETE", f"/v1/posts/{post}/comments/{second}")
    assert (_kinds(author), _kinds(asker)) == (["comment"], [])


def test_a_caption_mentions_people_when_it_is_shown_and_those_who_may_see_it(app: "App") -> None:
    author, friend, stranger, late = app.person(isPrivate=True), app.person(), app.person(), app.person()
    friend.call("PUT", f"/v1/users/{author.id}/follow")
    author.call("PUT", f"/v1/me/follow-requests/{friend.id}")
    post = author.upload(picture(334, (320, 240)), caption=f"With @{friend.handle} and @{stranger.handle.upper()}!")
    assert _kinds(friend) == ["follow_accepted"]
    app.work()
    assert _kinds(friend) == ["mention", "follow_accepted"]
    assert _kinds(stranger) == []
    app.repeat("photo.uploaded", post)
    app.work()
    late.call("PUT", f"/v1/users/{author.id}/follow")
    author.call("PUT", f"/v1/me/follow-requests/{late.id}")
    author.call("PATCH", f"/v1/posts/{post}", json={"caption": f"With @{late.handle}"})
    assert _kinds(friend) == ["follow_accepted"]
    assert _kinds(late) == ["mention", "follow_accepted"]
    author.call("DELETE", f"/v1/photos/{post}")
    assert _kinds(late) == ["follow_accepted"]


def test_follows_and_requests_notify_until_they_end(app: "App") -> None:
    public, private, fan = app.person(), app.person(isPrivate=True), app.person()
    for person in (public, private):
        for _ in range(2):
            fan.call("PUT", f"/v1/users/{person.id}/follow")
    assert (_kinds(public), _kinds(private), _kinds(fan)) == (["follow"], ["follow_request"], [])
    private.call("PUT", f"/v1/me/follow-requests/{fan.id}")
    assert (_kinds(private), _kinds(fan)) == ([], ["follow_accepted"])
    fan.call("DELETE", f"/v1/users/{public.id}/follow")
    private.call("DELETE", f"/v1/me/followers/{fan.id}")
    assert (_kinds(public), _kinds(private), _kinds(fan)) == ([], [], [])
    fan.call("PUT", f"/v1/users/{private.id}/follow")
    assert _kinds(private) == ["follow_request"]
    private.call("DELETE", f"/v1/me/follow-requests/{fan.id}")
    assert _kinds(private) == []


@pytest.mark.parametrize("link", ["mute", "block"])
@pytest.mark.parametrize("first", [True, False])
def test_muted_and_blocked_people_notify_nobody(app: "App", link: str, *, first: bool) -> None:
    author, rude, kind = app.person(), app.person(), app.person()
    post = _post(app, author, 335)

    def hide() -> None:
        assert author.call("PUT", f"/v1/users/{rude.id}/{link}").status_code == 204

    if first:
        hide()
    for person in (rude, kind):
        person.call("PUT", f"/v1/posts/{post}/like")
        person.call("POST", f"/v1/posts/{post}/comments", json={"text": f"Hello @{author.handle}"})
        person.call("PUT", f"/v1/users/{author.id}/follow")
    if not first:
        hide()
    told = _told(author)
    assert sorted(one["kind"] for one in told) == ["follow", "like", "mention"]
    assert [(one["actorCount"], [actor["id"] for actor in one["actors"]]) for one in told] == [(1, [kind.id])] * 3


@pytest.mark.parametrize("link", ["mute", "block"])
def test_a_like_stays_when_a_later_one_is_by_somebody_hidden(app: "App", link: str) -> None:
    author, kind, rude = app.person(), app.person(), app.person()
    post = _post(app, author, 341)
    for person in (kind, rude):
        person.call("PUT", f"/v1/posts/{post}/like")
    author.call("PUT", f"/v1/users/{rude.id}/{link}")
    (one,) = _told(author)
    assert (one["actorCount"], [actor["id"] for actor in one["actors"]]) == (1, [kind.id])
    kind.call("DELETE", f"/v1/posts/{post}/like")
    assert _told(author) == []


def test_notifications_end_after_a_time(app: "App") -> None:
    author, fan = app.person(), app.person()
    fan.call("PUT", f"/v1/users/{author.id}/follow")
    for age, kinds in ((RETENTION - timedelta(hours=1), ["follow"]), (RETENTION + timedelta(hours=1), [])):
        with database.connect(app.settings) as connection:
            moment = datetime.now(UTC) - age
            connection.execute("update notifications set at = %s where user_id = %s", (moment, decode_id(author.id)))
        assert _kinds(author) == kinds


def test_a_mention_in_a_comment_that_a_block_hides_is_gone(app: "App") -> None:
    author, rude, named = app.person(), app.person(), app.person()
    _comment(rude, _post(app, author, 335), text=f"Look @{named.handle}")
    assert _kinds(named) == ["mention"]
    author.call("PUT", f"/v1/users/{rude.id}/block")
    assert _kinds(named) == []


def test_owners_and_reporters_learn_what_moderators_decided(app: "App") -> None:
    author, reporter, moderator = app.person(), app.person(), app.moderator()
    post = _post(app, author, 336)
    comment = _comment(author, post, text="buy now")
    for path in (f"posts/{post}", f"posts/{post}/comments/{comment}", f"users/{author.id}"):
        reporter.call("POST", f"/v1/{path}/report", json={"reason": "spam"})
    for path, decision in (
        (f"comments/{comment}", "reject"),
        (f"people/{author.id}", "approve"),
        (post, "reject"),
        (post, "reject"),
    ):
        body = {"decision": decision, "reason": "seen by a person"}
        assert moderator.call("POST", f"/v1/moderation/{path}/decisions", json=body).status_code == 201
    assert [one["decision"] for one in _told(reporter)] == [
        {"reported": "post", "outcome": "removed"},
        {"reported": "person", "outcome": "kept"},
        {"reported": "comment", "outcome": "removed"},
    ]
    told = [(one["kind"], one["postId"], one["images"]) for one in _told(author)]
    assert told == [("photo_rejected", post, {})]  # nobody can load its images
    assert reporter.id not in str(_told(author))
    moderator.call("POST", f"/v1/moderation/{post}/decisions", json={"decision": "approve", "reason": "a mistake"})
    assert [(one["kind"], one["actors"]) for one in _told(author)] == [("photo_approved", [])]
    assert _told(author)[0]["images"]


def test_a_photo_that_the_model_rejects_notifies_its_owner_once(app: "App") -> None:
    author = app.person()
    app.model.opinion = 0.95
    try:
        post = _post(app, author, 337)
        app.repeat("photo.uploaded", post)
        app.work()
    finally:
        app.model.opinion = 0.0
    assert _kinds(author) == ["photo_rejected"]


def test_kinds_that_are_switched_off_notify_nobody(app: "App") -> None:
    author, fan = app.person(), app.person()
    post = _post(app, author, 338)
    assert author.get("/v1/me/notification-settings") == {"switchedOff": []}
    off = {"switchedOff": ["like", "mention", "like"]}
    assert author.call("PUT", "/v1/me/notification-settings", json=off).json() == {"switchedOff": ["like", "mention"]}
    fan.call("PUT", f"/v1/posts/{post}/like")
    _comment(fan, post, text=f"Hello @{author.handle}")
    assert _kinds(author) == ["comment"]
    assert author.call("PUT", "/v1/me/notification-settings", json={"switchedOff": ["none"]}).status_code == 422


@pytest.mark.parametrize("kind", ["like", "comment", "follow"])
def test_imported_history_notifies_nobody(app: "App", kind: str) -> None:
    author, post, hour = app.person(), "", timedelta(hours=1)
    if kind != "follow":
        post = _post(app, author, 339)
    for ago, seen in ((LATEST + hour, []), (LATEST - hour, [kind])):
        about = {"personId": author.id} if kind == "follow" else {"postId": post}
        event = {"id": f"imported-{ago}", "type": kind, "actorId": app.person().id, **about}
        event |= {"occurredAt": (datetime.now(UTC) - ago).isoformat()} | ({"text": "ah"} if kind == "comment" else {})
        reply = app.service.call("POST", "/v1/events", json={"events": [event]})
        assert reply.json()["accepted"] == 1, reply.text
        assert _kinds(author) == seen


def test_notifications_are_read_page_by_page_and_marked_up_to_one(app: "App") -> None:
    author, people = app.person(), [app.person() for _ in range(5)]
    for person in people:
        person.call("PUT", f"/v1/users/{author.id}/follow")
    pages: list[list[str]] = []
    cursor = None
    while cursor is not None or not pages:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = author.get("/v1/me/notifications", params=params)
        pages.append([one["actors"][0]["id"] for one in page["items"]])
        cursor = page["nextCursor"]
    assert [one for page in pages for one in page] == [person.id for person in reversed(people)]
    assert [len(page) for page in pages] == [2, 2, 1]
    third = _told(author)[2]["id"]
    assert author.call("PUT", "/v1/me/notifications/read", json={"upTo": third}).json() == {"unreadCount": 2}
    assert [one["read"] for one in _told(author)] == [False, False, True, True, True]
    oldest = _told(author)[4]["id"]
    assert author.call("PUT", "/v1/me/notifications/read", json={"upTo": oldest}).json() == {"unreadCount": 2}
    strange = people[0].call("PUT", "/v1/me/notifications/read", json={"upTo": third})
    assert (strange.status_code, strange.json()["code"]) == (404, "notification_not_found")
    assert author.call("GET", "/v1/me/notifications", params={"cursor": "!"}).status_code == 422


def test_a_person_keeps_the_newest_ones(app: "App") -> None:
    author, fan = app.person(), app.person()
    with database.connect(app.settings) as connection:
        me = decode_id(author.id)
        connection.execute("insert into notification_states (user_id, last_number) values (%s, %s)", (me, KEPT))
        connection.execute(
            "insert into notifications (user_id, number, kind, subject, at)"
            " select %s, n, 'photo_approved', n::text, now() from generate_series(1, %s) n",
            (me, KEPT),
        )
        fan.call("PUT", f"/v1/users/{author.id}/follow")
        rows = connection.execute("select number from notifications where user_id = %s order by number", (me,))
        assert [row["number"] for row in rows] == list(range(2, KEPT + 2))
    assert author.get("/v1/me/notifications/unread") == {"unreadCount": KEPT}


class Stream:
    """The events of a person's stream, read one by one."""

    def __init__(self, app: "App", person: "Person", after: int = 0) -> None:
        self._http = app.http
        self._events = notification_events(app.http.app_state["services"], decode_id(person.id), after)

    def next(self) -> dict[str, str] | None:
        """The fields of the next event; None at the end."""

        async def read() -> bytes | None:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await anext(self._events, None)

        assert self._http.portal is not None
        event = self._http.portal.call(read)
        return None if event is None else dict(line.split(": ", 1) for line in event.decode().strip().split("\n"))

    def close(self) -> None:
        """End the stream, as a client does."""
        assert self._http.portal is not None
        self._http.portal.call(self._close)

    async def _close(self) -> None:
        await self._events.aclose()


def _unread(event: dict[str, str] | None) -> str | None:
    return event["data"] if event is not None and event["event"] == "unread" else None


@pytest.fixture
def watch(app: "App", monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Stream]]:
    """Opens streams that look for news only if they are signalled."""
    monkeypatch.setattr(api, "_LOOK_SECONDS", 10 * PATIENCE_SECONDS)
    opened: list[Stream] = []

    def open_stream(person: "Person", after: int = 0) -> Stream:
        opened.append(Stream(app, person, after))
        return opened[-1]

    yield open_stream
    for stream in opened:
        stream.close()


def test_a_stream_sends_what_happens_and_the_unread_count(app: "App", watch: Callable[..., Stream]) -> None:
    author, fans = app.person(), [app.person() for _ in range(2)]
    stream = watch(author)
    assert _unread(stream.next()) == '{"unreadCount":0}'
    fans[0].call("PUT", f"/v1/users/{author.id}/follow")
    event = stream.next()
    assert event is not None
    assert (event["event"], orjson.loads(event["data"])) == ("notification", _told(author)[0])
    assert _unread(stream.next()) == '{"unreadCount":1}'
    author.call("PUT", "/v1/me/notifications/read")
    assert _unread(stream.next()) == '{"unreadCount":0}'
    stream.close()
    fans[1].call("PUT", f"/v1/users/{author.id}/follow")
    again = watch(author, cursor_id(event["id"]))
    missed = again.next()
    assert missed is not None
    assert orjson.loads(missed["data"])["actors"][0]["id"] == fans[1].id


@pytest.mark.parametrize("cause", ["edited comment", "edited caption", "photo", "comment", "person"])
def test_whatever_notifies_a_person_wakes_their_stream(app: "App", watch: Callable[..., Stream], cause: str) -> None:
    author, told, moderator = app.person(), app.person(), app.moderator()
    post = _post(app, author, 342)
    comment = _comment(author, post, text="hm")
    paths = {"photo": post, "comment": f"comments/{comment}", "person": f"people/{author.id}"}
    reports = {"photo": f"posts/{post}", "comment": f"posts/{post}/comments/{comment}", "person": f"users/{author.id}"}
    if cause in reports:
        assert told.call("POST", f"/v1/{reports[cause]}/report", json={"reason": "spam"}).status_code == 201
    stream = watch(told)
    assert _unread(stream.next()) == '{"unreadCount":0}'
    text = f"Hello @{told.handle}"
    if cause == "edited comment":
        reply = author.call("PATCH", f"/v1/posts/{post}/comments/{comment}", json={"text": text})
    elif cause == "edited caption":
        reply = author.call("PATCH", f"/v1/posts/{post}", json={"caption": text})
    else:
        ruling = {"decision": "reject", "reason": "seen by a person"}
        reply = moderator.call("POST", f"/v1/moderation/{paths[cause]}/decisions", json=ruling)
    assert reply.is_success
    assert (stream.next() or {}).get("event") == "notification"


def test_a_stream_without_news_says_that_it_is_there(app: "App", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "_LOOK_SECONDS", 0.0)
    services, person = app.http.app_state["services"], app.person()

    async def read() -> list[bytes]:
        events = notification_events(services, decode_id(person.id), 0)
        try:
            return [await anext(events) for _ in range(3)]
        finally:
            await events.aclose()

    assert app.http.portal is not None
    first, *others = app.http.portal.call(read)
    assert b'{"unreadCount":0}' in first
    assert others == [STILL_HERE] * 2


def test_a_further_stream_of_a_person_ends_the_oldest(app: "App", watch: Callable[..., Stream]) -> None:
    author = app.person()
    streams = [watch(author) for _ in range(MOST_STREAMS + 1)]
    for stream in streams:
        stream.next()
    assert streams[0].next() is None
    app.person().call("PUT", f"/v1/users/{author.id}/follow")
    assert {(one.next() or {}).get("event") for one in streams[1:]} == {"notification"}


def test_a_stream_over_http_begins_with_what_was_missed(app: "App") -> None:
    author, fan = app.person(), app.person()
    fan.call("PUT", f"/v1/users/{author.id}/follow")
    services = app.http.app_state["services"]
    brief = services.settings.model_copy(update={"notification_stream_seconds": 1e-9})
    object.__setattr__(services, "settings", brief)
    try:
        path = "/v1/me/notifications/stream"
        stream = author.call("GET", path, headers={"Last-Event-ID": "00000000000"})
        assert (stream.status_code, stream.headers["cache-control"]) == (200, "no-store")
        assert stream.headers["x-accel-buffering"] == "no"  # nginx would keep events until it has a full buffer
        assert [part.split(":")[0] for part in stream.text.split("\n") if part][:3] == ["retry", "id", "event"]
        assert stream.text.count("event: notification") == 1
        assert author.call("GET", path).text.count("event: notification") == 0
        assert author.call("GET", path, headers={"Last-Event-ID": "nonsense"}).status_code == 422
    finally:
        object.__setattr__(services, "settings", app.settings)


def test_every_kind_is_documented(app: "App") -> None:
    kinds = app.http.get("/openapi.json").json()["components"]["schemas"]["NotificationKind"]["enum"]
    assert set(kinds) == set(NotificationKind)


def test_people_who_act_on_each_other_at_once_are_all_notified_once(app: "App") -> None:
    people = [app.person() for _ in range(5)]
    posts = [_post(app, person, 390 + number) for number, person in enumerate(people)]

    def act(turn: int) -> list[int]:
        me, other = divmod(turn % 25, 5)
        if me == other:
            return []
        person, target, post = people[me], people[other], posts[other]
        events = [
            {"id": f"follow-{me}-{other}-{turn}", "type": "follow", "personId": target.id},
            {"id": f"like-{me}-{other}-{turn}", "type": "like", "postId": post},
            {"id": f"like-{me}-{turn}-too", "type": "like", "postId": posts[(other + 1) % 5]},
        ]
        return [
            person.call("POST", "/v1/events", json={"events": events}).status_code,
            person.call("PUT", f"/v1/posts/{post}/like").status_code,
            person.call("PUT", f"/v1/users/{target.id}/follow").status_code,
            person.call("POST", f"/v1/posts/{post}/comments", json={"text": f"@{target.handle}"}).status_code,
        ]

    with ThreadPoolExecutor(8) as threads:
        statuses = {status for found in threads.map(act, range(50)) for status in found}
    assert statuses == {200, 201, 202, 204}
    for person, post in zip(people, posts, strict=True):
        told = _told(person)
        likes = [one for one in told if one["kind"] == "like"]
        assert [(one["postId"], one["actorCount"]) for one in likes] == [(post, 4)]
        assert sorted(one["actors"][0]["id"] for one in told if one["kind"] == "follow") == sorted(
            other.id for other in people if other is not person
        )
        assert sum(one["kind"] == "mention" for one in told) == 8
    with database.connect(app.settings) as connection:
        ids = [decode_id(person.id) for person in people]
        rows = connection.execute("select user_id, number from notifications where user_id = any(%s)", (ids,))
        numbers = [(row["user_id"], row["number"]) for row in rows]
    assert len(set(numbers)) == len(numbers)
