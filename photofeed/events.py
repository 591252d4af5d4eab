"""The envelope of every Kafka message, and engagement events."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import orjson

from photofeed.errors import PoisonError
from photofeed.ids import uuid7

_EVENT_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Envelope:
    """One Kafka message: JSON with `id, type, version, occurredAt, key, payload` (payload in camelCase).

    Numpy arrays in the payload are written as lists of numbers, each with the digits that its type needs.
    """

    type: str
    key: str
    payload: dict[str, Any]
    version: int = 1
    id: str = field(default_factory=uuid7)
    occurred_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    partition: int = field(default=0, compare=False)  # of the log that it was read from; not in the message
    offset: int | None = field(default=None, compare=False)  # in that partition; None if it was not read from the log
    traceparent: str | None = field(default=None, compare=False)  # in a header of the message (tracing.py)

    def encode(self) -> bytes:
        """The bytes of the message."""
        return orjson.dumps(
            {
                "id": self.id,
                "type": self.type,
                "version": self.version,
                "occurredAt": self.occurred_at.isoformat(),
                "key": self.key,
                "payload": self.payload,
            },
            option=orjson.OPT_SERIALIZE_NUMPY,
        )

    @staticmethod
    def decode(
        data: bytes, partition: int = 0, traceparent: str | None = None, offset: int | None = None
    ) -> "Envelope":
        """The envelope in a message, with where it was read from, and the context of its trace.

        Raises:
            PoisonError: the bytes are not an envelope.
        """
        try:
            document = orjson.loads(data)
            occurred_at = datetime.fromisoformat(document["occurredAt"])
            if occurred_at.tzinfo is None:
                raise ValueError("occurredAt has no time zone")
            if not isinstance(document["payload"], dict):
                raise TypeError("payload is not an object")
            return Envelope(
                type=document["type"],
                key=document["key"],
                payload=document["payload"],
                version=int(document["version"]),
                id=document["id"],
                occurred_at=occurred_at.astimezone(UTC),
                partition=partition,
                offset=offset,
                traceparent=traceparent,
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise PoisonError(f"not an event envelope: {error}") from error


MAX_EVENTS = 500  # of one POST /v1/events
LATEST_EVENTS = timedelta(days=2)  # how late events of clients may arrive: phones may have been offline


class Action(StrEnum):
    """Actions on posts and people: the types of engagement events."""

    IMPRESSION = "impression"
    DWELL = "dwell"
    OPEN = "open"
    LIKE = "like"
    UNLIKE = "unlike"
    COMMENT = "comment"
    SAVE = "save"
    UNSAVE = "unsave"
    SHARE = "share"
    HIDE = "hide"
    UNHIDE = "unhide"
    REPORT = "report"
    PROFILE_VISIT = "profile_visit"
    FOLLOW = "follow"
    UNFOLLOW = "unfollow"
    MUTE = "mute"
    UNMUTE = "unmute"


# Actions on a person; all others are on a post.
PERSON_ACTIONS = frozenset({Action.PROFILE_VISIT, Action.FOLLOW, Action.UNFOLLOW, Action.MUTE, Action.UNMUTE})
# The source of an unfollow that the followed person brought about, by a block or by removing the follower.
ENDED_BY_OTHER = "ended_by_other"


@dataclass(frozen=True, slots=True)
class EngagementEvent:
    """One action of one person, with the attributes of the post that are keys of features.

    `creator_id` is the post's author or, for actions on a person, that person. `topic_id` and `content_type` are those
    of the post; None for actions on a person. `dwell_ms` is set only for `dwell`. `imported`: a service back-dated the
    event, and it counts as known since it occurred, so that imported history trains models like live events do.
    """

    id: str
    action: Action
    user_id: int
    creator_id: int
    occurred_at: datetime
    post_id: int | None = None
    topic_id: int | None = None
    content_type: str | None = None
    slate_id: str | None = None
    position: int | None = None
    dwell_ms: int | None = None
    source: str | None = None
    imported: bool = False

    def to_payload(self) -> dict[str, Any]:
        """The event as an item of an `engagement` message's payload."""
        payload: dict[str, Any] = {
            "id": self.id,
            "action": self.action.value,
            "userId": self.user_id,
            "creatorId": self.creator_id,
            "occurredAt": self.occurred_at.isoformat(),
            "postId": self.post_id,
            "topicId": self.topic_id,
            "contentType": self.content_type,
            "slateId": self.slate_id,
            "position": self.position,
            "dwellMs": self.dwell_ms,
            "source": self.source,
            "imported": self.imported or None,
        }
        return {name: value for name, value in payload.items() if value is not None}

    @staticmethod
    def from_payload(payload: dict[str, Any]) -> "EngagementEvent":
        """The event of a payload's item.

        Raises:
            PoisonError: a field is missing or has the wrong type.
        """
        try:
            return EngagementEvent(
                id=str(payload["id"]),
                action=Action(payload["action"]),
                user_id=int(payload["userId"]),
                creator_id=int(payload["creatorId"]),
                occurred_at=datetime.fromisoformat(payload["occurredAt"]).astimezone(UTC),
                post_id=payload.get("postId"),
                topic_id=payload.get("topicId"),
                content_type=payload.get("contentType"),
                slate_id=payload.get("slateId"),
                position=payload.get("position"),
                dwell_ms=payload.get("dwellMs"),
                source=payload.get("source"),
                imported=bool(payload.get("imported")),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise PoisonError(f"not an engagement event: {error!r}") from error


def engagement_envelope(user_id: int, events: list[EngagementEvent]) -> Envelope:
    """A batch of one person's events as one message, keyed by that person."""
    return Envelope(
        type="engagement",
        key=str(user_id),
        payload={"events": [event.to_payload() for event in events]},
        occurred_at=events[-1].occurred_at,
    )


def event_id(user_id: int, client_id: str) -> str:
    """The id of a person's event, from the client's id; clients of two people may use the same `client_id`."""
    return hashlib.blake2b(f"{user_id}:{client_id}".encode(), digest_size=_EVENT_ID_BYTES).hexdigest()


def engagement_payloads(envelope: Envelope) -> list[dict[str, Any]]:
    """The items of one `engagement` message.

    Raises:
        PoisonError: the message has no list of events.
    """
    payloads = envelope.payload.get("events")
    if not isinstance(payloads, list):
        raise PoisonError("an engagement message without events")
    return payloads


def engagement_events(envelope: Envelope) -> list[EngagementEvent]:
    """The events of one `engagement` message."""
    return [EngagementEvent.from_payload(payload) for payload in engagement_payloads(envelope)]
