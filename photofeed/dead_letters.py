"""Dead letters: messages that workers failed to handle. They can be replayed after the cause is fixed.

The letters of a group about a topic are in a topic of their own. Nothing is removed from it: after a replay, a marker
with the id of the letter follows, and a letter with a marker is done.
"""

import base64
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog

from photofeed import database
from photofeed.errors import NotFoundError, PhotofeedError, PoisonError
from photofeed.event_log import EventPublisher, EventReader, Message
from photofeed.events import Envelope
from photofeed.ids import uuid7
from photofeed.settings import Settings
from photofeed.topics import SUBSCRIPTIONS, Topic, dead_letters

log = structlog.get_logger(__name__)

_LETTER, _MARKER = "dead_letter", "dead_letter.replayed"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that `group` failed to handle, byte for byte, with the reason."""

    message: Message
    group: str
    code: str
    reason: str
    trace: str
    id: str = field(default_factory=uuid7)
    occurred_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @staticmethod
    def about(message: Message, group: str, error: Exception) -> "DeadLetter":
        """The letter about `message`, which `group` gave up because of `error`."""
        return DeadLetter(
            message,
            group,
            code=error.code if isinstance(error, PhotofeedError) else type(error).__name__,
            reason=str(error),
            trace="".join(traceback.format_exception(error)),
        )

    def to_envelope(self) -> Envelope:
        """The letter as a message."""
        payload = {
            "topic": self.message.topic,
            "partition": self.message.partition,
            "offset": self.message.offset,
            "group": self.group,
            "code": self.code,
            "reason": self.reason,
            "trace": self.trace,
            **_text_or_base64(self.message.value),
        }
        return Envelope(
            _LETTER,
            self.message.key,
            payload,
            id=self.id,
            occurred_at=self.occurred_at,
            traceparent=self.message.traceparent,
        )

    @staticmethod
    def from_envelope(envelope: Envelope) -> "DeadLetter":
        """The letter in a message.

        Raises:
            PoisonError: a field is missing or of the wrong kind.
        """
        payload = envelope.payload
        try:
            message = Message(
                str(payload["topic"]), int(payload["partition"]), int(payload["offset"]), envelope.key, _value(payload)
            )
            return DeadLetter(
                message,
                group=str(payload["group"]),
                code=str(payload["code"]),
                reason=str(payload["reason"]),
                trace=str(payload["trace"]),
                id=envelope.id,
                occurred_at=envelope.occurred_at,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise PoisonError(f"not a dead letter: {error!r}") from error


@dataclass(slots=True)
class DeadLetters:
    """The letters of all groups. Use `replay_waiting`: two callers of `replay` might both publish the same letter."""

    reader: EventReader
    publisher: EventPublisher
    subscriptions: Mapping[str, Sequence[Topic]] = field(default_factory=lambda: SUBSCRIPTIONS)

    def waiting(self, group: str | None = None) -> list[DeadLetter]:
        """Letters that have not been replayed, of one group or of all, oldest first."""
        letters = [
            letter
            for owner, topics in self.subscriptions.items()
            if group in (None, owner)
            for topic in topics
            for letter in self._of(dead_letters(topic.name, owner))
        ]
        return sorted(letters, key=lambda letter: (letter.occurred_at, letter.id))

    def replay_waiting(
        self, settings: Settings, by: str, *, group: str | None = None, letter_id: str | None = None
    ) -> int:
        """Replay the letters of a group or of all, or the one with this id; returns how many. `by` is who does it.

        One process replays at a time: a second one waits, and then finds the markers of the first.

        Raises:
            NotFoundError: there is no such letter that waits.
            UnavailableError: the event log does not answer.
        """
        with database.connect(settings) as connection:
            connection.execute("select pg_advisory_lock(%s)", (database.REPLAY,))  # until the connection closes
            chosen = [letter for letter in self.waiting(group) if letter_id in (None, letter.id)]
            if letter_id is not None and not chosen:
                raise NotFoundError(f"no dead letter {letter_id!r} to replay", code="dead_letter_not_found")
            for letter in chosen:
                self.replay(letter, by)
        return len(chosen)

    def replay(self, letter: DeadLetter, by: str) -> None:
        """Publish the original message again, byte for byte, and mark the letter as replayed by somebody.

        Only the group that put it aside handles it: each group has letters of its own. The marker is written second, so
        a crash in between delivers the message once more, which handlers tolerate, and never loses it.
        """
        message = letter.message
        self.publisher.publish_encoded(message.topic, [(message.key, message.value)], group=letter.group)
        marker = Envelope(_MARKER, message.key, {"letterId": letter.id, "by": by})
        self.publisher.publish(dead_letters(message.topic, letter.group), [marker])
        log.info("dead letter replayed", id=letter.id, by=by, group=letter.group, topic=message.topic)

    def _of(self, topic: str) -> list[DeadLetter]:
        waiting: dict[str, DeadLetter] = {}
        replayed: set[str] = set()
        for message in self.reader.read(topic):
            envelope = Envelope.decode(message.value)
            if envelope.type == _MARKER:
                replayed.add(envelope.payload["letterId"])
            else:
                waiting[envelope.id] = DeadLetter.from_envelope(envelope)
        return [letter for letter in waiting.values() if letter.id not in replayed]


def count_waiting(
    reader: EventReader, subscriptions: Mapping[str, Sequence[Topic]] = SUBSCRIPTIONS
) -> Iterator[tuple[str, str, int]]:
    """(topic, group, letters that have not been replayed) where there are any. Keeps only ids in memory."""
    for group, topics in subscriptions.items():
        for topic in topics:
            waiting: set[str] = set()
            for message in reader.read(dead_letters(topic.name, group)):
                envelope = Envelope.decode(message.value)
                if envelope.type == _MARKER:  # after its letter: the topic has one partition
                    waiting.discard(envelope.payload["letterId"])
                else:
                    waiting.add(envelope.id)
            if waiting:
                yield topic.name, group, len(waiting)


def _text_or_base64(value: bytes) -> dict[str, str]:
    """UTF-8 stays readable text; other bytes are base64."""
    try:
        return {"value": value.decode()}
    except UnicodeDecodeError:
        return {"valueBase64": base64.b64encode(value).decode()}


def _value(payload: dict[str, Any]) -> bytes:
    if "valueBase64" in payload:
        return base64.b64decode(payload["valueBase64"], validate=True)
    return str(payload["value"]).encode()
