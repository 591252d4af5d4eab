"""Where counter rows are read from and pushed to: Feast, and its in-memory twin."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from ingestion.engagement.accumulate import CounterRows, CounterState, Touched
from photofeed.features.counters import AS_OF_FIELD, CounterView
from photofeed.online_store.reader import PackedReader


class FeatureSink(Protocol):
    """The feature store as the engagement path needs it."""

    def read(self, touched: Touched) -> CounterState:
        """What the touched entities have now."""

    def push_online(self, rows: Sequence[CounterRows]) -> None:
        """Make the last row of each entity what is served. May be repeated."""

    def push_offline(self, rows: Sequence[CounterRows]) -> None:
        """Add all rows to the history. May be repeated."""

    def push_values(self, view: str, columns: dict[str, Any]) -> None:
        """Push rows of a view without counters, given as columns with `event_timestamp` and `created`."""


class FeastSink:
    """Pushes through Feast; reads through the packed codec, one round trip a view.

    A push is done by its two halves, `write_to_online_store` and `write_to_offline_store`: `push` itself asks the
    registry for all feature services each time, which takes longer than the writing.
    """

    def __init__(self, store: Any, readers: Mapping[str, PackedReader], views: Sequence[CounterView]) -> None:
        self._store = store
        self._readers = readers
        self._views = {view.name: view for view in views}

    def read(self, touched: Touched) -> CounterState:
        """What the touched entities have now."""
        view = touched.view
        columns = dict(zip(view.join_keys, touched.keys.T, strict=True))
        read = self._readers[view.name].read(columns)[view.name]
        values = np.stack([read.values[counter.name] for counter in view.counters], axis=1)
        return CounterState(np.where(read.found, read.values[AS_OF_FIELD], 0), values * read.found[:, None])

    def push_online(self, rows: Sequence[CounterRows]) -> None:
        """Push the last row of each entity through Feast to the online store."""
        for view, frame in self._frames(rows):
            newest = frame.drop_duplicates(list(view.join_keys), keep="last")
            self._store.write_to_online_store(view.name, newest)

    def push_offline(self, rows: Sequence[CounterRows]) -> None:
        """Push all rows through Feast to the offline store."""
        for view, frame in self._frames(rows):
            self._store.write_to_offline_store(view.name, frame)

    def push_values(self, view: str, columns: dict[str, Any]) -> None:
        """Push rows of a view without counters to both stores."""
        from feast.data_source import PushMode  # noqa: PLC0415  Feast takes seconds to import
        from pandas import DataFrame  # noqa: PLC0415

        self._store.push(view, DataFrame(columns), to=PushMode.ONLINE_AND_OFFLINE)

    def _frames(self, rows: Sequence[CounterRows]) -> Iterator[tuple[CounterView, Any]]:
        """One frame a view, as Feast wants it."""
        from pandas import DataFrame, to_datetime  # noqa: PLC0415

        by_view: dict[str, list[CounterRows]] = defaultdict(list)
        for each in rows:
            if len(each.keys):
                by_view[each.view].append(each)
        for name, mine in by_view.items():
            view = self._views[name]
            columns: dict[str, Any] = dict(
                zip(view.join_keys, np.concatenate([each.keys for each in mine]).T, strict=True)
            )
            columns[AS_OF_FIELD] = np.concatenate([each.as_of_us for each in mine])
            values = np.concatenate([each.values for each in mine]).T
            columns |= dict(zip((counter.name for counter in view.counters), values, strict=True))
            columns["event_timestamp"] = to_datetime(columns[AS_OF_FIELD].view("datetime64[us]"), utc=True)
            created_us = np.concatenate([each.created_us for each in mine])
            columns["created"] = to_datetime(created_us.view("datetime64[us]"), utc=True)
            yield view, DataFrame(columns)


class InMemoryFeatureSink:
    """A feature store in this process: the newest row of each entity, and all rows that were ever pushed."""

    def __init__(self) -> None:
        self.online: dict[tuple[str, tuple[int, ...]], tuple[int, tuple[float, ...]]] = {}
        self.history: list[CounterRows] = []
        self.values: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def read(self, touched: Touched) -> CounterState:
        """What the touched entities have now."""
        nothing = (0, (0.0,) * len(touched.view.counters))
        found = [self.online.get((touched.view.name, tuple(keys)), nothing) for keys in touched.keys.tolist()]
        values = np.array([values for _, values in found]).reshape(len(found), len(touched.view.counters))
        return CounterState(np.array([as_of for as_of, _ in found], np.int64), values)

    def push_online(self, rows: Sequence[CounterRows]) -> None:
        """Keep the newest of each entity."""
        for each in rows:
            for keys, as_of, values in zip(
                each.keys.tolist(), each.as_of_us.tolist(), each.values.tolist(), strict=True
            ):
                entity = (each.view, tuple(keys))
                if entity not in self.online or self.online[entity][0] < as_of:
                    self.online[entity] = (as_of, tuple(values))

    def push_offline(self, rows: Sequence[CounterRows]) -> None:
        """Add rows to the history."""
        self.history += rows

    def push_values(self, view: str, columns: dict[str, Any]) -> None:
        """Keep the columns."""
        self.values[view].append(columns)
