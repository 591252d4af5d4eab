"""Which events were counted already, and which rows are decided but perhaps not pushed yet.

Both are written in one transaction, before anything is pushed. A worker that dies in between finds the rows again and
pushes them; rows are absolute values, so pushing them twice changes nothing. So every event has its effect once.
"""

from collections.abc import Sequence
from typing import Protocol

import orjson

from ingestion.engagement.accumulate import CounterRow
from photofeed.events import EngagementEvent
from photofeed.timelines import RedisClient

WINDOW_SECONDS = 8 * 86_400  # how long an event id is remembered
_PENDING = "features:pending"


class CountedEvents(Protocol):
    """The memory of what was counted."""

    def uncounted(self, events: Sequence[EngagementEvent]) -> list[EngagementEvent]:
        """The events not counted before, each id once."""

    def mark(self, events: Sequence[EngagementEvent], rows: Sequence[CounterRow]) -> None:
        """Remember events as counted together with the rows they decided, at once or not at all."""

    def pending(self) -> list[CounterRow]:
        """Rows that were decided but not yet reported as pushed."""

    def pushed(self) -> None:
        """Forget the pending rows: they are in the feature store."""


def distinct(events: Sequence[EngagementEvent]) -> list[EngagementEvent]:
    """Each event id once, the first of each kept."""
    first: dict[str, EngagementEvent] = {}
    for event in events:
        first.setdefault(event.id, event)
    return list(first.values())


class RedisCountedEvents:
    """The memory in Redis: one set of ids for each day on which events occurred."""

    def __init__(self, client: RedisClient, worker: str) -> None:
        self._redis = client
        self._pending_key = f"{_PENDING}:{worker}"

    def uncounted(self, events: Sequence[EngagementEvent]) -> list[EngagementEvent]:
        """The events not counted before."""
        events = distinct(events)
        pipeline = self._redis.pipeline(transaction=False)
        for event in events:
            pipeline.sismember(_day_key(event), event.id)
        return [event for event, known in zip(events, pipeline.execute(), strict=True) if not known]

    def mark(self, events: Sequence[EngagementEvent], rows: Sequence[CounterRow]) -> None:
        """Remember events and rows in one MULTI."""
        pipeline = self._redis.pipeline(transaction=True)
        for event in events:
            pipeline.sadd(_day_key(event), event.id)
        for key in {_day_key(event) for event in events}:
            pipeline.expire(key, WINDOW_SECONDS)
        pipeline.set(
            self._pending_key, orjson.dumps([[r.view, r.keys, r.as_of_us, r.values, r.created_us] for r in rows])
        )
        pipeline.execute()

    def pending(self) -> list[CounterRow]:
        """Rows decided but perhaps not pushed."""
        saved = self._redis.get(self._pending_key)
        return [
            CounterRow(view, tuple(keys), as_of, tuple(values), created)
            for view, keys, as_of, values, created in (orjson.loads(saved) if saved else [])
        ]

    def pushed(self) -> None:
        """Forget the pending rows."""
        self._redis.delete(self._pending_key)


class InMemoryCountedEvents:
    """The memory in this process."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._pending: list[CounterRow] = []

    def uncounted(self, events: Sequence[EngagementEvent]) -> list[EngagementEvent]:
        """The events not counted before."""
        return [event for event in distinct(events) if event.id not in self._ids]

    def mark(self, events: Sequence[EngagementEvent], rows: Sequence[CounterRow]) -> None:
        """Remember events and rows."""
        self._ids.update(event.id for event in events)
        self._pending = list(rows)

    def pending(self) -> list[CounterRow]:
        """Rows decided but not reported as pushed."""
        return list(self._pending)

    def pushed(self) -> None:
        """Forget the pending rows."""
        self._pending = []


def _day_key(event: EngagementEvent) -> str:
    return f"counted:{event.occurred_at:%Y%m%d}"
