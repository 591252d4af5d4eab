"""What every event log must do, in memory and on a real broker."""

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from photofeed.event_log import (
    EventConsumer,
    EventPublisher,
    EventReader,
    InMemoryEventLog,
    KafkaGroupConsumer,
    KafkaPublisher,
    KafkaReader,
    Message,
    create_topics,
)
from photofeed.events import Envelope
from photofeed.topics import Topic

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack


@dataclass
class EventLog:
    publisher: EventPublisher
    reader: EventReader
    topic: Topic
    join: Callable[[str], EventConsumer]
    group: Callable[[str], str] = str  # what the log calls a test's group


@pytest.fixture(params=["memory", "kafka"])
def event_log(request: pytest.FixtureRequest) -> Iterator[EventLog]:
    topic = Topic(f"contract-{uuid.uuid4().hex[:8]}", key="id", partitions=2)
    if request.param == "memory":
        memory = InMemoryEventLog(partitions=2)
        yield EventLog(memory, memory, topic, lambda group: memory.consumer(group, [topic]))
        return
    stack: EmbeddedStack = request.getfixturevalue("stack")
    settings = stack.settings()
    create_topics(settings, [topic])
    publisher = KafkaPublisher(settings)

    def name(group: str) -> str:
        return f"{group}-{topic.name}"

    def join(group: str) -> EventConsumer:
        return KafkaGroupConsumer(settings, name(group), [topic])

    yield EventLog(publisher, KafkaReader(settings), topic, join, name)
    publisher.close()


def _envelopes(*keys: str) -> list[Envelope]:
    return [Envelope("thing", key, {"n": n}) for n, key in enumerate(keys)]


def _read(consumer: EventConsumer, wanted: int) -> list[Message]:
    """Poll until `wanted` messages are there; a new member of a group may wait for its partitions."""
    messages: list[Message] = []
    for _ in range(100):
        messages += consumer.poll(wanted - len(messages), 0.5)
        if len(messages) >= wanted:
            break
    return messages


def test_what_was_published_is_read_in_order_of_its_key(event_log: EventLog) -> None:
    sent = _envelopes("a", "b", "a", "c", "a")
    event_log.publisher.publish(event_log.topic.name, sent)
    consumer = event_log.join("g")
    got = [Envelope.decode(message.value) for message in _read(consumer, 5)]
    consumer.close()
    assert sorted(e.id for e in got) == sorted(e.id for e in sent)
    assert [e.payload["n"] for e in got if e.key == "a"] == [0, 2, 4]


def test_messages_of_one_key_lie_in_one_partition(event_log: EventLog) -> None:
    event_log.publisher.publish(event_log.topic.name, _envelopes(*"aaaa"))
    consumer = event_log.join("g")
    messages = _read(consumer, 4)
    consumer.close()
    assert len({message.partition for message in messages}) == 1
    assert [message.offset for message in messages] == sorted({message.offset for message in messages})
    assert {message.key for message in messages} == {"a"}


def test_a_group_goes_on_behind_what_it_committed_and_repeats_the_rest(event_log: EventLog) -> None:
    event_log.publisher.publish(event_log.topic.name, _envelopes(*"aaaa"))
    first = event_log.join("g")
    assert len(_read(first, 2)) == 2
    first.commit()
    assert len(_read(first, 2)) == 2
    first.close()
    second = event_log.join("g")
    again = [Envelope.decode(message.value).payload["n"] for message in _read(second, 2)]
    second.close()
    assert again == [2, 3]


def test_a_group_goes_on_at_the_offsets_that_it_committed(event_log: EventLog) -> None:
    event_log.publisher.publish(event_log.topic.name, _envelopes(*"aaaa"))
    first = event_log.join("g")
    messages = _read(first, 4)
    place, offset = (messages[1].topic, messages[1].partition), messages[1].offset
    first.commit({place: offset, ("of nobody here", 0): 7})
    first.close()
    assert event_log.reader.committed(event_log.group("g"), event_log.topic.name)[place] == offset
    assert event_log.reader.committed("nobody", event_log.topic.name) == {}
    second = event_log.join("g")
    again = [Envelope.decode(message.value).payload["n"] for message in _read(second, 3)]
    second.close()
    assert again == [1, 2, 3]


def test_groups_read_independently(event_log: EventLog) -> None:
    event_log.publisher.publish(event_log.topic.name, _envelopes("a", "b"))
    for group in ("one", "other"):
        consumer = event_log.join(group)
        assert len(_read(consumer, 2)) == 2
        consumer.commit()
        consumer.close()


def test_a_topic_is_read_whole_by_whoever_belongs_to_no_group(event_log: EventLog) -> None:
    assert list(event_log.reader.read(event_log.topic.name)) == []
    assert list(event_log.reader.read("no-such-topic")) == []
    sent = _envelopes("a", "b", "a")
    event_log.publisher.publish(event_log.topic.name, sent)
    for _ in range(2):
        got = [Envelope.decode(message.value).id for message in event_log.reader.read(event_log.topic.name)]
        assert sorted(got) == sorted(envelope.id for envelope in sent)


def test_what_is_no_envelope_is_written_again_as_it_is(event_log: EventLog) -> None:
    strange = Message("elsewhere", 5, 77, "k", b"\xff\x00 no envelope")
    event_log.publisher.publish_encoded(event_log.topic.name, [(strange.key, strange.value)])
    (again,) = event_log.reader.read(event_log.topic.name)
    assert (again.key, again.value) == (strange.key, strange.value)


def test_a_member_that_stays_for_its_work_is_given_nothing_and_loses_nothing(event_log: EventLog) -> None:
    event_log.publisher.publish(event_log.topic.name, _envelopes(*"aaaa"))
    consumer, may_end = event_log.join("g"), threading.Event()
    with ThreadPoolExecutor(1) as hands:
        first = _read(consumer, 2)
        work = hands.submit(may_end.wait, 1.5)
        consumer.stay(work)
    assert work.done()
    consumer.commit()
    rest = _read(consumer, 2)
    consumer.close()
    assert [Envelope.decode(message.value).payload["n"] for message in first + rest] == [0, 1, 2, 3]
