"""The event log: Kafka and its in-memory twin behind two small protocols."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias
from zlib import crc32

import structlog
from prometheus_client import Counter

from photofeed.errors import RetryableError
from photofeed.events import Envelope
from photofeed.settings import Settings
from photofeed.topics import Topic

log = structlog.get_logger(__name__)

REBALANCES = Counter("photofeed_worker_rebalances", "Times a group shared out its partitions anew", ["group"])

# What is published at once goes out in few batches: a log on object storage keeps each as an object, and lists all of
# them at every fetch. Below the 1 MiB that Kafka takes.
_BATCH_BYTES = 512 * 1024
_FETCH_WAIT_MS, _STAY_POLL_MS = 100, 50
_READ_PATIENCE_SECONDS = 10.0
_HANDOVER_SECONDS = 5.0  # heartbeats stand still as long, so well below the session's end


Offsets: TypeAlias = Mapping[tuple[str, int], int]
"""Topic and partition to the next message to read there."""


@dataclass(frozen=True, slots=True)
class Message:
    """One record as it lies in the log; `value` may be anything a producer wrote."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes


class EventPublisher(Protocol):
    """Writes to the log. Safe to share between threads."""

    def publish(self, topic: str, envelopes: Sequence[Envelope]) -> None:
        """Write envelopes in order per key; returns once every one of them is durable.

        Raises:
            RetryableError: the log did not take them all; some may have been written.
        """

    def publish_encoded(self, topic: str, records: Sequence[tuple[str, bytes]]) -> None:
        """Write keys and values as they are, whatever they are; raises as `publish` does."""

    def close(self) -> None:
        """Let go of connections."""


class EventReader(Protocol):
    """Looks at the log without being a member of any group."""

    def read(self, topic: str) -> Iterator[Message]:
        """All that is in a topic, in order per partition; nothing where there is no such topic.

        Raises:
            RetryableError: the log did not answer.
        """

    def committed(self, group: str, topic: str) -> Offsets:
        """Where a group goes on; partitions that it never committed are left out.

        Raises:
            RetryableError: the log did not answer.
        """


class EventConsumer(Protocol):
    """Reads as a member of a group; belongs to one thread."""

    def poll(self, max_messages: int, timeout_seconds: float) -> list[Message]:
        """Next messages of the partitions held, in order per partition; empty after the timeout."""

    def stay(self, work: Future[Any]) -> None:
        """Remain a member of the group, taking no messages, until `work` on those taken is done or has failed.

        Should the group share out its partitions anew meanwhile, it gets those of this member only when the work is
        done, or when waiting for it would hold up the others for long.
        """

    def commit(self, offsets: Offsets | None = None) -> None:
        """Make the group go on behind everything polled so far, or at `offsets` in the partitions still held."""

    def close(self) -> None:
        """Leave the group."""


class KafkaPublisher:
    """Publishes with an idempotent kafka-python producer that waits for all replicas."""

    def __init__(self, settings: Settings) -> None:
        from kafka import KafkaProducer  # noqa: PLC0415  slow to import

        self._producer = KafkaProducer(
            bootstrap_servers=settings.kafka_bootstrap_servers,
            acks="all",
            enable_idempotence=True,
            linger_ms=5,
            batch_size=_BATCH_BYTES,
            max_block_ms=10_000,
            request_timeout_ms=15_000,
            delivery_timeout_ms=30_000,
        )

    def publish(self, topic: str, envelopes: Sequence[Envelope]) -> None:
        """Write envelopes; returns once the broker has acknowledged each."""
        self.publish_encoded(topic, [(envelope.key, envelope.encode()) for envelope in envelopes])

    def publish_encoded(self, topic: str, records: Sequence[tuple[str, bytes]]) -> None:
        """Write keys and values as they are; returns once the broker has acknowledged each."""
        from kafka.errors import KafkaError  # noqa: PLC0415

        try:
            sent = [self._producer.send(topic, key=key.encode(), value=value) for key, value in records]
            for future in sent:
                future.get(timeout=30)
        except KafkaError as error:
            raise RetryableError(f"the event log did not take messages for {topic}: {error}") from error

    def close(self) -> None:
        """Flush and disconnect."""
        self._producer.close(timeout=5)


class KafkaReader:
    """Reads whole topics with a kafka-python consumer that belongs to no group."""

    def __init__(self, settings: Settings) -> None:
        self._servers = settings.kafka_bootstrap_servers

    def read(self, topic: str) -> Iterator[Message]:
        """All that is in a topic: up to the end that the broker names with the last records it gives."""
        from kafka import KafkaConsumer, TopicPartition  # noqa: PLC0415

        consumer: Any = KafkaConsumer(
            bootstrap_servers=self._servers,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=_FETCH_WAIT_MS,
        )
        try:
            partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
            consumer.assign(partitions)
            patience = time.monotonic() + _READ_PATIENCE_SECONDS
            # only a fetch tells the true end: what brokers answer when asked for it may lag behind
            while any(_unread(consumer, partition) for partition in partitions):
                messages = _messages(consumer.poll(timeout_ms=_FETCH_WAIT_MS))
                if messages:
                    patience = time.monotonic() + _READ_PATIENCE_SECONDS
                elif time.monotonic() > patience:
                    raise RetryableError(f"the event log does not give all of {topic}")
                yield from messages
        finally:
            consumer.close()

    def committed(self, group: str, topic: str) -> Offsets:
        """Where a group goes on, asked without becoming a member."""
        from kafka import KafkaConsumer, TopicPartition  # noqa: PLC0415
        from kafka.errors import KafkaError  # noqa: PLC0415

        consumer: Any = KafkaConsumer(bootstrap_servers=self._servers, group_id=group, enable_auto_commit=False)
        try:
            partitions = consumer.partitions_for_topic(topic) or ()
            offsets = {(topic, number): consumer.committed(TopicPartition(topic, number)) for number in partitions}
        except KafkaError as error:
            raise RetryableError(f"the event log does not say where {group} goes on: {error}") from error
        finally:
            consumer.close(autocommit=False)
        return {place: offset for place, offset in offsets.items() if offset is not None}


def _unread(consumer: Any, partition: Any) -> bool:
    end = consumer.highwater(partition)
    return end is None or consumer.position(partition) < end


def _messages(batches: Any) -> list[Message]:
    return [
        Message(r.topic, r.partition, r.offset, (r.key or b"").decode(errors="replace"), r.value or b"")
        for records in batches.values()
        for r in records
    ]


class KafkaGroupConsumer:
    """A kafka-python consumer that commits only what its owner says is done.

    It is known to be alive by its heartbeats, and to be of use by polling at least every `max_poll_seconds`: a batch
    may take longer than that, since `stay` goes on polling.
    """

    def __init__(
        self, settings: Settings, group: str, topics: Sequence[Topic], *, max_poll_seconds: float = 30.0
    ) -> None:
        from kafka import KafkaConsumer  # noqa: PLC0415

        self._group = group
        self._work: Future[Any] | None = None
        self._longest_silence = min(1.0, max_poll_seconds / 4)
        self._consumer: Any = KafkaConsumer(
            bootstrap_servers=settings.kafka_bootstrap_servers,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=1_000,
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            max_poll_interval_ms=int(max_poll_seconds * 1000),
        )
        self._consumer.subscribe([topic.name for topic in topics], listener=_rebalance_listener(self))

    def poll(self, max_messages: int, timeout_seconds: float) -> list[Message]:
        """Next messages of the partitions this member holds."""
        return _messages(self._consumer.poll(timeout_ms=int(timeout_seconds * 1000), max_records=max_messages))

    def stay(self, work: Future[Any]) -> None:
        """Poll paused partitions until `work` is done: a member in good standing that is given nothing."""
        self._work = work
        try:
            while wait([work], self._longest_silence).not_done:
                self._consumer.pause(*self._consumer.assignment())
                for partition, records in self._consumer.poll(timeout_ms=_STAY_POLL_MS, max_records=1).items():
                    self._consumer.seek(partition, records[0].offset)  # of a partition given in this very poll
        finally:
            self._work = None
            self._consumer.resume(*self._consumer.paused())

    def partitions_assigned(self) -> None:
        """The group has shared out its partitions anew."""
        REBALANCES.labels(self._group).inc()

    def partitions_revoked(self) -> None:
        """The group is about to: let the work in hand end first, so that nobody else begins it at the same time."""
        if self._work is not None:
            wait([self._work], _HANDOVER_SECONDS)

    def commit(self, offsets: Offsets | None = None) -> None:
        """Commit the positions reached by poll, or these.

        Raises:
            RetryableError: another member holds the partitions by now; what was done will be done again there.
        """
        from kafka import OffsetAndMetadata  # noqa: PLC0415
        from kafka.errors import KafkaError  # noqa: PLC0415

        held = {(each.topic, each.partition): each for each in self._consumer.assignment()}
        places = offsets and {
            held[place]: OffsetAndMetadata(offset, "", -1) for place, offset in offsets.items() if place in held
        }
        try:
            self._consumer.commit(places)
        except KafkaError as error:
            raise RetryableError(f"the group did not take the commit: {error}") from error

    def close(self) -> None:
        """Leave the group without committing anything more."""
        self._consumer.close(autocommit=False)


def _rebalance_listener(member: KafkaGroupConsumer) -> Any:
    from kafka import ConsumerRebalanceListener  # noqa: PLC0415

    class Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
        def on_partitions_revoked(self, revoked: Any) -> None:  # noqa: ARG002
            member.partitions_revoked()

        def on_partitions_assigned(self, assigned: Any) -> None:  # noqa: ARG002
            member.partitions_assigned()

    return Listener()


def create_topics(settings: Settings, topics: Sequence[Topic]) -> None:
    """Create the topics that are missing; existing ones are left as they are."""
    from kafka.admin import KafkaAdminClient, NewTopic  # noqa: PLC0415

    admin: Any = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    try:
        existing = set(admin.list_topics())
        missing = [t for t in topics if t.name not in existing]
        if missing:
            admin.create_topics([NewTopic(t.name, num_partitions=t.partitions, replication_factor=1) for t in missing])
            log.info("topics created", topics=[t.name for t in missing])
    finally:
        admin.close()


@dataclass(slots=True)
class InMemoryEventLog:
    """A log in this process, with partitions, groups and commits; publisher and source of consumers at once."""

    partitions: int = 4
    _topics: dict[str, list[list[Message]]] = field(default_factory=dict)
    _committed: dict[tuple[str, str, int], int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def publish(self, topic: str, envelopes: Sequence[Envelope]) -> None:
        """Write envelopes; they are durable as long as this object lives."""
        self.publish_encoded(topic, [(envelope.key, envelope.encode()) for envelope in envelopes])

    def publish_encoded(self, topic: str, records: Sequence[tuple[str, bytes]]) -> None:
        """Write keys and values as they are."""
        self._append(topic, records)

    def read(self, topic: str) -> Iterator[Message]:
        """All that is in a topic."""
        with self._lock:
            found = [message for lane in self._topics.get(topic, []) for message in lane]
        yield from found

    def committed(self, group: str, topic: str) -> Offsets:
        """Where a group goes on."""
        with self._lock:
            return {
                (t, number): offset for (g, t, number), offset in self._committed.items() if (g, t) == (group, topic)
            }

    def _append(self, topic: str, records: Sequence[tuple[str, bytes]]) -> None:
        with self._lock:
            lanes = self._topics.setdefault(topic, [[] for _ in range(self.partitions)])
            for key, value in records:
                partition = crc32(key.encode()) % self.partitions
                lanes[partition].append(Message(topic, partition, len(lanes[partition]), key, value))

    def consumer(self, group: str, topics: Sequence[Topic]) -> "InMemoryConsumer":
        """A consumer that goes on where `group` has committed; one member a group."""
        return InMemoryConsumer(self, group, [topic.name for topic in topics])

    def close(self) -> None:
        """Nothing to let go of."""


class InMemoryConsumer:
    """The only member of a group on an InMemoryEventLog."""

    def __init__(self, event_log: InMemoryEventLog, group: str, topics: list[str]) -> None:
        self._log, self._group, self._topics = event_log, group, topics
        self._position: dict[tuple[str, str, int], int] = {}

    def poll(self, max_messages: int, timeout_seconds: float) -> list[Message]:  # noqa: ARG002  nothing to wait for
        """Next messages; empty at once when there are none."""
        found: list[Message] = []
        with self._log._lock:  # noqa: SLF001  the two halves of one thing
            for topic in self._topics:
                for partition, lane in enumerate(self._log._topics.get(topic, [])):  # noqa: SLF001
                    place = (self._group, topic, partition)
                    start = self._position.get(place, self._log._committed.get(place, 0))  # noqa: SLF001
                    taken = lane[start : start + max_messages - len(found)]
                    self._position[place] = start + len(taken)
                    found += taken
        return found

    def stay(self, work: Future[Any]) -> None:
        """Wait: the only member of a group cannot lose anything."""
        wait([work])

    def commit(self, offsets: Offsets | None = None) -> None:
        """The group goes on behind everything polled so far, or at these offsets."""
        given = {(self._group, *place): offset for place, offset in (offsets or {}).items()}
        with self._log._lock:  # noqa: SLF001
            self._log._committed.update(self._position if offsets is None else given)  # noqa: SLF001

    def close(self) -> None:
        """Forget what was polled but not committed."""
        self._position.clear()
