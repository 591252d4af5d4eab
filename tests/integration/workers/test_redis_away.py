"""Redis stops and restarts: events wait in the log meanwhile, and none is lost."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingestion.consumer.worker import Worker
from ingestion.engagement.counted_events import RedisCountedEvents
from ingestion.engagement.feed_memory import RedisFeedMemory
from ingestion.engagement.pipeline import EngagementPipeline
from ingestion.engagement.push_journal import StoredPushJournal
from photofeed.embedded.stack import EmbeddedStack
from photofeed.events import Action, EngagementEvent, engagement_envelope
from photofeed.features.counters import counter_view
from photofeed.redis_client import connect_redis
from photofeed.topics import ENGAGEMENT, dead_letters
from tests.doubles.event_log import InMemoryEventLog
from tests.doubles.feature_sink import InMemoryFeatureSink
from tests.doubles.object_store import InMemoryObjectStore

VIEW = counter_view("user_activity", ["user_id"], [("total", {"counts": "any=1", "half_life_seconds": "inf"})])


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedStack]:
    stack = EmbeddedStack(tmp_path)
    stack.start(servers=("valkey",))
    yield stack
    stack.stop()


class BackSoon(threading.Event):
    """Never set. A worker that waits for it finds Valkey running again."""

    def __init__(self, stack: EmbeddedStack) -> None:
        super().__init__()
        self._stack = stack
        self.waits = 0

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002
        self.waits += 1
        self._stack.start(servers=("valkey",))
        return False


def test_events_wait_while_redis_is_down_and_count_once_afterwards(valkey: EmbeddedStack) -> None:
    log, sink, back_soon = InMemoryEventLog(), InMemoryFeatureSink(), BackSoon(valkey)
    with connect_redis(valkey.settings()) as client:
        memory, journal = RedisFeedMemory(client), StoredPushJournal(InMemoryObjectStore(), "lake")
        pipeline = EngagementPipeline([VIEW], RedisCountedEvents(client, "features"), sink, memory, journal)
        consumer = log.consumer("features", [ENGAGEMENT])
        worker = Worker("features", consumer, log, pipeline.handle, back_soon)
        for batch in range(2):
            events = [
                EngagementEvent(
                    f"{batch}-{n}", Action.IMPRESSION, 1, 2, datetime.now(UTC), post_id=1 + 10 * batch + n, topic_id=4
                )
                for n in range(10)
            ]
            log.publish(ENGAGEMENT.name, [engagement_envelope(1, events)])
            if batch:
                valkey.stop()
            assert worker.step() == 1
        assert back_soon.waits == 1
    assert sink.online["user_activity", (1,)][1] == (20.0,)
    assert list(log.read(dead_letters(ENGAGEMENT.name, "features"))) == []
