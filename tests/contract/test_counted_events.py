"""What every memory of counted events must do, in this process and in Redis."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from ingestion.engagement.accumulate import CounterRow
from ingestion.engagement.counted_events import CountedEvents, InMemoryCountedEvents, RedisCountedEvents
from photofeed.events import Action, EngagementEvent
from photofeed.timelines import connect_redis

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

ROWS = [CounterRow("post", (2**62, 5), 1_700_000_000_000_001, (0.1, 1 / 3), 1_700_000_000_000_002)]


@pytest.fixture(params=["memory", "redis"])
def counted(request: pytest.FixtureRequest) -> Iterator[CountedEvents]:
    if request.param == "memory":
        yield InMemoryCountedEvents()
        return
    stack: EmbeddedStack = request.getfixturevalue("stack")
    with connect_redis(stack.settings()) as client:
        yield RedisCountedEvents(client, worker=uuid.uuid4().hex)


def _event(name: str) -> EngagementEvent:
    return EngagementEvent(f"{name}-{id(object())}", Action.OPEN, 1, 2, datetime.now(UTC), post_id=3)


def test_an_event_counts_once_within_a_batch_and_between_batches(counted: CountedEvents) -> None:
    one, other = _event("one"), _event("other")
    assert counted.uncounted([one, other, one]) == [one, other]
    counted.mark([one], [])
    assert counted.uncounted([one, other]) == [other]


def test_rows_are_kept_exactly_until_they_are_pushed(counted: CountedEvents) -> None:
    assert counted.pending() == []
    counted.mark([_event("a")], ROWS)
    assert counted.pending() == ROWS
    counted.pushed()
    assert counted.pending() == []
