"""The event log: protocols for publishers, readers and consumers, and consumers of Kafka."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias

import structlog
from prometheus_client import Counter

from photofeed.contiguous_poll import ContiguousPoll
from photofeed.errors import UnavailableError
from photofeed.events import Envelope
from photofeed.kafka_client import GROUP_HEADER, connection_options
from photofeed.settings import Settings
from photofeed.topics import UNHURRIED_GROUPS, Topic
from photofeed.tracing import TRACEPARENT_HEADER

log = structlog.get_logger(__name__)

REBALANCES = Counter("photofeed_worker_rebalances", "Rebalances of a consumer group", ["group"])

_FETCH_WAIT_MS, _UNHURRIED_FETCH_WAIT_MS, _STAY_POLL_MS = 100, 500, 50
# A broker on object storage looks there for each fetch of each consumer, and may notice a message only when half of the
# time is over. A broker of Apache Kafka replies at once, however long it may wait.
_QUIET_SECONDS, _QUIET_FETCH_WAIT_MS = 30.0, 1_000
_READ_PATIENCE_SECONDS = 60.0  # a broker on object storage may take 20 s for a fetch on a loaded machine
_OFFSETS_MS, _COMMIT_MS = 5_000, 10_000  # kafka-python waits for ever by default
_HANDOVER_SECONDS = 5.0  # heartbeats stop meanwhile, so well below the session timeout


Offsets: TypeAlias = Mapping[tuple[str, int], int]
"""(topic, partition) -> offset of the next message to read."""


@dataclass(frozen=True, slots=True)
class Message:
    """One record of the log; `value` is whatever a producer wrote, `group` the only group that it is for, if any.

    `milliseconds` is when it was written, since 1970; `traceparent` the context of its trace, if it has one.
    """

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    group: str | None = None
    milliseconds: int = 0
    traceparent: str | None = None


class EventPublisher(Protocol):
    """Writes to the log. Threads may share it."""

    @property
    def answers(self) -> bool:
        """Whether the log took the last messages."""

    def publish(self, topic: str, envelopes: Sequence[Envelope]) -> None:
        """Write envelopes in order per key; returns when all of them are durable.

        Raises:
            UnavailableError: not all were written; some may have been.
        """

    def publish_encoded(self, topic: str, records: Sequence[tuple[str, bytes]], *, group: str | None = None) -> None:
        """Write keys and values as they are; raises as `publish` does. With `group`, all other groups skip them."""

    def close(self) -> None:
        """Close the connections."""


class EventReader(Protocol):
    """Reads the log without joining a group."""

    def read(self, topic: str) -> Iterator[Message]:
        """All messages of a topic, in order per partition; none if the topic does not exist.

        Raises:
            UnavailableError: the log did not answer.
        """

    def committed(self, group: str, topic: str) -> Offsets:
        """The committed offsets of a group; partitions without one are left out.

        Raises:
            UnavailableError: the log did not answer.
        """

    def ends(self, topics: Sequence[str]) -> Offsets:
        """Where each partition ends: the offset of the next message that is written.

        Raises:
            UnavailableError: the log did not answer.
        """


class EventConsumer(Protocol):
    """Reads as a member of a group. Only one thread may use it."""

    def poll(self, max_messages: int, timeout_seconds: float) -> list[Message]:
        """Next messages of the assigned partitions, in order per partition; empty after the timeout.

        Raises:
            UnavailableError: the log did not answer.
        """

    def stay(self, work: Future[Any]) -> None:
        """Stay a member of the group without taking messages, until `work` on the messages taken is done or has failed.

        If the group rebalances meanwhile, this member gives up its partitions when the work is done, or when waiting
        for it would delay the other members too long.
        """

    def commit(self, offsets: Offsets | None = None) -> None:
        """Commit the position behind everything polled, or `offsets` for the partitions that are still assigned."""

    def close(self) -> None:
        """Leave the group."""


class KafkaReader:
    """Reads whole topics through a kafka-python consumer without a group."""

    def __init__(self, settings: Settings) -> None:
        self._connection = connection_options(settings)

    def read(self, topic: str) -> Iterator[Message]:
        """All messages of a topic, up to the end that the broker reports with the first records."""
        from kafka.errors import KafkaError

        try:
            with closing(self._consumer()) as consumer:
                partitions = _assign(consumer, [topic])
                yield from _to_the_end(consumer, topic, partitions)
        except KafkaError as error:
            raise UnavailableError(f"the event log does not return {topic}: {error}") from error

    def committed(self, group: str, topic: str) -> Offsets:
        """The committed offsets of a group, read without becoming a member."""
        from kafka import KafkaConsumer, TopicPartition
        from kafka.errors import KafkaError

        try:
            with closing(KafkaConsumer(**self._connection, group_id=group, enable_auto_commit=False)) as consumer:
                partitions = consumer.partitions_for_topic(topic) or ()
                offsets = {(topic, number): consumer.committed(TopicPartition(topic, number)) for number in partitions}
        except KafkaError as error:
            raise UnavailableError(f"the event log does not return the offsets of {group}: {error}") from error
        return {partition: offset for partition, offset in offsets.items() if offset is not None}

    def ends(self, topics: Sequence[str]) -> Offsets:
        """The ends as the first fetches report them; other answers may lag behind."""
        from kafka.errors import KafkaError

        try:
            with closing(self._consumer()) as consumer:
                partitions = _assign(consumer, topics)
                _seek_to_last(consumer, partitions)
                return {(one.topic, one.partition): end for one, end in _fetched_ends(consumer, partitions).items()}
        except KafkaError as error:
            raise UnavailableError(f"the event log does not return the ends of its topics: {error}") from error

    def _consumer(self) -> Any:
        from kafka import KafkaConsumer

        return KafkaConsumer(
            **self._connection,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=_FETCH_WAIT_MS,
        )


def _assign(consumer: Any, topics: Sequence[str]) -> list[Any]:
    """Assign all partitions of topics to a consumer, and return them."""
    from kafka import TopicPartition

    partitions = [
        TopicPartition(topic, number) for topic in topics for number in consumer.partitions_for_topic(topic) or ()
    ]
    consumer.assign(partitions)
    return partitions


def _seek_to_last(consumer: Any, partitions: Sequence[Any]) -> None:
    """Go to the last message of each partition; where it has expired, the first fetch goes to the beginning."""
    for partition, end in consumer.end_offsets(partitions, timeout_ms=int(_READ_PATIENCE_SECONDS * 1000)).items():
        consumer.seek(partition, max(0, end - 1))


def _fetched_ends(consumer: Any, partitions: Sequence[Any]) -> dict[Any, int]:
    until = time.monotonic() + _READ_PATIENCE_SECONDS
    while unknown := [one for one in partitions if consumer.highwater(one) is None]:
        if time.monotonic() > until:
            raise UnavailableError(f"the event log does not return the ends of {len(unknown)} partitions")
        consumer.poll(timeout_ms=_FETCH_WAIT_MS)
    return {one: consumer.highwater(one) for one in partitions}


def _to_the_end(consumer: Any, topic: str, partitions: Sequence[Any]) -> Iterator[Message]:
    """Messages of the assigned partitions up to the ends that they had when reading began.

    The first fetch reports the end; other answers may lag behind. Later ends do not count: on a busy log, a reader that
    is no faster than the writers would never be done.
    """
    contiguous = ContiguousPoll(consumer, partial(_beginning, consumer))
    patience = time.monotonic() + _READ_PATIENCE_SECONDS
    ends: dict[Any, int] = {}
    while any(_unread(consumer, partition, ends) for partition in partitions):
        messages = _messages(contiguous.poll(timeout_ms=_FETCH_WAIT_MS))
        if messages:
            patience = time.monotonic() + _READ_PATIENCE_SECONDS
        elif time.monotonic() > patience:
            raise UnavailableError(f"the event log does not return all messages of {topic}")
        yield from messages


def _beginning(consumer: Any, partition: Any) -> int:
    beginning: int = consumer.beginning_offsets([partition], timeout_ms=_OFFSETS_MS)[partition]
    return beginning


def _unread(consumer: Any, partition: Any, ends: dict[Any, int]) -> bool:
    """Whether a partition has unread messages; keeps its end when it is first known."""
    if partition not in ends:
        end = consumer.highwater(partition)
        if end is None:
            return True
        ends[partition] = end
    return bool(consumer.position(partition) < ends[partition])


def _messages(batches: Any) -> list[Message]:
    return [
        Message(
            r.topic,
            r.partition,
            r.offset,
            (r.key or b"").decode(errors="replace"),
            r.value or b"",
            _header(r, GROUP_HEADER),
            r.timestamp,
            _header(r, TRACEPARENT_HEADER),
        )
        for records in batches.values()
        for r in records
    ]


def _header(record: Any, name: str) -> str | None:
    value = dict(record.headers).get(name) if record.headers else None
    return None if value is None else value.decode(errors="replace")


class KafkaGroupOffsets:
    """Reads the offsets of a group through a connection of its own. Only one thread may use it."""

    def __init__(self, settings: Settings, group: str, topics: Sequence[Topic]) -> None:
        self._settings, self._group, self._topics = settings, group, topics
        self._ends: dict[Any, int] = {}
        self._consumer: Any = None

    def read(self) -> dict[tuple[str, int], tuple[int, int]]:
        """(topic, partition) -> (committed offset, or the beginning of the log, and its end).

        The embedded broker reports the first message of the last batch as the end, so the end may be too low by the
        length of a batch. It is above the committed offset whenever a whole batch waits. While batches of that broker
        are merged, it may be lower for a second, so the end that the read before has found counts, too.

        Raises:
            UnavailableError: the log does not answer.
        """
        from kafka import KafkaConsumer, TopicPartition
        from kafka.errors import KafkaError

        try:
            if self._consumer is None:
                self._consumer = KafkaConsumer(
                    **connection_options(self._settings),
                    group_id=self._group,
                    enable_auto_commit=False,
                    bootstrap_timeout_ms=_OFFSETS_MS,
                )
            partitions = [
                TopicPartition(topic.name, number)
                for topic in self._topics
                for number in self._consumer.partitions_for_topic(topic.name) or ()
            ]
            ends = self._consumer.end_offsets(partitions, timeout_ms=_OFFSETS_MS)
            before, self._ends = self._ends, ends
            committed = {one: self._consumer.committed(one, timeout_ms=_OFFSETS_MS) for one in partitions}
            fresh = [one for one, offset in committed.items() if offset is None]
            begins = self._consumer.beginning_offsets(fresh, timeout_ms=_OFFSETS_MS) if fresh else {}
        except KafkaError as error:
            self.close()
            raise UnavailableError(f"the event log does not return the offsets of {self._group}: {error}") from error
        return {
            (one.topic, one.partition): (begins.get(one, committed[one]), max(ends[one], before.get(one, 0)))
            for one in partitions
        }

    def close(self) -> None:
        """Close the connections; the next read opens them again."""
        if self._consumer is not None:
            self._consumer.close(autocommit=False)
            self._consumer = None


class KafkaGroupConsumer:
    """A kafka-python consumer that commits only what its owner commits.

    The broker removes a member that sends no heartbeats, or that does not poll for `max_poll_seconds`. A batch may take
    longer than that, because `stay` continues to poll.
    """

    def __init__(
        self,
        settings: Settings,
        group: str,
        topics: Sequence[Topic],
        *,
        max_poll_seconds: float = 30.0,
        turned: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Join the group with the first poll.

        Args:
            settings: where the broker is.
            group: the name of the group.
            topics: what it reads.
            max_poll_seconds: the broker removes a member that does not poll for so long.
            turned: called after each poll.
            clock: monotonic seconds.
        """
        from kafka import KafkaConsumer

        self.assigned: frozenset[tuple[str, int]] = frozenset()
        self._group = group
        self._turned = turned
        self._work: Future[Any] | None = None
        REBALANCES.labels(group)  # from zero on, for alerts
        self._longest_silence = min(1.0, max_poll_seconds / 4)
        self._fetch_wait_ms = _UNHURRIED_FETCH_WAIT_MS if group in UNHURRIED_GROUPS else _FETCH_WAIT_MS
        self._clock, self._quiet_from = clock, clock() + _QUIET_SECONDS
        self._consumer: Any = KafkaConsumer(
            **connection_options(settings),
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=1_000,
            fetch_max_wait_ms=self._fetch_wait_ms,
            max_poll_interval_ms=int(max_poll_seconds * 1000),
        )
        self._contiguous = ContiguousPoll(self._consumer, self._first)
        self._consumer.subscribe([topic.name for topic in topics], listener=_rebalance_listener(self))

    def poll(self, max_messages: int, timeout_seconds: float) -> list[Message]:
        """Next messages of the assigned partitions."""
        from kafka.errors import KafkaError

        try:
            batches = self._contiguous.poll(timeout_ms=int(timeout_seconds * 1000), max_records=max_messages)
        except KafkaError as error:
            raise UnavailableError(f"the event log does not return messages: {error}") from error
        self._turned()
        if batches:
            self._quiet_from = self._clock() + _QUIET_SECONDS
        is_quiet = self._clock() >= self._quiet_from
        # kafka-python has no public way to change it
        self._consumer._fetcher.config["fetch_max_wait_ms"] = _QUIET_FETCH_WAIT_MS if is_quiet else self._fetch_wait_ms  # noqa: SLF001
        return _messages(batches)

    def _first(self, partition: Any) -> int:
        """The offset behind the committed one, at which reading begins."""
        committed: int | None = self._consumer.committed(partition, timeout_ms=_OFFSETS_MS)
        return _beginning(self._consumer, partition) if committed is None else committed

    def stay(self, work: Future[Any]) -> None:
        """Poll with all partitions paused until `work` is done: this keeps the membership and takes no messages."""
        self._work = work
        try:
            while wait([work], self._longest_silence).not_done:
                self._consumer.pause(*self._consumer.assignment())
                for partition, records in self._consumer.poll(timeout_ms=_STAY_POLL_MS, max_records=1).items():
                    self._consumer.seek(partition, records[0].offset)  # of a partition assigned in this poll
                self._turned()
        finally:
            self._work = None
            self._consumer.resume(*self._consumer.paused())

    def partitions_assigned(self, assigned: frozenset[tuple[str, int]]) -> None:
        """Called by the listener after a rebalance."""
        self.assigned = assigned
        self._contiguous.forget()
        REBALANCES.labels(self._group).inc()

    def partitions_revoked(self) -> None:
        """Called by the listener before a rebalance: waits for the current work, so that no other member repeats it."""
        if self._work is not None:
            wait([self._work], _HANDOVER_SECONDS)

    def commit(self, offsets: Offsets | None = None) -> None:
        """Commit the positions reached by poll, or these offsets.

        Raises:
            UnavailableError: the partitions are assigned to another member, which will repeat the work.
        """
        from kafka import OffsetAndMetadata
        from kafka.errors import KafkaError

        assigned = {(each.topic, each.partition): each for each in self._consumer.assignment()}
        positions = offsets and {
            assigned[partition]: OffsetAndMetadata(offset, "", -1)
            for partition, offset in offsets.items()
            if partition in assigned
        }
        try:
            self._consumer.commit(positions, timeout_ms=_COMMIT_MS)
        except KafkaError as error:
            raise UnavailableError(f"the event log did not accept the commit: {error}") from error

    def close(self) -> None:
        """Leave the group without a commit."""
        self._consumer.close(autocommit=False)


def _rebalance_listener(member: KafkaGroupConsumer) -> Any:
    from kafka import ConsumerRebalanceListener

    class Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
        def on_partitions_revoked(self, revoked: Any) -> None:  # noqa: ARG002
            member.partitions_revoked()

        def on_partitions_assigned(self, assigned: Any) -> None:
            member.partitions_assigned(frozenset((each.topic, each.partition) for each in assigned))

    return Listener()
