import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from photofeed.errors import RetryableError
from photofeed.events import Action, EngagementEvent, Envelope, engagement_events
from photofeed.ids import decode_id, encode_id, topic_id, uuid7
from photofeed.topics import ENGAGEMENT
from tests.api.held_up import held_up
from tests.api.pictures import picture
from tests.doubles.event_log import InMemoryConsumer
from tests.metric_values import metric

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
    """A reader of the messages published to `engagement` from now on."""
    consumer = app.log.consumer(uuid.uuid4().hex, [ENGAGEMENT])
    while consumer.poll(1000, 0):
        pass
    return consumer


def _events(app: "App", published: InMemoryConsumer) -> list[EngagementEvent]:
    app.work()
    envelopes = [Envelope.decode(message.value) for message in published.poll(1000, 0)]
    return [event for envelope in envelopes for event in engagement_events(envelope)]


def _actions(app: "App", published: InMemoryConsumer) -> list[str]:
    return [event.action.value for event in _events(app, published)]


def _event(kind: str, **words: Any) -> dict[str, Any]:
    return {"id": uuid.uuid4().hex, "type": kind} | words


def test_a_like_is_visible_at_once_and_counted_once(
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


def test_a_like_resent_after_it_was_removed_stays_removed(
    app: "App", post: tuple["Person", str], published: InMemoryConsumer
) -> None:
    """A phone that received no reply sends the like again, after its owner has removed it."""
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
    assert viewer.call("POST", f"/v1/posts/{post_id}/report").status_code == 201
    assert sorted(_actions(app, published)) == ["comment", "report", "save", "share"]


def test_a_resent_comment_is_stored_once(app: "App", post: tuple["Person", str], published: InMemoryConsumer) -> None:
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


def test_a_comment_without_a_text_is_behaviour_and_no_comment(
    app: "App", post: tuple["Person", str], published: InMemoryConsumer
) -> None:
    viewer, (_, post_id) = app.person(), post
    told = viewer.call("POST", "/v1/events", json={"events": [_event("comment", postId=post_id)]})
    assert told.json() == {"accepted": 1, "unchanged": 0, "refused": []}
    assert viewer.id not in [one["author"]["id"] for one in viewer.get(f"/v1/posts/{post_id}/comments")["items"]]
    assert _actions(app, published) == ["comment"]


def test_of_equal_ids_in_one_batch_the_first_event_counts(
    app: "App", post: tuple["Person", str], published: InMemoryConsumer
) -> None:
    viewer, (_, post_id) = app.person(), post
    liked = _event("like", postId=post_id)
    batch = [liked, _event("unlike", postId=post_id), liked]
    body = viewer.call("POST", "/v1/events", json={"events": batch}).json()
    assert (body["accepted"], body["unchanged"]) == (2, 1)
    assert not viewer.get(f"/v1/posts/{post_id}")["likedByMe"]
    assert _actions(app, published) == ["like", "unlike"]


def test_follows_and_mutes_occur_when_they_arrive_and_other_actions_when_their_client_says(
    app: "App", post: tuple["Person", str], published: InMemoryConsumer
) -> None:
    viewer, (author, post_id) = app.person(), post
    begin = datetime.now(UTC)
    then = (begin - timedelta(hours=1)).isoformat()
    kinds = ("follow", "mute", "unmute", "unfollow")
    batch = [_event(kind, personId=author.id, occurredAt=then) for kind in kinds]
    batch.append(_event("like", postId=post_id, occurredAt=then))
    assert viewer.call("POST", "/v1/events", json={"events": batch}).json()["accepted"] == 5
    moments = {event.action.value: event.occurred_at for event in _events(app, published)}
    assert moments.pop("like").isoformat() == then
    assert set(moments) == set(kinds)
    assert all(begin <= moment <= datetime.now(UTC) for moment in moments.values())


def test_an_event_of_a_clock_that_is_a_little_fast_occurred_when_it_arrived(
    app: "App", post: tuple["Person", str], published: InMemoryConsumer
) -> None:
    viewer, (_, post_id) = app.person(), post
    moments = (datetime.now(UTC) + timedelta(minutes=minutes) for minutes in (4, 6))
    batch = [_event("open", postId=post_id, occurredAt=moment.isoformat()) for moment in moments]
    body = viewer.call("POST", "/v1/events", json={"events": batch}).json()
    assert [(one["index"], one["code"]) for one in body["refused"]] == [(1, "in_the_future")]
    (event,) = _events(app, published)
    assert event.occurred_at <= datetime.now(UTC)


def test_events_without_a_time_occurred_in_the_order_of_their_batch(
    app: "App", post: tuple["Person", str], published: InMemoryConsumer
) -> None:
    viewer, (_, post_id) = app.person(), post
    batch = [_event(kind, postId=post_id) for kind in ("open", "like", "save", "share")]
    viewer.call("POST", "/v1/events", json={"events": batch})
    events = sorted(_events(app, published), key=lambda event: event.occurred_at)
    assert [event.action.value for event in events] == ["open", "like", "save", "share"]
    assert len({event.occurred_at for event in events}) == 4


def test_the_same_client_event_id_of_two_people_counts_twice(
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


def test_a_batch_accepts_valid_events_and_gives_the_reason_for_the_others(
    app: "App", post: tuple["Person", str], published: InMemoryConsumer
) -> None:
    viewer, (author, post_id) = app.person(), post
    now = datetime.now(UTC)
    batch = [
        _event("impression", postId=post_id, receipt=app.receipt(viewer, post_id)),
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


def test_an_event_has_the_post_and_the_position_at_which_it_was_shown(
    app: "App", post: tuple["Person", str], published: InMemoryConsumer
) -> None:
    viewer, (author, post_id) = app.person(), post
    slate = uuid7()
    shown = {"receipt": app.receipt(viewer, post_id, slate=slate, position=7)}
    batch = [
        # only services may name another actor
        _event("dwell", postId=post_id, dwellMs=1500, source="explore", actorId=author.id, **shown),
        _event("profile_visit", personId=author.id),
    ]
    assert viewer.call("POST", "/v1/events", json={"events": batch}).json()["accepted"] == 2
    viewer.call("PUT", f"/v1/posts/{post_id}/like", json=shown)
    viewer.call("PUT", f"/v1/posts/{post_id}/save", json=shown)
    viewer.call("POST", f"/v1/posts/{post_id}/share", json=shown)
    viewer.call("POST", f"/v1/posts/{post_id}/comments", json={"text": "ah"} | shown)
    viewer.call("POST", f"/v1/posts/{post_id}/report", json=shown)
    events = {event.action: event for event in _events(app, published)}
    visit = events.pop(Action.PROFILE_VISIT)
    assert (visit.creator_id, visit.post_id, visit.slate_id) == (decode_id(author.id), None, None)
    assert set(events) == {Action.DWELL, Action.LIKE, Action.SAVE, Action.SHARE, Action.COMMENT, Action.REPORT}
    for event in events.values():
        ids = [encode_id(number or 0) for number in (event.user_id, event.creator_id, event.post_id)]
        assert ids == [viewer.id, author.id, post_id]
        assert (event.slate_id, event.position) == (slate, 7)
        assert (event.topic_id, event.content_type) == (topic_id("sea"), "photo")
        assert not event.imported
    assert (events[Action.DWELL].dwell_ms, events[Action.DWELL].source) == (1500, "explore")


def _receipts() -> Counter[str]:
    """State of receipts -> events about posts that were counted."""
    states = ("valid", "missing", "invalid")
    return Counter({one: int(metric("photofeed_event_receipts_total", state=one)) for one in states})


def test_a_position_without_a_receipt_is_not_believed(
    app: "App", post: tuple["Person", str], published: InMemoryConsumer
) -> None:
    viewer, other, (author, post_id) = app.person(), app.person(), post
    stated = {"slateId": uuid7(), "position": 9876}
    receipts = {
        "receipt_missing": {},
        "receipt_invalid": {"receipt": app.receipt(other, post_id)},
    }
    for code, claim in receipts.items():
        batch = [_event(kind, postId=post_id, **stated, **claim) for kind in ("impression", "open", "like")]
        before = _receipts()
        body = viewer.call("POST", "/v1/events", json={"events": batch}).json()
        assert [(refusal["index"], refusal["code"]) for refusal in body["refused"]] == [(0, code)]
        assert _receipts() - before == Counter({code.removeprefix("receipt_"): 3})
        viewer.call("DELETE", f"/v1/posts/{post_id}/like")
    before = _receipts()
    viewer.call("PUT", f"/v1/posts/{post_id}/save", json=stated)
    visit = _event("profile_visit", personId=author.id, **stated)
    assert viewer.call("POST", "/v1/events", json={"events": [visit]}).json()["accepted"] == 1
    assert _receipts() - before == Counter({"missing": 1})  # of the save: people have no receipts
    events = _events(app, published)
    actions = {Action.OPEN, Action.LIKE, Action.UNLIKE, Action.SAVE, Action.PROFILE_VISIT}
    assert {event.action for event in events} == actions
    assert {(event.slate_id, event.position) for event in events} == {(None, None)}


def test_a_service_states_where_actions_took_place_unless_it_sends_the_receipt(
    app: "App", post: tuple["Person", str], published: InMemoryConsumer
) -> None:
    person, (author, post_id) = app.person(), post
    slate, other = uuid7(), uuid7()
    stated = {"actorId": person.id, "slateId": slate, "position": 3}
    receipt = app.receipt(person, post_id, slate=other, position=5)
    batch = [
        _event("impression", postId=post_id, **stated),
        _event("open", postId=post_id, receipt=receipt, **stated),
        _event("profile_visit", personId=author.id, **stated),
    ]
    before = _receipts()
    assert app.service.call("POST", "/v1/events", json={"events": batch}).json()["accepted"] == 3
    assert _receipts() - before == Counter({"valid": 1})  # what a service states itself is not counted
    assert {event.action: (event.slate_id, event.position) for event in _events(app, published)} == {
        Action.IMPRESSION: (slate, 3),
        Action.OPEN: (other, 5),
        Action.PROFILE_VISIT: (slate, 3),
    }


def test_removing_a_like_that_does_not_exist_changes_nothing(
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


def test_events_are_not_accepted_while_the_event_log_is_down(
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
def test_an_invalid_event_refuses_the_batch(app: "App", event: dict[str, Any]) -> None:
    reply = app.person().call("POST", "/v1/events", json={"events": [event]})
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["field"].startswith("body.events.0") or "events.0" in reply.text


def test_a_batch_has_its_limits(app: "App", post: tuple["Person", str]) -> None:
    viewer, (_, post_id) = app.person(), post
    assert viewer.call("POST", "/v1/events", json={"events": []}).status_code == 422
    many = [_event("open", postId=post_id) for _ in range(501)]
    assert viewer.call("POST", "/v1/events", json={"events": many}).status_code == 422
    assert viewer.call("POST", "/v1/events", json={"events": many[:500]}).json()["accepted"] == 500


def test_a_service_imports_backdated_events_of_several_people(
    app: "App", post: tuple["Person", str], published: InMemoryConsumer
) -> None:
    one, other, (author, post_id) = app.person(), app.person(), post
    then, earliest, too_old = ((datetime.now(UTC) - timedelta(days=days)).isoformat() for days in (10, 89, 91))
    not_shown = author.upload(picture(28))
    batch = [
        _event("like", postId=post_id, actorId=one.id, occurredAt=then),
        _event("comment", postId=post_id, actorId=other.id, occurredAt=then, text="Then"),
        _event("follow", personId=other.id, actorId=one.id, occurredAt=then),
        _event("open", postId=post_id, actorId="00000000000", occurredAt=then),
        _event("open", postId=not_shown, actorId=one.id, occurredAt=then),
        _event("open", postId=post_id, actorId=one.id, occurredAt=too_old),
        _event("open", postId=post_id, actorId=one.id, occurredAt=earliest),
    ]
    body = app.service.call("POST", "/v1/events", json={"events": batch}).json()
    assert body["accepted"] == 4
    codes = ["actor_not_found", "post_not_found", "too_old"]
    assert [one["code"] for one in body["refused"]] == codes
    events = _events(app, published)
    assert {event.user_id for event in events} == {decode_id(one.id), decode_id(other.id)}
    assert all(event.imported for event in events)
    assert {(event.action is Action.OPEN, event.occurred_at.isoformat()) for event in events} == {
        (False, then),
        (True, earliest),
    }


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
    assert viewer.call("GET", f"/v1/users/{author.id}").status_code == 404
    refused = author.call("PUT", f"/v1/users/{viewer.id}/follow")
    assert (refused.status_code, refused.json()["code"]) == (422, "blocked")
    refused = viewer.call("PUT", f"/v1/users/{author.id}/follow")
    assert (refused.status_code, refused.json()["code"]) == (404, "user_not_found")
    author.call("DELETE", f"/v1/users/{viewer.id}/block")
    assert viewer.call("PUT", f"/v1/users/{author.id}/follow").status_code == 204


def test_contrary_actions_in_one_batch_apply_in_order(
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


def test_blocked_people_do_not_see_each_others_comments(app: "App", post: tuple["Person", str]) -> None:
    (author, post_id), one, other = post, app.person(), app.person()
    for person in (one, other):
        person.call("POST", f"/v1/posts/{post_id}/comments", json={"text": person.handle})
    one.call("PUT", f"/v1/users/{other.id}/block")
    for person, hidden in ((one, other.handle), (other, one.handle)):
        words = [item["text"] for item in person.get(f"/v1/posts/{post_id}/comments")["items"]]
        assert person.handle in words
        assert hidden not in words
    assert {one.handle, other.handle} <= {item["text"] for item in author.get(f"/v1/posts/{post_id}/comments")["items"]}


def test_concurrent_batches_about_the_same_posts_both_succeed(app: "App") -> None:
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


def test_all_comments_are_read_page_by_page_newest_first(post: tuple["Person", str], app: "App") -> None:
    _, post_id = post
    author = app.person()
    texts = [f"comment {number}" for number in range(7)]
    for text in texts:
        assert author.call("POST", f"/v1/posts/{post_id}/comments", json={"text": text}).status_code == 201
    read, cursor = [], None
    while True:
        page = author.get(f"/v1/posts/{post_id}/comments", params={"limit": 3} | ({"cursor": cursor} if cursor else {}))
        read += [item["text"] for item in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break

    assert [text for text in read if text in texts] == texts[::-1]
