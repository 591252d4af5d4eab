"""The event log: Kafka and its in-memory twin behind two small protocols."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from zlib import crc32

import structlog

from photofeed.errors import RetryableError
from photofeed.events import Envelope
from photofeed.settings import Settings
from photofeed.topics import Topic

log = structlog.get_logger(__name__)


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

    def close(self) -> None:
        """Let go of connections."""


class EventConsumer(Protocol):
    """Reads as a member of a group; belongs to one thread."""

    def poll(self, max_messages: int, timeout_seconds: float) -> list[Message]:
        """Next messages of the partitions held, in order per partition; empty after the timeout."""

    def commit(self) -> None:
        """Make the group go on behind everything polled so far."""

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
            max_block_ms=10_000,
            request_timeout_ms=15_000,
            delivery_timeout_ms=30_000,
        )

    def publish(self, topic: str, envelopes: Sequence[Envelope]) -> None:
        """Write envelopes; returns once the broker has acknowledged each."""
        from kafka.errors import KafkaError  # noqa: PLC0415

        try:
            sent = [self._producer.send(topic, key=e.key.encode(), value=e.encode()) for e in envelopes]
            for future in sent:
                future.get(timeout=30)
        except KafkaError as error:
            raise RetryableError(f"the event log did not take messages for {topic}: {error}") from error

    def close(self) -> None:
        """Flush and disconnect."""
        self._producer.close(timeout=5)


class KafkaGroupConsumer:
    """A kafka-python consumer that commits only what its owner says is done."""

    def __init__(self, settings: Settings, group: str, topics: Sequence[Topic]) -> None:
        from kafka import KafkaConsumer  # noqa: PLC0415

        self._consumer = KafkaConsumer(
            *(topic.name for topic in topics),
            bootstrap_servers=settings.kafka_bootstrap_servers,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=1_000,
            fetch_max_wait_ms=100,
            max_poll_interval_ms=300_000,
        )

    def poll(self, max_messages: int, timeout_seconds: float) -> list[Message]:
        """Next messages of the partitions this member holds."""
        batches = self._consumer.poll(timeout_ms=int(timeout_seconds * 1000), max_records=max_messages)
        return [
            Message(r.topic, r.partition, r.offset, (r.key or b"").decode(errors="replace"), r.value or b"")
            for records in batches.values()
            for r in records
        ]

    def commit(self) -> None:
        """Commit the positions reached by poll.

        Raises:
            RetryableError: another member holds the partitions by now; what was done will be done again there.
        """
        from kafka.errors import KafkaError  # noqa: PLC0415

        try:
            self._consumer.commit()
        except KafkaError as error:
            raise RetryableError(f"the group did not take the commit: {error}") from error

    def close(self) -> None:
        """Leave the group without committing anything more."""
        self._consumer.close(autocommit=False)


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
        with self._lock:
            lanes = self._topics.setdefault(topic, [[] for _ in range(self.partitions)])
            for envelope in envelopes:
                partition = crc32(envelope.key.encode()) % self.partitions
                lane = lanes[partition]
                lane.append(Message(topic, partition, len(lane), envelope.key, envelope.encode()))

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

    def commit(self) -> None:
        """The group goes on behind everything polled so far."""
        with self._log._lock:  # noqa: SLF001
            self._log._committed.update(self._position)  # noqa: SLF001

    def close(self) -> None:
        """Forget what was polled but not committed."""
        self._position.clear()
