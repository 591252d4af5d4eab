import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from photofeed.errors import RetryableError
from photofeed.event_log import InMemoryConsumer
from photofeed.events import Envelope, engagement_events
from photofeed.ids import decode_id
from photofeed.topics import ENGAGEMENT
from tests.api.held_up import held_up
from tests.api.pictures import picture

if TYPE_CHECKING:
    from tests.api.conftest import App, Person


@pytest.fixture(scope="module")
def post(app: "App") -> tuple["Person", str]:
    author = app.person()
    photo_id = author.upload(picture(20), tags=["sea"])
    app.work()
    return author, photo_id


@pytest.fixture
def published(app: "App") -> InMemoryConsumer:
    """What is published to `engagement` from now on."""
    consumer = app.log.consumer(uuid.uuid4().hex, [ENGAGEMENT])
    while consumer.poll(1000, 0):
        pass
    return consumer


def _actions(app: "App", published: InMemoryConsumer) -> list[str]:
    app.work()
    envelopes = [Envelope.decode(message.value) for message in published.poll(1000, 0)]
    return [event.action.value for envelope in envelopes for event in engagement_events(envelope)]


def _event(kind: str, **words: Any) -> dict[str, Any]:
    return {"id": uuid.uuid4().hex, "type": kind} | words


def test_a_like_is_there_at_once_and_counted_once(
    app: "App", post: tuple["Person", str], published: InMemoryConsumer
) -> None:
    viewer, (_, post_id) = app.person(), post
    before = viewer.call("PUT", f"/v1/posts/{post_id}/like").json()
    again = viewer.call("PUT", f"/v1/posts/{post_id}/like").json()
    assert before == again
    assert before["likedByMe"]
    assert _actions(app, published) == ["like"]
    gone = viewer.call("DELETE", f"/v1/posts/{post_id}/like").json()
    assert gone["likeCount"] == before["likeCount"] - 1
    assert not gone["likedByMe"]
    assert _actions(app, published) == ["unlike"]
    assert viewer.call("DELETE", f"/v1/posts/{post_id}/like").json() == gone
    assert _actions(app, published) == []


def test_a_like_that_is_sent_again_after_it_was_taken_back_stays_taken_back(
    app: "App", post: tuple["Person", str], published: InMemoryConsumer
) -> None:
    """A phone that heard no answer sends it again, and its owner has thought better of it meanwhile."""
    viewer, (author, post_id) = app.person(), post

    def tell(*events: dict[str, Any]) -> tuple[int, int]:
        body = viewer.call("POST", "/v1/events", json={"events": events}).json()
        return body["accepted"], body["unchanged"]

    liked = _event("like", postId=post_id)
    assert tell(liked, liked) == (1, 1)
    assert tell(_event("unlike", postId=post_id)) == (1, 0)
    assert tell(liked) == (0, 1)
    assert not viewer.get(f"/v1/users/{author.id}/posts")["items"][0]["likedByMe"]
    assert _actions(app, published) == ["like", "unlike"]
    assert tell(_event("like", postId=post_id)) == (1, 0)
    assert _actions(app, published) == ["like"]


def test_saves_comments_shares_and_reports_make_events(
    app: "App", post: tuple["Person", str], published: InMemoryConsumer
) -> None:
    viewer, (_, post_id) = app.person(), post
    assert viewer.call("PUT", f"/v1/posts/{post_id}/save").json()["savedByMe"]
    said = viewer.call("POST", f"/v1/posts/{post_id}/comments", json={"text": "What a colour!"})
    assert said.status_code == 201
    assert said.json()["author"]["id"] == viewer.id
    assert viewer.get(f"/v1/posts/{post_id}/comments")["items"][0] == said.json()
    assert viewer.call("POST", f"/v1/posts/{post_id}/share").status_code == 204
    assert viewer.call("POST", f"/v1/posts/{post_id}/report").status_code == 204
    assert sorted(_actions(app, published)) == ["comment", "report", "save", "share"]


def test_a_comment_that_is_sent_again_is_the_same_comment(
    app: "App", post: tuple["Person", str], published: InMemoryConsumer
) -> None:
    viewer, (_, post_id) = app.person(), post
    first, second = (_event("comment", postId=post_id, text=text) for text in ("Where is this?", "And when?"))
    before = len(viewer.get(f"/v1/posts/{post_id}/comments")["items"])
    for batch, accepted in (([first], 1), ([first, second], 1), ([second, first], 0)):
        body = viewer.call("POST", "/v1/events", json={"events": batch}).json()
        assert (body["accepted"], body["unchanged"]) == (accepted, len(batch) - accepted)
    assert len(viewer.get(f"/v1/posts/{post_id}/comments")["items"]) == before + 2
    app.work()
    events = [event for message in published.poll(9, 0) for event in engagement_events(Envelope.decode(message.value))]
    assert len({event.id for event in events}) == len(events) == 2


def test_people_whose_clients_use_the_same_ids_are_counted_each(
    app: "App", post: tuple["Person", str], published: InMemoryConsumer
) -> None:
    same = _event("open", postId=post[1])
    for person in (app.person(), app.person()):
        for _ in range(2):
            assert person.call("POST", "/v1/events", json={"events": [same]}).json()["accepted"] == 1
    events = [event for message in published.poll(9, 0) for event in engagement_events(Envelope.decode(message.value))]
    assert len(events) == 4
    assert len({event.id for event in events}) == 2


def test_following_changes_both_counts_and_the_relation(app: "App", published: InMemoryConsumer) -> None:
    one, other = app.person(), app.person()
    for _ in range(2):
        assert one.call("PUT", f"/v1/users/{other.id}/follow").status_code == 204
    seen = one.get(f"/v1/users/{other.id}")
    assert seen["followedByMe"]
    assert seen["followerCount"] == 1
    assert one.get("/v1/me")["followingCount"] == 1
    assert other.get(f"/v1/users/{one.id}")["followsMe"]
    assert one.call("DELETE", f"/v1/users/{other.id}/follow").status_code == 204
    assert one.get(f"/v1/users/{other.id}")["followerCount"] == 0
    assert _actions(app, published) == ["follow", "unfollow"]
    assert one.call("PUT", f"/v1/users/{one.id}/follow").status_code == 422


def test_a_batch_takes_what_can_be_and_says_of_the_rest_why_not(
    app: "App", post: tuple["Person", str], published: InMemoryConsumer
) -> None:
    viewer, (author, post_id) = app.person(), post
    now = datetime.now(UTC)
    batch = [
        _event("impression", postId=post_id, slateId="s", position=0),
        _event("dwell", postId=post_id, dwellMs=1500),
        _event("like", postId=post_id),
        _event("like", postId=post_id),
        _event("profile_visit", personId=author.id),
        _event("open", postId="00000000000"),
        _event("open"),
        _event("follow", personId="zzzzzzzzzzz"),
        _event("open", postId=post_id, occurredAt=(now + timedelta(hours=1)).isoformat()),
        _event("open", postId=post_id, occurredAt=(now - timedelta(days=30)).isoformat()),
        _event("dwell", postId=post_id),
    ]
    reply = viewer.call("POST", "/v1/events", json={"events": batch})
    assert reply.status_code == 202
    body = reply.json()
    assert (body["accepted"], body["unchanged"]) == (4, 1)
    assert [(refusal["index"], refusal["code"]) for refusal in body["refused"]] == [
        (5, "post_not_found"),
        (6, "post_not_found"),
        (7, "user_not_found"),
        (8, "in_the_future"),
        (9, "too_old"),
        (10, "no_dwell"),
    ]
    assert sorted(_actions(app, published)) == ["dwell", "impression", "like", "profile_visit"]


def test_taking_back_what_was_never_given_changes_nothing(
    app: "App", post: tuple["Person", str], published: InMemoryConsumer
) -> None:
    viewer, (author, post_id) = app.person(), post
    batch = [
        _event("unlike", postId=post_id),
        _event("unsave", postId=post_id),
        _event("unfollow", personId=author.id),
    ]
    body = viewer.call("POST", "/v1/events", json={"events": batch}).json()
    assert (body["accepted"], body["unchanged"], body["refused"]) == (0, 3, [])
    assert _actions(app, published) == []


def test_an_event_log_that_is_away_is_no_promise(
    app: "App", post: tuple["Person", str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise RetryableError("no broker")

    viewer, (_, post_id) = app.person(), post
    with monkeypatch.context() as patched:
        patched.setattr(app.log.__class__, "publish", away)
        reply = viewer.call("POST", "/v1/events", json={"events": [_event("open", postId=post_id)]})
    assert reply.status_code == 503
    assert reply.json()["code"] == "try_again"


@pytest.mark.parametrize(
    "event",
    [
        {"type": "impression"},
        {"id": "12345678", "type": "stare"},
        {"id": "12345678", "type": "dwell", "dwellMs": -1},
        {"id": "12345678", "type": "open", "occurredAt": "2026-01-01T00:00:00"},
        {"id": "12345678", "type": "open", "position": 10**9},
        {"id": "x" * 65, "type": "open"},
    ],
)
def test_an_event_that_makes_no_sense_refuses_the_batch(app: "App", event: dict[str, Any]) -> None:
    reply = app.person().call("POST", "/v1/events", json={"events": [event]})
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["field"].startswith("body.events.0") or "events.0" in reply.text


def test_a_batch_has_its_limits(app: "App", post: tuple["Person", str]) -> None:
    viewer, (_, post_id) = app.person(), post
    assert viewer.call("POST", "/v1/events", json={"events": []}).status_code == 422
    many = [_event("impression", postId=post_id) for _ in range(501)]
    assert viewer.call("POST", "/v1/events", json={"events": many}).status_code == 422
    assert viewer.call("POST", "/v1/events", json={"events": many[:500]}).json()["accepted"] == 500


def test_a_service_imports_for_many_and_dates_back(
    app: "App", post: tuple["Person", str], published: InMemoryConsumer
) -> None:
    one, other, (_, post_id) = app.person(), app.person(), post
    then = (datetime.now(UTC) - timedelta(days=10)).isoformat()
    batch = [
        _event("like", postId=post_id, actorId=one.id, occurredAt=then),
        _event("comment", postId=post_id, actorId=other.id, occurredAt=then, text="Then"),
        _event("open", postId=post_id, actorId="00000000000", occurredAt=then),
    ]
    body = app.service.call("POST", "/v1/events", json={"events": batch}).json()
    assert body["accepted"] == 2
    assert body["refused"][0]["code"] == "actor_not_found"
    app.work()
    envelopes = [Envelope.decode(message.value) for message in published.poll(100, 0)]
    events = [event for envelope in envelopes for event in engagement_events(envelope)]
    assert {event.user_id for event in events} != {0}
    assert all(event.imported and event.occurred_at.isoformat() == then for event in events)


def test_strangers_cannot_touch_posts_of_private_accounts(app: "App") -> None:
    author, stranger, follower = app.person(isPrivate=True), app.person(), app.person()
    for one in (stranger, follower):
        assert one.call("PUT", f"/v1/users/{author.id}/follow").status_code == 202
    author.call("PUT", f"/v1/me/follow-requests/{follower.id}")
    post_id = author.upload(picture(21))
    app.work()
    assert stranger.call("PUT", f"/v1/posts/{post_id}/like").status_code == 404
    assert stranger.call("GET", f"/v1/posts/{post_id}/comments").status_code == 404
    refused = stranger.call("POST", "/v1/events", json={"events": [_event("open", postId=post_id)]}).json()["refused"]
    assert refused[0]["code"] == "post_not_found"
    assert stranger.get(f"/v1/users/{author.id}/posts")["items"] == []
    assert follower.call("PUT", f"/v1/posts/{post_id}/like").status_code == 200


def test_blocking_hides_each_from_the_other(app: "App") -> None:
    author, viewer = app.person(), app.person()
    viewer.call("PUT", f"/v1/users/{author.id}/follow")
    post_id = author.upload(picture(22))
    app.work()
    assert author.call("PUT", f"/v1/users/{viewer.id}/block").status_code == 204
    assert viewer.call("GET", f"/v1/photos/{post_id}").status_code == 404
    assert post_id not in [item["post"]["id"] for item in viewer.get("/v1/feed")["items"]]
    assert not viewer.get(f"/v1/users/{author.id}")["followedByMe"]
    for one, other in ((viewer, author), (author, viewer)):
        refused = one.call("PUT", f"/v1/users/{other.id}/follow")
        assert (refused.status_code, refused.json()["code"]) == (422, "blocked")
    author.call("DELETE", f"/v1/users/{viewer.id}/block")
    assert viewer.call("PUT", f"/v1/users/{author.id}/follow").status_code == 204


def test_who_changes_their_mind_within_a_batch_ends_where_they_ended(
    app: "App", post: tuple["Person", str], published: InMemoryConsumer
) -> None:
    viewer, (author, post_id) = app.person(), post
    other = author.upload(picture(23))
    app.work()
    batch = [
        *(_event(kind, postId=post_id) for kind in ("like", "unlike", "like")),
        *(_event(kind, postId=other) for kind in ("unsave", "save", "unsave")),
        *(_event(kind, personId=author.id) for kind in ("unfollow", "follow", "unfollow")),
        _event("unlike", postId=other),
        _event("like", postId=other),
    ]
    body = viewer.call("POST", "/v1/events", json={"events": batch}).json()
    assert (body["accepted"], body["unchanged"]) == (8, 3)
    posts = {item["id"]: item for item in viewer.get(f"/v1/users/{author.id}/posts")["items"]}
    assert [(posts[one]["likedByMe"], posts[one]["savedByMe"]) for one in (post_id, other)] == [(True, False)] * 2
    assert not viewer.get(f"/v1/users/{author.id}")["followedByMe"]
    app.work()
    events = [event for message in published.poll(9, 0) for event in engagement_events(Envelope.decode(message.value))]
    assert [event.action.value for event in events if event.post_id == decode_id(post_id)] == ["like", "unlike", "like"]


def test_comments_of_whom_one_has_blocked_are_not_there_for_either(app: "App", post: tuple["Person", str]) -> None:
    (author, post_id), one, other = post, app.person(), app.person()
    for person in (one, other):
        person.call("POST", f"/v1/posts/{post_id}/comments", json={"text": person.handle})
    one.call("PUT", f"/v1/users/{other.id}/block")
    for person, hidden in ((one, other.handle), (other, one.handle)):
        words = [item["text"] for item in person.get(f"/v1/posts/{post_id}/comments")["items"]]
        assert person.handle in words
        assert hidden not in words
    assert {one.handle, other.handle} <= {item["text"] for item in author.get(f"/v1/posts/{post_id}/comments")["items"]}


def test_batches_about_the_same_posts_wait_for_each_other_and_fail_neither(app: "App") -> None:
    author, one, other = app.person(), app.person(), app.person()
    first, second, held = (author.upload(picture(number)) for number in range(24, 27))
    app.work()

    def batch(viewer: "Person", *posts: str) -> Any:
        kinds = zip(("like", "save", "report"), posts, strict=True)
        events = [_event(kind, postId=post_id) for kind, post_id in kinds]
        return viewer.call("POST", "/v1/events", json={"events": events}).json()

    with held_up(app, b"select from posts where id = %s for no key update", decode_id(held)) as begin:
        calls = [begin(batch, one, first, held, second), begin(batch, other, second, held, first)]
    assert [call.result()["accepted"] for call in calls] == [3, 3]
