"""The engagement path: a batch of messages, stage by stage."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import structlog
from prometheus_client import Counter, Histogram

from ingestion.engagement.accumulate import CounterDelta, CounterRows, accumulate, counter_delta
from ingestion.engagement.counted_events import (
    CountedEvents,
    EmptiedError,
    MessageIds,
    Partial,
    PendingBatch,
    RolledBackError,
)
from ingestion.engagement.credits import Credits, credit
from ingestion.engagement.feature_sink import FeatureSink
from ingestion.engagement.feed_memory import FeedMemory, likes_of
from ingestion.engagement.partials import PARTIAL, PartialExchange, deltas_of, posts_of
from ingestion.engagement.post_content import post_content_columns
from ingestion.engagement.push_journal import Push, PushJournal
from photofeed.erasures import ErasedAmong, nobody
from photofeed.events import Envelope, engagement_payloads
from photofeed.features.counters import CounterView
from photofeed.features.event_columns import EventColumns
from photofeed.posts import PublishedPost
from photofeed.publication import ITEM_DESCRIBED
from photofeed.times import MICROSECONDS
from photofeed.topics import ENGAGEMENT_PARTIAL
from photofeed.write_marks import Marks, NoMarks

log = structlog.get_logger(__name__)

COUNTED = Counter("photofeed_engagement_events", "Engagement events by outcome", ["outcome"])
FRESHNESS = Histogram(
    "photofeed_engagement_freshness_seconds",
    "From event to online features, for the oldest live event of each batch",
    buckets=(0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 30, 60, 300, 1_800, 7_200),  # a stopped worker is late
)

REPAIRS = Counter(
    "photofeed_redis_repairs", "Repairs of features after Redis may have lost its last writes, by their way", ["way"]
)

_DESCRIBES_POST = ("photo.processed", ITEM_DESCRIBED)
NO_CREDITS = Credits.none_of(np.zeros((0, 4), np.int64))
MOST_PARTIALS = 50  # messages whose sums are added at once
MOST_EVENTS = 10_000  # counted at once: bounds memory and the size of a push to the stores


@dataclass(slots=True)
class EngagementPipeline:
    """Turns engagement events, and posts that became ready, into features.

    Stages: recover pending batches → decode → drop erased people → skip counted events → credit each person once per
    post and action → add to counters → update seen posts and trends → remember as counted, with a pending batch → push
    online → push offline. Rows are collected for `flush_seconds` before they are pushed offline, for larger parts.
    Until then their batches are pending: after a crash, they are pushed again.

    Before each batch, and before its rows are used, the pipeline asks whether Redis has lost writes, or is served by
    another process. If so, it repeats what the journal and this worker know, and counts after that.
    """

    views: Sequence[CounterView]
    counted: CountedEvents
    sink: FeatureSink
    memory: FeedMemory
    journal: PushJournal
    erased: ErasedAmong = nobody
    marks: Marks = field(default_factory=NoMarks)
    rebuild: Callable[[], object] | None = None  # restores all that was counted, from history and the log
    partition: int = 0
    exchange: PartialExchange | None = None  # with the other partitions, if features are counted in two stages
    flush_seconds: float = 0.0
    new_account_us: int = 0  # as for `counter_delta`
    _unflushed: list[PendingBatch] = field(default_factory=list)
    _posts: list[dict[str, Any]] = field(default_factory=list)  # posts online that the journal does not have
    _unflushed_since: float = 0.0
    _marked: int = 0  # the push that all marks have
    _servers: frozenset[str] | None = None  # processes of Redis when it was last known to be whole
    _is_recovered: bool = False  # whether pending batches are online and in _unflushed

    def become_leader(self) -> None:
        """Become the one worker that counts events, and finish what the last leader left pending."""
        self.counted.become_leader()
        self.flush()

    def flush(self) -> None:
        """Push everything that is pending.

        Raises:
            EmptiedError: Redis has lost the counters; history has the rows of everything that was pending.
        """
        with self._keeping_if_emptied():
            self._begin()
            self._push_offline()

    def keep(self) -> None:
        """After Redis was emptied: push what is pending to the journal and to history, from which it is restored.

        The marks are gone with the counters, and are set again by the rebuild.
        """
        if not self.is_flushed:
            self.sink.push_offline(self.begin_push())
            self._unflushed, self._posts = [], []

    def finish_push(self) -> int:
        """Recovery after Redis lost its data: mark the journaled batches as counted, and push the last offline again.

        The push before the last was finished, but its messages may not be committed. Batches whose events are marked
        already are skipped: they were committed, so history has their rows, and a backfill may have replaced those
        since.

        Returns:
            How many events were marked.
        """
        unfinished = self._unmarked(self.journal.last())
        self.sink.push_offline(self._rows(unfinished))
        marked = self._mark(unfinished)
        for number in list(self.journal.numbers()):
            marked += self._mark(self._unmarked(self.journal.read(number)))
        return marked

    def _unmarked(self, push: Push) -> list[PendingBatch]:
        return [batch for batch in push.batches if not self.counted.known(batch).all()]

    def _mark(self, batches: Sequence[PendingBatch]) -> int:
        for batch in batches:
            self.counted.remember(batch)
            self.counted.merge_credits(batch.credits)
        return sum(len(batch.id) for batch in batches)

    @property
    def is_flushed(self) -> bool:
        """Whether history has the rows of all counted events. Until then, their messages must not be committed."""
        return not (self._unflushed or self._posts)

    def handle(self, envelopes: Sequence[Envelope]) -> None:
        """Count every event of the batch exactly once.

        Raises:
            EmptiedError: Redis has lost the counters; history has the rows of everything counted. The messages of this
                batch must be delivered again.
            RolledBackError: Redis has lost writes during the batch; handling it again is safe.
        """
        with self._keeping_if_emptied():
            self._handle(envelopes)

    @contextmanager
    def _keeping_if_emptied(self) -> Iterator[None]:
        try:
            yield
        except EmptiedError:
            self.keep()
            raise

    def _handle(self, envelopes: Sequence[Envelope]) -> None:
        if self._servers is None or not self._is_recovered:
            self._begin()  # otherwise another process of Redis is noticed before the rows that were read are used
        self._is_recovered = False
        posts = [PublishedPost.from_payload(e.payload) for e in envelopes if e.type in _DESCRIBES_POST]
        payloads = [each for e in envelopes if e.type == "engagement" for each in engagement_payloads(e)]
        events = EventColumns.from_payloads(payloads)
        people = np.union1d(events.user_id, events.creator_id).tolist()
        gone = self.erased([*people, *(post.ref.author_id for post in posts)])
        self._add_posts([post for post in posts if post.ref.author_id not in gone])
        if gone:
            left = list(gone)
            events = events.take(~np.isin(events.user_id, left) & ~np.isin(events.creator_id, left))
        partials = [each for each in envelopes if each.type == PARTIAL]
        for start in range(0, len(events), MOST_EVENTS):
            self._count(events.part(start, start + MOST_EVENTS))
        for start in range(0, len(partials), MOST_PARTIALS):
            self._add_partials(partials[start : start + MOST_PARTIALS])
        if time.monotonic() - self._unflushed_since >= self.flush_seconds:
            self._push_offline()
        self._is_recovered = True

    def _begin(self) -> None:
        """Repair what Redis has lost, and push what a crash or a failure left pending."""
        state = self.marks.look()
        if state.lowest < self.journal.newest or state.servers != (self._servers or state.servers):
            self._repair(state.lowest)
        self._servers, self._marked = state.servers, self.journal.newest
        self._recover()

    def _repair(self, mark: int) -> None:
        """Write again what Redis may have lost since a mark: pushes of the journal, and what is not pushed yet."""
        self.counted.pending()  # raises an EmptiedError if all is lost
        pushes = self.journal.after(mark)
        log.warning("Redis may have lost its last writes: repairing", mark=mark, newest=self.journal.newest)
        REPAIRS.labels("rebuilt" if pushes is None else "repeated").inc()
        if pushes is None:
            if self.rebuild is None:
                raise EmptiedError
            self.rebuild()
            pushes = []
        batches = [batch for push in pushes for batch in push.batches]
        self.counted.restore(batches)
        self.sink.push_online(self._rows([*batches, *self._unflushed]))
        if pushes:  # the worker may have died before it had pushed the last of them
            self.sink.push_offline(self._rows(pushes[-1].batches))
        self._push_posts([*(post for push in pushes for post in push.posts), *self._posts])
        for batch in (*batches, *self._unflushed):
            if batch.events is not None:
                self.memory.remember(batch.events, likes_of(batch.rows))
        self.marks.raise_to(self.journal.newest, known=0)
        self._is_recovered = False

    def _recover(self) -> None:
        """Push the batches left pending by a crash or a failure."""
        if self._is_recovered:
            return
        self._unflushed = self._with_events(self.counted.pending())
        if rows := self._rows(self._unflushed):
            log.warning("pushing rows left pending", rows=sum(len(each.keys) for each in rows))
            self.sink.push_online(rows)
        for batch in self._unflushed:
            self._send(batch.partials)
        self._push_offline()
        self._is_recovered = True

    def _push_offline(self) -> None:
        """Push the collected rows offline; afterwards nothing is pending."""
        if not self.is_flushed:
            self.sink.push_offline(self.begin_push())
            self.end_push()

    def begin_push(self) -> list[CounterRows]:
        """Write the collected rows to the journal; returns them, to be pushed offline."""
        self.journal.write(Push(self._unflushed, self._posts))
        return self._rows(self._unflushed)

    def end_push(self) -> None:
        """Mark the rows of `begin_push` as pushed: nothing is pending.

        Raises:
            RolledBackError: Redis has lost writes since the last push; pushing again is safe.
        """
        newest = self.journal.newest
        before = self.marks.raise_to(newest, known=self._marked)
        if before.lowest < self._marked or before.servers != self._servers:
            raise RolledBackError
        self._marked = newest
        self._unflushed, self._posts = [], []
        with suppress(EmptiedError):  # history has the rows, so their messages are done; the next batch raises it
            self.counted.clear_pending()

    def _rows(self, batches: Sequence[PendingBatch]) -> list[CounterRows]:
        """The rows of the batches, except those of views whose counters have changed since: they are recounted."""
        declared = {view.name: view.counter_names for view in self.views}
        return [rows for batch in batches for rows in batch.rows if declared.get(rows.view) == rows.counters]

    def _with_events(self, pending: Sequence[PendingBatch]) -> list[PendingBatch]:
        """Pending batches, with the events of those that this worker has added."""
        known = {batch.id[0]: batch for batch in self._unflushed if len(batch.id)}
        return [known.get(batch.id[0], batch) if len(batch.id) else batch for batch in pending]

    def _add_posts(self, posts: Sequence[PublishedPost]) -> None:
        if posts:
            self._posts += [post.to_payload() for post in posts]
            self._push_posts(self._posts[-len(posts) :])

    def _push_posts(self, payloads: Sequence[Mapping[str, Any]]) -> None:
        if payloads:
            posts = [PublishedPost.from_payload(dict(payload)) for payload in payloads]
            self.sink.push_values("post_content", post_content_columns(posts, datetime.now(UTC)))

    def _count(self, events: EventColumns) -> None:
        fresh = self.counted.uncounted(events)
        COUNTED.labels("duplicate").inc(len(events) - len(fresh))
        if not len(fresh):
            return
        now_us = time.time_ns() // 1000
        credited, states = credit(fresh, self.counted.credits)
        deltas = [counter_delta(view, credited, self.new_account_us) for view in self.views]
        deltas = [delta for delta in deltas if len(delta.keys)]
        partials: list[Partial] = []
        if self.exchange is not None:
            deltas, envelopes = self.exchange.partitions.split(deltas, fresh, self.partition, now_us)
            partials = [(envelope.key, envelope.encode()) for envelope in envelopes]
        rows = self._accumulate(deltas, now_us)
        self.memory.remember(fresh, likes_of(rows))
        self._add(PendingBatch(fresh.id, fresh.day, rows, states, fresh, partials))
        COUNTED.labels("counted").inc(len(fresh))
        live = fresh.occurred_us[~fresh.imported]
        if len(live):
            FRESHNESS.observe(time.time() - live.min() / MICROSECONDS)

    def _add_partials(self, messages: Sequence[Envelope]) -> None:
        """Add partial sums of other partitions, each message once."""
        seen = {message.id: message for message in messages}
        ids = MessageIds.of(list(seen.values()))
        fresh = ~self.counted.known(ids)
        payloads = [message.payload for message, is_fresh in zip(seen.values(), fresh, strict=True) if is_fresh]
        if not payloads:
            return
        rows = self._accumulate(deltas_of(payloads, self.views), time.time_ns() // 1000)
        posts = posts_of(payloads)
        self.memory.remember(posts, likes_of(rows))
        self._add(PendingBatch(ids.id[fresh], ids.day[fresh], rows, NO_CREDITS, posts))

    def _accumulate(self, deltas: Sequence[CounterDelta], now_us: int) -> list[CounterRows]:
        rows = [accumulate(delta, self.sink.read(delta), now_us) for delta in deltas]
        if self.marks.look().servers != self._servers:
            raise RolledBackError  # the rows that were read may be older ones
        return rows

    def _add(self, batch: PendingBatch) -> None:
        """Remember a batch as counted, and push its rows online and its partial sums to other partitions."""
        self.counted.add_pending(batch, batch.rows, batch.credits, batch.partials)
        self.sink.push_online(batch.rows)
        self._send(batch.partials)
        if not self._unflushed:
            self._unflushed_since = time.monotonic()
        self._unflushed.append(batch)

    def _send(self, partials: Sequence[Partial]) -> None:
        if self.exchange is not None and partials:
            self.exchange.publisher.publish_encoded(ENGAGEMENT_PARTIAL.name, partials)
