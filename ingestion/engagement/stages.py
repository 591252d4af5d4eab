"""Counting in two stages: every partition of engagement is counted by itself, so several workers share the work.

A worker has the partitions that its consumer group gives it, of engagement and of partial sums the same. It becomes the
leader of a partition with its first message, and is fenced when another worker does. Rows go to history together.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import structlog

from ingestion.engagement.accumulate import CounterRows
from ingestion.engagement.counted_events import EmptiedError, FencedError
from ingestion.engagement.feature_sink import FeatureSink
from ingestion.engagement.partials import PARTIAL
from ingestion.engagement.pipeline import EngagementPipeline
from photofeed.errors import RetryableError
from photofeed.events import Envelope

log = structlog.get_logger(__name__)

NEVER = float("inf")
# Partial sums are added together so often: of many messages that name a row, it is read and written once.
HELD_SECONDS = 0.5


@dataclass(slots=True)
class StagedPipeline:
    """Counts each partition by a pipeline of its own, whose rows are pushed to history together.

    Attributes:
        open_partition: a pipeline for a partition, with this worker as its leader, that does not push by itself.
        sink: where all of them push.
        flush_seconds: how long rows are collected.
    """

    open_partition: Callable[[int], EngagementPipeline]
    sink: FeatureSink
    flush_seconds: float = 0.0
    _parts: dict[int, EngagementPipeline] = field(default_factory=dict)
    _held: dict[str, Envelope] = field(default_factory=dict)  # partial sums by message id, added together
    _held_since: float = field(default_factory=time.monotonic)
    _flushed_at: float = field(default_factory=time.monotonic)

    @property
    def is_flushed(self) -> bool:
        """Whether history has the rows of all counted events."""
        return not self._held and all(part.is_flushed for part in self._parts.values())

    def handle(self, envelopes: Sequence[Envelope]) -> None:
        """Count every event of the batch exactly once.

        Raises:
            EmptiedError: Redis has lost the counters; history has the rows of everything counted.
            RetryableError: another worker has become the leader of a partition; handling the batch again is safe.
        """
        with self._keeping_if_emptied():
            self._handle(envelopes)

    def _handle(self, envelopes: Sequence[Envelope]) -> None:
        if not self._held:
            self._held_since = time.monotonic()
        self._held |= {envelope.id: envelope for envelope in envelopes if envelope.type == PARTIAL}
        self._count([envelope for envelope in envelopes if envelope.type != PARTIAL])
        now = time.monotonic()
        if now - self._flushed_at >= self.flush_seconds:
            self._flush()
        elif now - self._held_since >= HELD_SECONDS:
            self._add_held()

    def _count(self, envelopes: Sequence[Envelope]) -> None:
        by_partition: dict[int, list[Envelope]] = defaultdict(list)
        for envelope in envelopes:
            by_partition[envelope.partition].append(envelope)
        for partition, mine in by_partition.items():
            self._within(partition, partial(EngagementPipeline.handle, envelopes=mine))

    def _add_held(self) -> None:
        self._count(list(self._held.values()))
        self._held.clear()

    def flush(self) -> None:
        """Push everything that is pending to history.

        Raises:
            EmptiedError: as by `handle`.
        """
        with self._keeping_if_emptied():
            self._flush()

    @contextmanager
    def _keeping_if_emptied(self) -> Iterator[None]:
        """Keep what all partitions have counted: their partial sums are sent, so the events must not count again."""
        try:
            yield
        except EmptiedError:
            for partition in list(self._parts):
                self._within(partition, EngagementPipeline.keep)
            raise

    def _flush(self) -> None:
        self._add_held()
        rows: list[CounterRows] = []
        pushed = [partition for partition, part in self._parts.items() if not part.is_flushed]
        for partition in pushed:
            self._within(partition, lambda part: rows.extend(part.begin_push()))
        self.sink.push_offline(rows)
        for partition in pushed:
            self._within(partition, EngagementPipeline.end_push)
        self._flushed_at = time.monotonic()

    def _within(self, partition: int, work: Callable[[EngagementPipeline], None]) -> None:
        try:
            if partition not in self._parts:
                self._parts[partition] = self.open_partition(partition)
            work(self._parts[partition])
        except FencedError as error:
            # its messages are delivered again to the owner of the partition, maybe this worker
            self._parts.pop(partition, None)
            log.info("another worker has taken over a partition", partition=partition)
            raise RetryableError(f"another worker counts partition {partition}") from error
