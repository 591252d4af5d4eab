"""The contract of the event log, on the double and on Kafka."""

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from kafka.errors import KafkaConnectionError
from kafka.protocol.consumer import FetchRequest

from photofeed.errors import UnavailableError
from photofeed.event_log import (
    EventConsumer,
    EventPublisher,
    EventReader,
    KafkaGroupConsumer,
    KafkaGroupOffsets,
    KafkaReader,
    Message,
)
from photofeed.events import Envelope
from photofeed.kafka_publisher import KafkaPublisher
from photofeed.kafka_topics import create_topics
from photofeed.settings import Settings
from photofeed.topics import Topic
from tests.doubles.event_log import InMemoryEventLog

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack


@dataclass
class EventLog:
    publisher: EventPublisher
    reader: EventReader
    topic: Topic
    join: Callable[[str], EventConsumer]
    group: Callable[[str], str] = str  # the log's name of a test's group


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


def test_a_message_keeps_the_context_of_its_trace(event_log: EventLog) -> None:
    context = f"00-{'0a' * 16}-{'0b' * 8}-01"
    traced, other = Envelope("thing", "traced", {}, traceparent=context), Envelope("thing", "other", {})
    event_log.publisher.publish(event_log.topic.name, [traced, other])
    with closing(event_log.join("tracing")) as consumer:
        read = _read(consumer, 2)
    assert {one.key: one.traceparent for one in read} == {"traced": context, "other": None}


def test_messages_are_read_in_order_per_key(event_log: EventLog) -> None:
    sent = _envelopes("a", "b", "a", "c", "a")
    event_log.publisher.publish(event_log.topic.name, sent)
    consumer = event_log.join("g")
    got = [Envelope.decode(message.value) for message in _read(consumer, 5)]
    consumer.close()
    assert sorted(e.id for e in got) == sorted(e.id for e in sent)
    assert [e.payload["n"] for e in got if e.key == "a"] == [0, 2, 4]


def test_messages_with_one_key_are_in_one_partition(event_log: EventLog) -> None:
    event_log.publisher.publish(event_log.topic.name, _envelopes(*"aaaa"))
    consumer = event_log.join("g")
    messages = _read(consumer, 4)
    consumer.close()
    assert len({message.partition for message in messages}) == 1
    assert [message.offset for message in messages] == sorted({message.offset for message in messages})
    assert {message.key for message in messages} == {"a"}


def test_ends_are_behind_the_last_message_of_each_partition(event_log: EventLog) -> None:
    event_log.publisher.publish(event_log.topic.name, _envelopes(*"aaaa"))
    event_log.publisher.publish(event_log.topic.name, _envelopes(*"a"))
    (partition,) = {message.partition for message in event_log.reader.read(event_log.topic.name)}
    name = event_log.topic.name
    assert event_log.reader.ends([name]) == {(name, partition): 5, (name, 1 - partition): 0}


def test_a_group_continues_behind_its_commit_and_repeats_the_rest(event_log: EventLog) -> None:
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


def test_a_group_continues_at_the_offsets_that_it_committed(event_log: EventLog) -> None:
    event_log.publisher.publish(event_log.topic.name, _envelopes(*"aaaa"))
    first = event_log.join("g")
    messages = _read(first, 4)
    partition, offset = (messages[1].topic, messages[1].partition), messages[1].offset
    first.commit({partition: offset, ("not assigned here", 0): 7})
    first.close()
    assert event_log.reader.committed(event_log.group("g"), event_log.topic.name)[partition] == offset
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


def test_a_reader_without_a_group_reads_a_whole_topic(event_log: EventLog) -> None:
    assert list(event_log.reader.read(event_log.topic.name)) == []
    assert list(event_log.reader.read("no-such-topic")) == []
    sent = _envelopes("a", "b", "a")
    event_log.publisher.publish(event_log.topic.name, sent)
    for _ in range(2):
        got = [Envelope.decode(message.value).id for message in event_log.reader.read(event_log.topic.name)]
        assert sorted(got) == sorted(envelope.id for envelope in sent)


def test_a_reader_is_done_although_messages_keep_coming(event_log: EventLog) -> None:
    most = 40
    event_log.publisher.publish(event_log.topic.name, _envelopes("a", "a", "a"))
    read = 0
    for _ in event_log.reader.read(event_log.topic.name):
        read += 1
        if read == most:
            break
        event_log.publisher.publish(event_log.topic.name, _envelopes("a"))
    assert 3 <= read < most


def test_bytes_that_are_no_envelope_are_written_unchanged(event_log: EventLog) -> None:
    strange = Message("elsewhere", 5, 77, "k", b"\xff\x00 no envelope")
    event_log.publisher.publish_encoded(event_log.topic.name, [(strange.key, strange.value)])
    (again,) = event_log.reader.read(event_log.topic.name)
    assert (again.key, again.value) == (strange.key, strange.value)


def test_a_member_that_stays_takes_no_messages_and_loses_none(event_log: EventLog) -> None:
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


def test_the_offsets_of_a_group_are_read_beside_its_members(stack: "EmbeddedStack") -> None:
    settings, topic = stack.settings(), Topic(f"contract-{uuid.uuid4().hex[:8]}", key="id", partitions=2)
    create_topics(settings, [topic])
    with closing(KafkaPublisher(settings)) as publisher:
        publisher.publish(topic.name, _envelopes("a", "b", "a"))
    group = f"g-{topic.name}"
    with (
        closing(KafkaGroupOffsets(settings, group, [topic])) as offsets,
        closing(KafkaGroupConsumer(settings, group, [topic])) as consumer,
    ):
        assert any(end > committed for committed, end in offsets.read().values())
        _read(consumer, 3)
        assert consumer.assigned == {(topic.name, 0), (topic.name, 1)}
        consumer.commit()
        assert not any(end > committed for committed, end in offsets.read().values())
        assert offsets.read().keys() == consumer.assigned


def test_a_quiet_group_lets_the_broker_wait_longer(stack: "EmbeddedStack", monkeypatch: pytest.MonkeyPatch) -> None:
    settings, topic = stack.settings(), Topic(f"contract-{uuid.uuid4().hex[:8]}", key="id")
    create_topics(settings, [topic])
    asked: list[int] = []

    class Recording:
        min_version_for_isolation_level = FetchRequest.min_version_for_isolation_level

        def __call__(self, *, max_wait_ms: int, **fields: Any) -> Any:
            asked.append(max_wait_ms)
            return FetchRequest(max_wait_ms=max_wait_ms, **fields)

    monkeypatch.setattr("kafka.consumer.fetcher.FetchRequest", Recording())
    seconds = [0.0]
    with (
        closing(KafkaPublisher(settings)) as publisher,
        closing(KafkaGroupConsumer(settings, f"g-{topic.name}", [topic], clock=lambda: seconds[0])) as consumer,
    ):
        publisher.publish(topic.name, _envelopes("a"))
        _read(consumer, 1)
        assert set(asked) == {100}
        seconds[0] = 31.0
        _poll_until(consumer, lambda: asked[-1] == 1_000)
        publisher.publish(topic.name, _envelopes("b"))
        _read(consumer, 1)
        _poll_until(consumer, lambda: asked[-1] == 100)


def _poll_until(consumer: EventConsumer, is_true: Callable[[], bool]) -> None:
    for _ in range(20):
        if is_true():
            return
        consumer.poll(1, 0.5)
    raise AssertionError("it never became true")


def test_offsets_of_a_log_that_is_away_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise KafkaConnectionError("refused")

    monkeypatch.setattr("kafka.KafkaConsumer", refuse)
    with pytest.raises(UnavailableError, match="refused"):
        KafkaGroupOffsets(Settings(), "g", [Topic("things", key="id")]).read()
