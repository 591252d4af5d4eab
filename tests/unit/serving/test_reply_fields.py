"""Each field of a reply has the value of its own column: rows of these tests have no value twice."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from photofeed.dead_letters import DeadLetter
from photofeed.event_log import Message
from photofeed.ids import encode_id
from photofeed.models.history import Move
from photofeed.models.registry import GateFinding, GateReport
from serving.api import account, admin, admin_explanation, comments, followers, moderation_queue, photos, reports, users
from serving.api import webhooks as webhooks_api

URL = "http://photos.example"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOMENTS = [AT + timedelta(hours=hours) for hours in range(4)]
TOLD = [f"2026-03-01T{hour}:00:00.000Z" for hour in (12, 13, 14, 15)]
PERSON = {"id": 11, "handle": "marta", "display_name": "Marta K.", "avatar_id": 12}
PERSON_JSON = {"handle": "marta", "displayName": "Marta K.", "avatarUrl": f"{URL}/photos/{encode_id(12)}/320"}


def test_a_user() -> None:
    row: Any = PERSON | {
        "bio": "Mountains.",
        "is_private": True,
        "follower_count": 3,
        "following_count": 4,
        "created_at": AT,
        "keep_places": False,
    }
    shown = {"id": encode_id(11), **PERSON_JSON, "bio": "Mountains.", "isPrivate": True}
    shown |= {"followerCount": 3, "followingCount": 4, "createdAt": TOLD[0]}
    assert users.user_json(row, URL) == shown
    assert users.own_json(row, URL) == shown | {"keepPlaces": False}
    assert users.own_json(row | {"keep_places": True}, URL)["keepPlaces"] is True


def test_a_follow_request() -> None:
    row: Any = PERSON | {"created_at": AT}
    assert followers._request_json(row, URL) == {"id": encode_id(11), **PERSON_JSON, "requestedAt": TOLD[0]}


def test_a_comment() -> None:
    row: Any = PERSON | {"id": 21, "author_id": 11, "body": "Ah", "created_at": AT, "edited_at": None, "reply_to": None}
    author = {"id": encode_id(11), **PERSON_JSON}
    shown = {"id": encode_id(21), "text": "Ah", "createdAt": TOLD[0], "editedAt": None, "replyTo": None}
    assert comments._comment_json(row, URL) == shown | {"author": author}
    edited: Any = row | {"edited_at": MOMENTS[1], "reply_to": 22}
    later = {"editedAt": TOLD[1], "replyTo": encode_id(22)}
    assert comments._comment_json(edited, URL) == shown | later | {"author": author}


@pytest.mark.parametrize(("erased_at", "status", "told"), [(None, "erasing", None), (MOMENTS[1], "erased", TOLD[1])])
def test_a_deletion(erased_at: datetime | None, status: str, told: str | None) -> None:
    row: Any = {"requested_at": AT, "erased_at": erased_at}
    shown = {"userId": encode_id(7), "status": status, "requestedAt": TOLD[0], "erasedAt": told}
    assert account._deletion_json(7, row) == shown


def test_a_report() -> None:
    row: Any = {"reason": "spam", "details": "Buy now", "created_at": AT}
    shown = {"kind": "post", "id": "p", "reason": "spam", "text": "Buy now", "reportedAt": TOLD[0]}
    assert reports._report_json("post", "p", row) == shown


def test_the_moderation_queue() -> None:
    services: Any = SimpleNamespace(settings=SimpleNamespace(public_url=URL))
    reasons = [{"reason": "spam", "count": 2}, {"reason": "other", "count": 3}]
    comment: Any = PERSON | {"id": 21, "author_id": 11, "post_id": 31, "body": "Buy now"}
    assert moderation_queue._subject_json(services, "comment", comment, reasons) == {
        "commentId": encode_id(21),
        "postId": encode_id(31),
        "text": "Buy now",
        "author": {"id": encode_id(11), **PERSON_JSON},
        "reports": 5,
    }
    person: Any = PERSON | {"bio": "Mountains."}
    shown = {"person": {"id": encode_id(11), **PERSON_JSON}, "bio": "Mountains.", "reports": 5}
    assert moderation_queue._subject_json(services, "person", person, reasons) == shown
    photo: Any = {"id": 31, "owner_id": 11, "status": "review", "reports": 9, "caption": "A lake", "alt_text": "Fog"}
    photo |= {"width": 640, "height": 480, "by": "v1", "score": 0.7, "reason": "unsafe", "at": AT}
    shown = {
        "photoId": encode_id(31),
        "ownerId": encode_id(11),
        "status": "review",
        "reports": 9,
        "caption": "A lake",
        "altText": "Fog",
        "width": 640,
        "height": 480,
        "previewUrl": f"{URL}/v1/moderation/{encode_id(31)}/preview",
        "model": {"version": "v1", "score": 0.7, "reason": "unsafe", "at": TOLD[0]},
    }
    assert moderation_queue._subject_json(services, "photo", photo, reasons) == shown
    unjudged: Any = photo | {"by": None, "at": None}
    assert moderation_queue._subject_json(services, "photo", unjudged, reasons) == shown | {"model": None}


@pytest.mark.parametrize("kind", ["photo", "comment", "person"])
def test_a_decision(kind: str) -> None:
    row: Any = dict.fromkeys(("photo_id", "comment_id", "person_id")) | {f"{kind}_id": 31}
    row |= {
        "decision": "rejected",
        "kind": "moderator",
        "by": "m",
        "reason": "seen",
        "score": 0.7,
        "reports": 2,
        "at": AT,
    }
    assert moderation_queue._decision_json(row) == {
        "kind": kind,
        "id": encode_id(31),
        "decision": "rejected",
        "decidedBy": {"kind": "moderator", "id": "m"},
        "reason": "seen",
        "score": 0.7,
        "reports": 2,
        "at": TOLD[0],
    }


def test_a_webhook_and_its_deliveries() -> None:
    row: Any = {"id": 41, "url": "https://a.example/", "types": ["photo.ready"], "description": "Shop"}
    row |= {"disabled_at": None, "failing_since": None, "created_at": AT}
    shown: dict[str, Any] = {"id": encode_id(41), "url": "https://a.example/", "types": ["photo.ready"]}
    shown["description"] = "Shop"
    shown |= {"enabled": True, "failingSince": None, "createdAt": TOLD[0]}
    assert webhooks_api._webhook_json(row) == shown
    ill: Any = row | {"disabled_at": MOMENTS[2], "failing_since": MOMENTS[1]}
    assert webhooks_api._webhook_json(ill) == shown | {"enabled": False, "failingSince": TOLD[1]}
    delivery: Any = {
        "id": 42,
        "message_id": "m-1",
        "type": "photo.ready",
        "body": "{}",
        "state": "waiting",
        "attempts": 2,
    }
    delivery |= {"next_attempt_at": MOMENTS[1], "last_status": 503, "last_error": "busy", "created_at": AT}
    delivery |= {"delivered_at": None}
    told = {
        "id": encode_id(42),
        "messageId": "m-1",
        "type": "photo.ready",
        "body": "{}",
        "state": "waiting",
        "attempts": 2,
        "nextAttemptAt": TOLD[1],
        "lastStatus": 503,
        "lastError": "busy",
        "createdAt": TOLD[0],
        "deliveredAt": None,
    }
    assert webhooks_api._delivery_json(delivery) == told
    arrived: Any = delivery | {"state": "delivered", "delivered_at": MOMENTS[2]}
    later = {"state": "delivered", "nextAttemptAt": None, "deliveredAt": TOLD[2]}
    assert webhooks_api._delivery_json(arrived) == told | later


def test_what_admins_see_of_models_and_dead_letters() -> None:
    move = Move(at=AT, model="ranker", alias="champion", version="7", former="6", actor="me", reason="better")
    shown = {"at": TOLD[0], "alias": "champion", "version": "7", "former": "6", "actor": "me", "reason": "better"}
    assert admin._move_json(move) == shown
    report = GateReport("run", "passed", "2026", "me: why", (GateFinding("floor", True, "good"),))
    assert admin._gates_json(report) == {
        "verdict": "passed",
        "at": "2026",
        "forced": "me: why",
        "findings": [{"gate": "floor", "passed": True, "detail": "good"}],
    }
    message = Message("things", 0, 5, "key", b"{}")
    letter = DeadLetter(message, "group", "permanent", "broken", "trace", id="l-1", occurred_at=AT)
    told = {"id": "l-1", "at": TOLD[0], "group": "group", "topic": "things", "key": "key"}
    assert admin._letter_json(letter) == told | {"code": "permanent", "reason": "broken"}


def test_a_location_is_latitude_and_longitude() -> None:
    row: Any = {"latitude": 46.5, "longitude": 8.25}
    assert photos._location_json(row) == row
    nowhere: Any = {"latitude": None, "longitude": None}
    assert photos._location_json(nowhere) is None


SHOWN: dict[str, Any] = dict.fromkeys(("own", "blocked", "muted", "hidden", "reported", "is_private", "follows"), False)
SHOWN |= {"visible": True, "status": "ready"}


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ({}, []),
        *(({name: True}, [name]) for name in ("own", "blocked", "muted", "hidden", "reported")),
        ({"is_private": True}, ["private"]),
        ({"is_private": True, "follows": True}, []),
        ({"is_private": True, "own": True}, ["own"]),
        ({"status": "review"}, ["moderation"]),
        ({"status": "rejected", "visible": False}, ["moderation"]),
        ({"visible": False}, ["not_visible"]),
        ({"blocked": True, "muted": True}, ["blocked", "muted"]),
    ],
)
def test_why_no_feed_shows_a_post(change: dict[str, Any], reasons: list[str]) -> None:
    row: Any = SHOWN | {"id": 31, "handle": "marta", "posted_at": AT} | change
    assert admin_explanation._post_json(row) == {
        "id": encode_id(31),
        "author": "marta",
        "photoStatus": row["status"],
        "postedAt": TOLD[0],
        "followsAuthor": row["follows"],
        "reasons": reasons,
    }
