"""Recomputes a counter view from the engagement log, as if it had been declared when the log began."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pyarrow as pa
from feast import FeatureStore
from numpy.typing import NDArray

from ingestion.engagement.accumulate import (
    CounterDelta,
    CounterRows,
    CounterState,
    Floats,
    Ints,
    accumulate,
    counter_delta,
)
from ingestion.engagement.credits import WEEK_US, CreditedEvents, WeekCredits, credit
from ingestion.engagement.feature_sink import counter_columns
from photofeed.features.counters import CounterView
from photofeed.features.event_columns import EventColumns
from photofeed.offline_store.lake import Lake
from photofeed.offline_store.rewrite import rewrite_history
from photofeed.online_store.feast_schema import row_schema
from photofeed.online_store.published_rows import publish
from photofeed.online_store.writer import PackedWriter
from photofeed.redis_client import RedisClient

_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class BackfillResult:
    """The result of a backfill: rows of history, and entities online."""

    rows: int
    entities: int


def backfill(
    store: FeatureStore,
    lake: Lake,
    client: RedisClient,
    view: CounterView,
    log: Iterable[EventColumns],
    new_account_us: int = 0,
) -> BackfillResult:
    """Replace a view's history and its online rows by those that the events of the log make.

    Every event makes a row that counts as known since the event occurred, so training can join it at any moment, as if
    the view had always existed. No worker may count meanwhile. A backfill may be interrupted and repeated.

    Args:
        store: the feature store in which the view is applied.
        lake: where the view's history is stored.
        client: Redis, where its rows are online.
        view: the view as declared now.
        log: distinct events in order of time, marked as imported.
        new_account_us: as for `counter_delta`.

    Raises:
        RetryableError: object storage cannot be reached.
        redis.RedisError: Redis cannot be reached.
    """
    feature_view = store.get_feature_view(view.name)
    counters = EntityCounters(view)
    rows = rewrite_history(lake, feature_view, _history(view, counters, log, new_account_us))
    writer = PackedWriter(row_schema(feature_view, store.project))
    for online in counters.rows():
        pipeline = client.pipeline(transaction=False)
        columns = counter_columns(view, [online])
        # These replace the rows that are there, which only count events since the view was changed.
        written = writer.write(pipeline, columns, columns, online.as_of_us, online.created_us)
        pipeline.execute()
        publish(client, written)
    return BackfillResult(rows, len(counters))


def _history(
    view: CounterView, counters: "EntityCounters", log: Iterable[EventColumns], new_account_us: int
) -> Iterator[pa.Table]:
    for changes in credited(log):
        delta = counter_delta(view, changes, new_account_us)
        if len(delta.keys):
            yield pa.table(counter_columns(view, [counters.add(delta)]))


def credited(log: Iterable[EventColumns]) -> Iterator[CreditedEvents]:
    """What counts of a log, given as pieces in order of time."""
    weeks = WeekCredits()
    for events in log:
        changes, changed = credit(events, weeks.read)
        weeks.write(changed)
        if len(events):
            weeks.forget_before(int(events.occurred_us.min()) // WEEK_US - 1)
        yield changes


@dataclass(slots=True)
class EntityCounters:
    """The counters of entities of a view, in memory."""

    view: CounterView
    _indices: dict[tuple[int, ...], int] = field(default_factory=dict)
    _as_of_us: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    _values: Floats = field(default_factory=lambda: np.zeros((0, 0)))

    def __len__(self) -> int:
        return len(self._indices)

    def add(self, delta: CounterDelta, now_us: int = 0) -> CounterRows:
        """Add events to the counters; returns the rows that they make. `now_us` is when live events became known."""
        names = map(tuple, delta.keys.tolist())
        indices = np.array([self._indices.setdefault(name, len(self._indices)) for name in names], np.intp)
        self._grow()
        state = CounterState(self._as_of_us[indices], self._values[indices])
        made = accumulate(delta, state, now_us)
        self._as_of_us[indices], self._values[indices] = state.as_of_us, state.values
        return made

    def where(self, belongs: Callable[[Ints], NDArray[np.bool_]]) -> Self:
        """The counters of the entities whose join keys, (n, keys), belong."""
        keys = self._keys()
        chosen = np.flatnonzero(belongs(keys)) if len(keys) else np.zeros(0, np.intp)
        indices = {tuple(name): place for place, name in enumerate(keys[chosen].tolist())}
        return type(self)(self.view, indices, self._as_of_us[chosen], self._values[chosen])

    def rows(self) -> Iterator[CounterRows]:
        """The newest row of each entity, in pieces."""
        keys = self._keys()
        for start in range(0, len(self), _ROWS_AT_ONCE):
            part = slice(start, min(start + _ROWS_AT_ONCE, len(self)))
            as_of_us = self._as_of_us[part]
            values = self._values[part]
            yield CounterRows(self.view.name, self.view.counter_names, keys[part], as_of_us, as_of_us, values)

    def _keys(self) -> Ints:
        return np.array(list(self._indices), np.int64).reshape(len(self), len(self.view.join_keys))

    def _grow(self) -> None:
        room = len(self._as_of_us)
        if len(self) > room:
            more = max(len(self), 2 * room) - room
            self._as_of_us = np.concatenate([self._as_of_us, np.zeros(more, np.int64)])
            kept = self._values.reshape(room, len(self.view.counters))
            self._values = np.concatenate([kept, np.zeros((more, len(self.view.counters)))])
