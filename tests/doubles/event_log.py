"""An event log in this process."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any

from photofeed.event_log import Message, Offsets
from photofeed.events import Envelope
from photofeed.partitioning import partition_of
from photofeed.topics import Topic
from photofeed.tracing import sending


@dataclass(slots=True)
class InMemoryEventLog:
    """A log in this process with partitions, groups and commits. It is publisher, reader and source of consumers."""

    partitions: int = 4
    _topics: dict[str, list[list[Message]]] = field(default_factory=dict)
    _committed: dict[tuple[str, str, int], int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def answers(self) -> bool:
        """It always takes messages."""
        return True

    def publish(self, topic: str, envelopes: Sequence[Envelope]) -> None:
        """Write envelopes. They exist as long as this object."""
        with sending(topic, envelopes) as sent:
            for one in sent:
                self._append(topic, [(one.key, one.encode())], None, one.traceparent)

    def publish_encoded(self, topic: str, records: Sequence[tuple[str, bytes]], *, group: str | None = None) -> None:
        """Write keys and values as they are."""
        self._append(topic, records, group)

    def read(self, topic: str) -> Iterator[Message]:
        """Every message of a topic."""
        with self._lock:
            found = [message for lane in self._topics.get(topic, []) for message in lane]
        yield from found

    def committed(self, group: str, topic: str) -> Offsets:
        """The offsets that a group has committed."""
        with self._lock:
            return {
                (t, number): offset for (g, t, number), offset in self._committed.items() if (g, t) == (group, topic)
            }

    def ends(self, topics: Sequence[str]) -> Offsets:
        """How many messages each partition has."""
        with self._lock:
            lanes = {topic: self._topics.get(topic, []) for topic in topics}
            return {(topic, number): len(lane) for topic, found in lanes.items() for number, lane in enumerate(found)}

    def _append(
        self, topic: str, records: Sequence[tuple[str, bytes]], group: str | None, traceparent: str | None = None
    ) -> None:
        with self._lock:
            lanes = self._topics.setdefault(topic, [[] for _ in range(self.partitions)])
            for key, value in records:
                partition = partition_of(key, self.partitions)
                lanes[partition].append(
                    Message(topic, partition, len(lanes[partition]), key, value, group, traceparent=traceparent)
                )

    def consumer(self, group: str, topics: Sequence[Topic]) -> "InMemoryConsumer":
        """A consumer that continues at the committed offsets of `group`. A group can have one member."""
        return InMemoryConsumer(self, group, [topic.name for topic in topics])

    def close(self) -> None:
        """Nothing to close."""


class InMemoryConsumer:
    """The only member of a group on an InMemoryEventLog."""

    def __init__(self, event_log: InMemoryEventLog, group: str, topics: list[str]) -> None:
        self._log, self._group, self._topics = event_log, group, topics
        self._position: dict[tuple[str, str, int], int] = {}

    def poll(self, max_messages: int, timeout_seconds: float) -> list[Message]:  # noqa: ARG002  nothing to wait for
        """Next messages; empty at once if there are none."""
        found: list[Message] = []
        with self._log._lock:
            for topic in self._topics:
                for partition, lane in enumerate(self._log._topics.get(topic, [])):
                    key = (self._group, topic, partition)
                    start = self._position.get(key, self._log._committed.get(key, 0))
                    taken = lane[start : start + max_messages - len(found)]
                    self._position[key] = start + len(taken)
                    found += taken
        return found

    def stay(self, work: Future[Any]) -> None:
        """Wait: the only member of a group cannot lose partitions."""
        wait([work])

    def commit(self, offsets: Offsets | None = None) -> None:
        """Commit everything polled so far, or these offsets."""
        given = {(self._group, *partition): offset for partition, offset in (offsets or {}).items()}
        with self._log._lock:
            self._log._committed.update(self._position if offsets is None else given)

    def close(self) -> None:
        """Forget what was polled and not committed."""
        self._position.clear()
