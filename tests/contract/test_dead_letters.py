"""The contract of dead letters, on the double and on Kafka: they are listed, and replayed once."""

import threading
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from ingestion.consumer.worker import Worker
from photofeed.dead_letters import DeadLetters
from photofeed.errors import PermanentError
from photofeed.event_log import EventConsumer, EventPublisher, EventReader, KafkaGroupConsumer, KafkaReader
from photofeed.events import Envelope
from photofeed.kafka_publisher import KafkaPublisher
from photofeed.kafka_topics import create_topics
from photofeed.topics import Topic, dead_letters
from tests.doubles.event_log import InMemoryEventLog

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

ANOTHER = "another"  # a group without members


@dataclass
class Refusing:
    """A handler that fails for some keys until it is allowed to succeed."""

    refused: set[str]
    done: list[str] = field(default_factory=list)

    def __call__(self, envelopes: Sequence[Envelope]) -> None:
        for envelope in envelopes:
            if envelope.key in self.refused:
                raise PermanentError(f"cannot do {envelope.key}", code="refused")
        self.done += [envelope.key for envelope in envelopes]


@dataclass
class Desk:
    """A topic, a group that reads it, and the letters of that group."""

    topic: Topic
    group: str
    publisher: EventPublisher
    reader: EventReader
    consumer: EventConsumer

    @property
    def letters(self) -> DeadLetters:
        return DeadLetters(self.reader, self.publisher, {self.group: (self.topic,), "other": ()})

    def work(self, handler: Refusing, messages: int) -> None:
        """Let a worker handle as many messages; a new member of a group may wait for its partitions."""
        worker = Worker(self.group, self.consumer, self.publisher, handler, threading.Event())
        for _ in range(100):
            messages -= worker.step()
            if messages <= 0:
                return
        raise AssertionError(f"{messages} messages never came")

    def unread(self) -> int:
        """How many messages still wait for the group."""
        return len([message for _ in range(4) for message in self.consumer.poll(100, 0.3)])


@pytest.fixture(params=["memory", "kafka"])
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    name = uuid.uuid4().hex[:8]
    topic, group = Topic(f"letters-{name}", key="id", partitions=1), f"readers-{name}"
    if request.param == "memory":
        memory = InMemoryEventLog()
        yield Desk(topic, group, memory, memory, memory.consumer(group, [topic]))
        return
    stack: EmbeddedStack = request.getfixturevalue("stack")
    settings = stack.settings()
    letters = [Topic(dead_letters(topic.name, one), key="id", partitions=1) for one in (group, ANOTHER)]
    create_topics(settings, [topic, *letters])
    publisher, consumer = KafkaPublisher(settings), KafkaGroupConsumer(settings, group, [topic])
    yield Desk(topic, group, publisher, KafkaReader(settings), consumer)
    consumer.close()
    publisher.close()


def test_a_replayed_letter_is_handled_once_and_is_done(desk: Desk) -> None:
    handler = Refusing({"bad"})
    desk.publisher.publish(desk.topic.name, [Envelope("thing", key, {}) for key in ("good", "bad")])
    desk.work(handler, 2)
    (letter,) = desk.letters.waiting()
    assert (letter.code, letter.reason, letter.message.key) == ("refused", "cannot do bad", "bad")

    handler.refused.clear()
    desk.letters.replay(letter, "me@here")
    assert desk.letters.waiting() == []
    desk.work(handler, 1)
    assert handler.done == ["good", "bad"]
    marker = Envelope.decode(list(desk.reader.read(dead_letters(desk.topic.name, desk.group)))[-1].value)
    assert marker.payload == {"letterId": letter.id, "by": "me@here"}
    assert desk.unread() == 0


def test_a_replayed_message_that_fails_again_is_a_new_letter(desk: Desk) -> None:
    handler = Refusing({"bad"})
    desk.publisher.publish(desk.topic.name, [Envelope("thing", "bad", {})])
    desk.work(handler, 1)
    (first,) = desk.letters.waiting()
    desk.letters.replay(first, "me@here")
    desk.work(handler, 1)
    (second,) = desk.letters.waiting()
    assert second.id != first.id
    assert second.message.value == first.message.value


def test_a_replayed_message_reaches_only_the_group_that_put_it_aside(desk: Desk) -> None:
    desk.publisher.publish(desk.topic.name, [Envelope("thing", "bad", {})])
    desk.work(Refusing({"bad"}), 1)
    (letter,) = desk.letters.waiting()
    desk.letters.replay(replace(letter, group=ANOTHER), "me@here")
    desk.letters.replay(letter, "me@here")
    handler = Refusing(set())
    desk.work(handler, 2)
    assert handler.done == ["bad"]
    assert desk.letters.waiting() == []


def test_bytes_that_are_not_text_are_replayed_unchanged(desk: Desk) -> None:
    poison = b"\xff\xfe\x00 nothing anybody can read"
    desk.publisher.publish_encoded(desk.topic.name, [("k", poison)])
    desk.work(Refusing(set()), 1)
    (letter,) = desk.letters.waiting()
    assert letter.code == "poison"
    desk.letters.replay(letter, "me@here")
    assert [message.value for message in desk.reader.read(desk.topic.name)] == [poison, poison]


def test_letters_are_found_by_their_group(desk: Desk) -> None:
    desk.publisher.publish(desk.topic.name, [Envelope("thing", "bad", {})])
    desk.work(Refusing({"bad"}), 1)
    assert len(desk.letters.waiting(desk.group)) == 1
    assert desk.letters.waiting("other") == []
