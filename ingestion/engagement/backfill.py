"""A counter view recomputed from the engagement log, as if it had been declared when the log began."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from feast import FeatureStore

from ingestion.engagement.accumulate import CounterRows, CounterState, Floats, Ints, Touched, accumulate, touch
from ingestion.engagement.feature_sink import counter_columns
from photofeed.features.counters import CounterView
from photofeed.features.event_columns import EventColumns
from photofeed.offline_store.lake import Lake
from photofeed.offline_store.rewrite import rewrite_history
from photofeed.online_store.feast_schema import row_schema
from photofeed.online_store.writer import PackedWriter
from photofeed.timelines import RedisClient

_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Backfilled:
    """What a backfill made: rows of history, and entities online."""

    rows: int
    entities: int


def backfill(
    store: FeatureStore, lake: Lake, client: RedisClient, view: CounterView, log: Iterable[EventColumns]
) -> Backfilled:
    """Replace a view's history, and what is online of it, by what the events of the log make.

    Every event makes a row, known since the event occurred: so training may join it at any moment, as if the view had
    been there, and up to date, all along. Nobody may count meanwhile; it may be repeated, and interrupted.

    Args:
        store: where the view is applied.
        lake: where its history lies.
        client: Redis, where its rows are online.
        view: as it is declared now.
        log: distinct events in order of time, as imported ones.

    Raises:
        RetryableError: object storage cannot be reached.
        redis.RedisError: Redis cannot be reached.
    """
    feature_view = store.get_feature_view(view.name)
    counters = _Counters(view)
    rows = rewrite_history(lake, feature_view, _history(view, counters, log))
    writer = PackedWriter(row_schema(feature_view, store.project))
    for online in counters.rows():
        pipeline = client.pipeline(transaction=False)
        columns = counter_columns(view, [online])
        # they replace whatever is there: what was counted since the view was changed has less behind it
        writer.write(pipeline, columns, columns, online.as_of_us, online.created_us)
        pipeline.execute()
    return Backfilled(rows, len(counters))


def _history(view: CounterView, counters: "_Counters", log: Iterable[EventColumns]) -> Iterator[pa.Table]:
    for events in log:
        touched = touch(view, events)
        if len(touched.keys):
            yield pa.table(counter_columns(view, [counters.add(touched)]))


@dataclass(slots=True)
class _Counters:
    """The counters of all entities of a view, in memory."""

    view: CounterView
    _places: dict[tuple[int, ...], int] = field(default_factory=dict)
    _as_of_us: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    _values: Floats = field(default_factory=lambda: np.zeros((0, 0)))

    def __len__(self) -> int:
        return len(self._places)

    def add(self, touched: Touched) -> CounterRows:
        """Count events; the rows that they make."""
        names = map(tuple, touched.keys.tolist())
        places = np.array([self._places.setdefault(name, len(self._places)) for name in names], np.intp)
        self._grow()
        state = CounterState(self._as_of_us[places], self._values[places])
        made = accumulate(touched, state, now_us=0)
        self._as_of_us[places], self._values[places] = state.as_of_us, state.values
        return made

    def rows(self) -> Iterator[CounterRows]:
        """The newest row of each entity, in pieces."""
        keys = np.array(list(self._places), np.int64).reshape(len(self), len(self.view.join_keys))
        for start in range(0, len(self), _ROWS_AT_ONCE):
            part = slice(start, min(start + _ROWS_AT_ONCE, len(self)))
            as_of_us = self._as_of_us[part]
            values = self._values[part]
            yield CounterRows(self.view.name, self.view.counter_names, keys[part], as_of_us, as_of_us, values)

    def _grow(self) -> None:
        room = len(self._as_of_us)
        if len(self) > room:
            more = max(len(self), 2 * room) - room
            self._as_of_us = np.concatenate([self._as_of_us, np.zeros(more, np.int64)])
            kept = self._values.reshape(room, len(self.view.counters))
            self._values = np.concatenate([kept, np.zeros((more, len(self.view.counters)))])
