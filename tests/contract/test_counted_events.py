"""What every memory of counted events must do, in this process and in Redis."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ingestion.engagement.accumulate import CounterRows
from ingestion.engagement.counted_events import (
    CountedEvents,
    DeposedError,
    EmptiedError,
    InMemoryCountedEvents,
    RedisCountedEvents,
)
from photofeed.events import Action, EngagementEvent
from photofeed.features.event_columns import EventColumns
from photofeed.timelines import connect_redis, features_term_key

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

ROWS = CounterRows(
    "post",
    ("likes",),
    np.array([[2**62, 5]]),
    np.array([1_700_000_000_000_001]),
    np.array([1_700_000_000_000_002]),
    np.array([[0.1, 1 / 3]]),
)


@pytest.fixture(params=["memory", "redis"])
def counted(request: pytest.FixtureRequest) -> Iterator[CountedEvents]:
    if request.param == "memory":
        yield InMemoryCountedEvents()
        return
    stack: EmbeddedStack = request.getfixturevalue("stack")
    with connect_redis(stack.settings()) as client:
        yield RedisCountedEvents(client, worker=uuid.uuid4().hex)


def _events(*names: str) -> EventColumns:
    now = datetime.now(UTC)
    events = [EngagementEvent(name, Action.OPEN, 1, 2, now - timedelta(days=n)) for n, name in enumerate(names)]
    return EventColumns.from_payloads([event.to_payload() for event in events])


def test_an_event_counts_once_within_a_batch_and_between_batches(counted: CountedEvents) -> None:
    one, other = uuid.uuid4().hex, uuid.uuid4().hex
    assert counted.uncounted(_events(one, other)).id.tolist() == [one, other]
    twice = _events(one, one)
    twice.occurred_us[1] = twice.occurred_us[0]
    assert counted.uncounted(twice).id.tolist() == [one]
    counted.mark(_events(one), [])
    assert counted.uncounted(_events(one, other)).id.tolist() == [other]
    before = counted.count()
    counted.remember(_events(one, other))
    assert len(counted.uncounted(_events(one, other))) == 0
    assert counted.count() == before + 1


def test_rows_of_all_batches_are_kept_exactly_until_they_are_pushed(counted: CountedEvents) -> None:
    assert counted.pending() == []
    batches = [_events(uuid.uuid4().hex), _events(uuid.uuid4().hex)]
    for events in batches:
        counted.mark(events, [ROWS])
    pending = counted.pending()
    assert [(each.id.tolist(), each.day.tolist()) for each in pending] == [
        (events.id.tolist(), events.day.tolist()) for events in batches
    ]
    for (kept,) in (each.rows for each in pending):
        assert (kept.view, kept.counters) == (ROWS.view, ROWS.counters)
        for name in ("keys", "as_of_us", "created_us", "values"):
            np.testing.assert_array_equal(getattr(kept, name), getattr(ROWS, name))
    counted.pushed()
    assert counted.pending() == []


def test_who_was_deposed_decides_nothing_any_more(stack: "EmbeddedStack") -> None:
    with connect_redis(stack.settings()) as client:
        worker, event = uuid.uuid4().hex, _events(uuid.uuid4().hex)
        old, new = RedisCountedEvents(client, worker), RedisCountedEvents(client, worker)
        old.lead()
        old.mark(_events(uuid.uuid4().hex), [])
        new.lead()
        with pytest.raises(DeposedError):
            old.mark(event, [ROWS])
        assert len(new.uncounted(event)) == 1
        new.mark(event, [])


def test_who_led_before_redis_was_emptied_does_not_go_on_from_nothing(stack: "EmbeddedStack") -> None:
    with connect_redis(stack.settings()) as client:
        worker, event = uuid.uuid4().hex, _events(uuid.uuid4().hex)
        counted = RedisCountedEvents(client, worker)
        counted.lead()
        counted.mark(_events(uuid.uuid4().hex), [ROWS])
        client.delete(features_term_key(worker))
        with pytest.raises(EmptiedError, match="photofeed features rebuild"):
            counted.mark(event, [ROWS])
        for ask in (counted.pushed, counted.pending):
            with pytest.raises(EmptiedError):
                ask()
        assert len(counted.uncounted(event)) == len(RedisCountedEvents(client, worker).pending()) == 1
