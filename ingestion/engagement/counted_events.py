"""Which events were counted already, and which rows are decided but perhaps not in both stores yet.

Both are written in one transaction, before anything is pushed. A worker that dies in between finds the rows again and
pushes them; rows are absolute values, so pushing them twice changes nothing. So every event has its effect once.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol, Self

import numpy as np
import orjson
from numpy.typing import NDArray
from redis import WatchError

from ingestion.engagement.accumulate import CounterRows
from photofeed.errors import RetryableError
from photofeed.features.event_columns import EventColumns
from photofeed.timelines import RedisClient, features_term_key

LOG_DAYS = 7  # how long the event log keeps events
WINDOW_SECONDS = (LOG_DAYS + 1) * 86_400  # how long an event id is remembered
_PENDING = "features:decided"
_COUNTED = "counted:"
_SCANNED_AT_ONCE = 1_000


class DeposedError(RetryableError):
    """Another worker has taken over: this one may not decide anything any more. The other one does the work."""

    code = "deposed"


class EmptiedError(RetryableError):
    """Redis has lost the counters: to go on would be to count from nothing. Events wait until they are restored."""

    code = "emptied"

    def __init__(self) -> None:
        super().__init__(
            "Redis was emptied, or has rows of an older layout: run `photofeed features rebuild`, then start the "
            "features worker again"
        )


class EventIds(Protocol):
    """What events are remembered by: their ids, and the days since 1970 on which they occurred."""

    @property
    def id(self) -> NDArray[np.object_]:
        """(n,) object."""

    @property
    def day(self) -> NDArray[np.int64]:
        """(n,) int64."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What a batch of events came to: by what they are remembered, and their rows in all views."""

    id: NDArray[np.object_]
    day: NDArray[np.int64]
    rows: Sequence[CounterRows]

    def encode(self) -> bytes:
        """As one line."""
        rows = [[r.view, r.counters, r.keys, r.as_of_us, r.created_us, r.values] for r in self.rows]
        return orjson.dumps([self.id.tolist(), self.day, rows], option=orjson.OPT_SERIALIZE_NUMPY)

    @classmethod
    def decode(cls, line: bytes) -> Self:
        """What was encoded."""
        ids, days, rows = orjson.loads(line)
        return cls(
            np.array(ids, np.object_),
            np.array(days, np.int64),
            [
                CounterRows(
                    view,
                    tuple(counters),
                    np.array(keys, np.int64),
                    np.array(as_of, np.int64),
                    np.array(created, np.int64),
                    np.array(values, np.float64),
                )
                for view, counters, keys, as_of, created, values in rows
            ],
        )


class CountedEvents(Protocol):
    """The memory of what was counted."""

    def lead(self) -> None:
        """Be the one who decides from now on; whoever was it before is refused by `mark`."""

    def uncounted(self, events: EventColumns) -> EventColumns:
        """The events not counted before, each id once."""

    def known(self, events: EventIds) -> NDArray[np.bool_]:
        """Which of the events were counted before."""

    def count(self) -> int:
        """How many events are remembered."""

    def remember(self, events: EventIds) -> None:
        """Remember events as counted, whose rows are in both stores."""

    def mark(self, events: EventColumns, rows: Sequence[CounterRows]) -> None:
        """Remember events as counted together with the rows they decided, at once or not at all.

        Raises:
            DeposedError: somebody else leads by now; nothing was written.
            EmptiedError: Redis has lost what was counted; nothing was written.
        """

    def pending(self) -> list[Decided]:
        """Batches that were decided but not yet reported as pushed, in the order they were decided.

        Raises:
            EmptiedError: Redis has lost them.
        """

    def pushed(self) -> None:
        """Forget the pending rows: they are in the feature store.

        Raises:
            DeposedError: they are somebody else's by now.
            EmptiedError: Redis has lost them.
        """


class RedisCountedEvents:
    """The memory in Redis: a set of ids for each day on which events occurred, and a list of the rows of batches."""

    def __init__(self, client: RedisClient, worker: str) -> None:
        self._redis = client
        self._pending_key, self._term_key = f"{_PENDING}:{worker}", features_term_key(worker)
        self._term = 0

    def lead(self) -> None:
        """Begin a term of office."""
        self._term = int(self._redis.incr(self._term_key))

    def uncounted(self, events: EventColumns) -> EventColumns:
        """The events not counted before."""
        events = events.distinct()
        known = self.known(events)
        return events.take(~known) if known.any() else events

    def known(self, events: EventIds) -> NDArray[np.bool_]:
        """Which of the events were counted before, asked in one round trip."""
        days = _by_day(events)
        pipeline: Any = self._redis.pipeline(transaction=False)
        for key, places in days.items():
            pipeline.smismember(key, events.id[places].tolist())
        known = np.zeros(len(events.id), np.bool_)
        for places, answers in zip(days.values(), pipeline.execute(), strict=True):
            known[places] = answers
        return known

    def count(self) -> int:
        """How many events are remembered."""
        return sum(int(self._redis.scard(key)) for key in self._redis.scan_iter(f"{_COUNTED}*", count=_SCANNED_AT_ONCE))

    def remember(self, events: EventIds) -> None:
        """Remember events as counted."""
        with self._redis.pipeline(transaction=False) as pipeline:
            _remember(pipeline, events)
            pipeline.execute()

    def mark(self, events: EventColumns, rows: Sequence[CounterRows]) -> None:
        """Remember events and rows in one MULTI, which only happens in the term of this worker."""
        with self._transaction() as pipeline:
            _remember(pipeline, events)
            pipeline.rpush(self._pending_key, Decided(events.id, events.day, rows).encode())

    def pending(self) -> list[Decided]:
        """Batches decided but perhaps not pushed."""
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.exists(self._term_key)
            pipeline.lrange(self._pending_key, 0, -1)
            in_office, batches = pipeline.execute()
        if self._term and not in_office:
            raise EmptiedError
        return [Decided.decode(batch) for batch in batches]

    def pushed(self) -> None:
        """Forget the pending rows."""
        with self._transaction() as pipeline:
            pipeline.delete(self._pending_key)

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        """Commands that happen all or not at all, and only within the term of this worker."""
        pipeline: Any = self._redis.pipeline(transaction=True)
        with pipeline:
            pipeline.watch(self._term_key)
            term = pipeline.get(self._term_key)
            if term is None and self._term:
                raise EmptiedError
            if term is not None and int(term) != self._term:
                raise DeposedError("another worker turns engagement into features now")
            pipeline.multi()
            yield pipeline
            try:
                pipeline.execute()
            except WatchError as error:
                raise DeposedError("another worker has just taken over") from error


class InMemoryCountedEvents:
    """The memory in this process."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._pending: list[Decided] = []

    def lead(self) -> None:
        """Nobody else can."""

    def uncounted(self, events: EventColumns) -> EventColumns:
        """The events not counted before."""
        events = events.distinct()
        return events.take(~self.known(events))

    def known(self, events: EventIds) -> NDArray[np.bool_]:
        """Which of the events were counted before."""
        return np.array([name in self._ids for name in events.id], np.bool_)

    def count(self) -> int:
        """How many events are remembered."""
        return len(self._ids)

    def remember(self, events: EventIds) -> None:
        """Remember events."""
        self._ids.update(events.id.tolist())

    def mark(self, events: EventColumns, rows: Sequence[CounterRows]) -> None:
        """Remember events and rows."""
        self.remember(events)
        self._pending.append(Decided(events.id, events.day, rows))

    def pending(self) -> list[Decided]:
        """Batches decided but not reported as pushed."""
        return list(self._pending)

    def pushed(self) -> None:
        """Forget the pending rows."""
        self._pending = []


def counted_key(day: date) -> str:
    """The set of the ids of a day's events."""
    return f"{_COUNTED}{day:%Y%m%d}"


def _remember(pipeline: Any, events: EventIds) -> None:
    for key, places in _by_day(events).items():
        pipeline.sadd(key, *events.id[places].tolist())
        pipeline.expire(key, WINDOW_SECONDS)


def _by_day(events: EventIds) -> dict[str, NDArray[np.intp]]:
    """Keys of the sets of ids, each with the places of its events."""
    days = events.day
    return {counted_key(np.datetime64(int(day), "D").item()): np.flatnonzero(days == day) for day in np.unique(days)}
