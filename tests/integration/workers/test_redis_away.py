"""Redis stops and comes back: events wait in the log meanwhile, and none is lost."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingestion.engagement.counted_events import RedisCountedEvents
from ingestion.engagement.feature_sink import InMemoryFeatureSink
from ingestion.engagement.feed_memory import RedisFeedMemory
from ingestion.engagement.pipeline import EngagementPipeline
from ingestion.engagement.push_journal import StoredPushJournal
from photofeed.embedded.stack import EmbeddedStack
from photofeed.event_log import InMemoryEventLog
from photofeed.events import Action, EngagementEvent, engagement_envelope
from photofeed.features.counters import counter_view
from photofeed.object_store import InMemoryObjectStore
from photofeed.timelines import connect_redis
from photofeed.topics import ENGAGEMENT, dead_letters
from photofeed.worker import Worker

VIEW = counter_view("user_activity", ["user_id"], [("total", {"counts": "any=1", "half_life_seconds": "inf"})])


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedStack]:
    stack = EmbeddedStack(tmp_path)
    stack.start(servers=("valkey",))
    yield stack
    stack.stop()


class BackSoon(threading.Event):
    """Never set; whoever waits for it to be, finds Valkey running again afterwards."""

    def __init__(self, stack: EmbeddedStack) -> None:
        super().__init__()
        self._stack = stack
        self.waits = 0

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002
        self.waits += 1
        self._stack.start(servers=("valkey",))
        return False


def test_events_wait_while_redis_is_away_and_each_counts_once_when_it_is_back(valkey: EmbeddedStack) -> None:
    log, sink, back_soon = InMemoryEventLog(), InMemoryFeatureSink(), BackSoon(valkey)
    with connect_redis(valkey.settings()) as client:
        memory, journal = RedisFeedMemory(client), StoredPushJournal(InMemoryObjectStore(), "lake")
        pipeline = EngagementPipeline([VIEW], RedisCountedEvents(client, "features"), sink, memory, journal)
        consumer = log.consumer("features", [ENGAGEMENT])
        worker = Worker("features", consumer, log, pipeline.handle, back_soon)
        for batch in range(2):
            events = [
                EngagementEvent(f"{batch}-{n}", Action.IMPRESSION, 1, 2, datetime.now(UTC), post_id=3, topic_id=4)
                for n in range(10)
            ]
            log.publish(ENGAGEMENT.name, [engagement_envelope(1, events)])
            if batch:
                valkey.stop()
            assert worker.step() == 1
        assert back_soon.waits == 1
    assert sink.online["user_activity", (1,)][1] == (20.0,)
    assert list(log.read(dead_letters(ENGAGEMENT.name, "features"))) == []
