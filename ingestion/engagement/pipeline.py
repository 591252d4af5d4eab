"""The engagement path: what becomes of a batch of messages, stage by stage."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from prometheus_client import Counter, Histogram

from ingestion.engagement.accumulate import CounterRows, accumulate, touch
from ingestion.engagement.counted_events import CountedEvents, Decided, EmptiedError
from ingestion.engagement.feature_sink import FeatureSink
from ingestion.engagement.feed_memory import FeedMemory, likes_of
from ingestion.engagement.post_content import post_content_columns
from ingestion.engagement.push_journal import PushJournal
from photofeed.errors import PoisonError
from photofeed.events import Envelope, engagement_payloads
from photofeed.features.counters import CounterView
from photofeed.features.event_columns import MICROSECONDS, EventColumns
from photofeed.posts import PublishedPost

log = structlog.get_logger(__name__)

COUNTED = Counter("photofeed_engagement_events", "Engagement events by what became of them", ["outcome"])
FRESHNESS = Histogram(
    "photofeed_engagement_freshness_seconds", "From occurrence to features online, of each batch's oldest live event"
)

MOST_EVENTS = 10_000  # counted at once: bounds memory, and what one push to the stores holds
FUTURE_LIMIT_US = 3600 * MICROSECONDS


@dataclass(slots=True)
class EngagementPipeline:
    """Turns engagement events, and posts that became ready, into features.

    Stages: finish what a crash left → decode → leave out what was counted → add to counters → note what was seen and
    what trends → remember as counted → push online → push offline, at once or gathered for `gather_seconds` into
    larger parts. Until then the rows are pending, so they are pushed again should this process die.
    """

    views: Sequence[CounterView]
    counted: CountedEvents
    sink: FeatureSink
    memory: FeedMemory
    journal: PushJournal
    gather_seconds: float = 0.0
    _gathered: list[Decided] = field(default_factory=list)
    _gathering_since: float = 0.0
    _certain: bool = False  # whether what is pending is online, and gathered here

    def lead(self) -> None:
        """Be the one worker that turns events into features, and finish what the last one left."""
        self.counted.lead()
        self.settle()

    def settle(self) -> None:
        """Leave nothing pending."""
        self._recover()
        self._flush()

    def finish_push(self) -> int:
        """After Redis was lost: let history have all of what was on its way there, and remember that it was counted.

        What is remembered already was committed: history has it, and a backfill may have replaced it since.

        Returns:
            How many events that were.
        """
        left = [batch for batch in self.journal.last() if not self.counted.known(batch).all()]
        self.sink.push_offline(self._rows(left))
        for batch in left:
            self.counted.remember(batch)
        return sum(len(batch.id) for batch in left)

    @property
    def settled(self) -> bool:
        """Whether history has all that was counted: until then its messages are to come again should Redis be lost."""
        return not self._gathered

    def handle(self, envelopes: Sequence[Envelope]) -> None:
        """Give every event of the batch its effect, once.

        Raises:
            EmptiedError: Redis has lost the counters; history has all that was counted before this batch.
        """
        self._recover()
        self._certain, before = False, len(self._gathered)
        self._add_posts([PublishedPost.from_payload(e.payload) for e in envelopes if e.type == "photo.processed"])
        payloads = [each for e in envelopes if e.type == "engagement" for each in engagement_payloads(e)]
        events = _decode(payloads)
        try:
            for start in range(0, len(events), MOST_EVENTS):
                self._count(events.part(start, start + MOST_EVENTS))
        except EmptiedError:
            # they were online when Redis was lost; this batch's messages will come again
            self._gathered = self._gathered[:before]
            self._flush()
            raise
        if time.monotonic() - self._gathering_since >= self.gather_seconds:
            self._flush()
        self._certain = True

    def _recover(self) -> None:
        """Push what was decided before a crash, or before something failed."""
        if self._certain:
            return
        self._gathered = self.counted.pending()
        if rows := self._rows(self._gathered):
            log.warning("pushing rows that were left behind", rows=sum(len(each.keys) for each in rows))
            self.sink.push_online(rows)
        self._flush()
        self._certain = True

    def _flush(self) -> None:
        """Push gathered rows offline; nothing is pending then."""
        if self._gathered:
            self.journal.write(self._gathered)
            self.sink.push_offline(self._rows(self._gathered))
            self._gathered = []
            with suppress(EmptiedError):  # history has them: their messages are done, and the next batch will notice
                self.counted.pushed()

    def _rows(self, batches: Sequence[Decided]) -> list[CounterRows]:
        """Those of a view that was changed since have no place any more: such a view is counted anew."""
        declared = {view.name: view.counter_names for view in self.views}
        return [rows for batch in batches for rows in batch.rows if declared.get(rows.view) == rows.counters]

    def _add_posts(self, posts: Sequence[PublishedPost]) -> None:
        if posts:
            self.sink.push_values("post_content", post_content_columns(posts, datetime.now(UTC)))

    def _count(self, events: EventColumns) -> None:
        fresh = self.counted.uncounted(events)
        COUNTED.labels("duplicate").inc(len(events) - len(fresh))
        if not len(fresh):
            return
        now_us = time.time_ns() // 1000
        touched = [each for each in (touch(view, fresh) for view in self.views) if len(each.keys)]
        rows = [accumulate(each, self.sink.read(each), now_us) for each in touched]
        self.memory.remember(fresh, likes_of(rows))
        self.counted.mark(fresh, rows)
        self.sink.push_online(rows)
        if not self._gathered:
            self._gathering_since = time.monotonic()
        self._gathered.append(Decided(fresh.id, fresh.day, rows))
        COUNTED.labels("counted").inc(len(fresh))
        live = fresh.occurred_us[~fresh.imported]
        if len(live):
            FRESHNESS.observe(time.time() - live.min() / MICROSECONDS)


def _decode(payloads: Sequence[Mapping[str, Any]]) -> EventColumns:
    events = EventColumns.from_payloads(payloads)
    if len(events) and events.occurred_us.max() > time.time_ns() // 1000 + FUTURE_LIMIT_US:
        raise PoisonError("an engagement event from the future: its counters would stand still until then")
    return events
