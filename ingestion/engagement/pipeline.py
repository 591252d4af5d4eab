"""The engagement path: what becomes of a batch of messages, stage by stage."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from prometheus_client import Counter, Histogram

from ingestion.engagement.accumulate import accumulate, entities_touched
from ingestion.engagement.counted_events import CountedEvents
from ingestion.engagement.feature_sink import FeatureSink
from ingestion.engagement.feed_memory import FeedMemory, likes_of
from ingestion.engagement.post_content import post_content_columns
from photofeed.events import EngagementEvent, Envelope, engagement_events
from photofeed.features.counters import CounterView
from photofeed.posts import PublishedPost

log = structlog.get_logger(__name__)

COUNTED = Counter("photofeed_engagement_events", "Engagement events by what became of them", ["outcome"])
FRESHNESS = Histogram("photofeed_engagement_freshness_seconds", "From an event's occurrence to its features online")


@dataclass(slots=True)
class EngagementPipeline:
    """Turns engagement events, and posts that became ready, into features.

    Stages: finish what a crash left → decode → leave out what was counted → add to counters → remember as counted →
    push through Feast → note what was seen and what trends.
    """

    views: Sequence[CounterView]
    counted: CountedEvents
    sink: FeatureSink
    memory: FeedMemory

    def recover(self) -> None:
        """Push rows that were decided before a crash."""
        rows = self.counted.pending()
        if rows:
            log.warning("pushing rows that a crash left behind", rows=len(rows))
            self.sink.push(rows)
            self.counted.pushed()

    def handle(self, envelopes: Sequence[Envelope]) -> None:
        """Give every event of the batch its effect, once."""
        self.recover()
        self._add_posts([PublishedPost.from_payload(e.payload) for e in envelopes if e.type == "photo.processed"])
        self._count([event for e in envelopes if e.type == "engagement" for event in engagement_events(e)])

    def _add_posts(self, posts: Sequence[PublishedPost]) -> None:
        if posts:
            self.sink.push_values("post_content", post_content_columns(posts, datetime.now(UTC)))

    def _count(self, events: Sequence[EngagementEvent]) -> None:
        fresh = self.counted.uncounted(events)
        COUNTED.labels("duplicate").inc(len(events) - len(fresh))
        if not fresh:
            return
        stored = self.sink.read(entities_touched(fresh, self.views))
        rows = accumulate(fresh, self.views, stored, datetime.now(UTC))
        self.counted.mark(fresh, rows)
        self.sink.push(rows)
        self.counted.pushed()
        self.memory.remember(fresh, likes_of(rows, self._counters_of("post_engagement")))
        self._measure(fresh)

    def _counters_of(self, name: str) -> list[str]:
        view = next(view for view in self.views if view.name == name)
        return [counter.name for counter in view.counters]

    def _measure(self, events: Sequence[EngagementEvent]) -> None:
        COUNTED.labels("counted").inc(len(events))
        now = datetime.now(UTC)
        for event in events:
            if not event.imported:
                FRESHNESS.observe((now - event.occurred_at).total_seconds())
