"""Where counter rows are read from and pushed to: Feast, and its in-memory twin."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from ingestion.engagement.accumulate import CounterRows, CounterState, Touched
from photofeed.features.counters import AS_OF_FIELD, CounterView
from photofeed.online_store.reader import PackedReader
from photofeed.online_store.writer import PackedWriter
from photofeed.timelines import RedisClient


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
    """Feast's two stores: the online one by its packed codec, one round trip a batch, history through Feast itself.

    What is written online are the bytes that Feast would write. Feast's own way there costs milliseconds a view,
    however few the rows: it looks the view up, makes it from its proto, and checks the frame.
    """

    def __init__(self, store: Any, client: RedisClient, views: Sequence[CounterView]) -> None:
        from photofeed.online_store.feast_schema import row_schema  # noqa: PLC0415  Feast takes seconds to import

        self._store = store
        self._redis = client
        self._views = {view.name: view for view in views}
        schemas = {name: row_schema(store.get_feature_view(name), store.project) for name in self._views}
        self._readers = {name: PackedReader([schema], client=client) for name, schema in schemas.items()}
        self._writers = {name: PackedWriter(schema) for name, schema in schemas.items()}

    def read(self, touched: Touched) -> CounterState:
        """What the touched entities have now."""
        view = touched.view
        columns = dict(zip(view.join_keys, touched.keys.T, strict=True))
        read = self._readers[view.name].read(columns)[view.name]
        values = np.stack([read.values[name] for name in view.counter_names], axis=1)
        return CounterState(np.where(read.found, read.values[AS_OF_FIELD], 0), values * read.found[:, None])

    def push_online(self, rows: Sequence[CounterRows]) -> None:
        """Write all rows; what is not newer than what is there is left out inside Redis."""
        pipeline = self._redis.pipeline(transaction=False)
        for view, mine in self._by_view(rows):
            columns = counter_columns(view, mine)
            moments = (columns[name].view(np.int64) for name in ("event_timestamp", "created"))
            self._writers[view.name].write(pipeline, columns, columns, *moments, keep_newest=True)
        pipeline.execute()

    def push_offline(self, rows: Sequence[CounterRows]) -> None:
        """Push all rows through Feast to the offline store."""
        from pandas import DataFrame, to_datetime  # noqa: PLC0415  half a second

        for view, mine in self._by_view(rows):
            columns = counter_columns(view, mine)
            for moment in ("event_timestamp", "created"):
                columns[moment] = to_datetime(columns[moment], utc=True)
            self._store.write_to_offline_store(view.name, DataFrame(columns))

    def push_values(self, view: str, columns: dict[str, Any]) -> None:
        """Push rows of a view without counters to both stores."""
        from feast.data_source import PushMode  # noqa: PLC0415
        from pandas import DataFrame  # noqa: PLC0415

        self._store.push(view, DataFrame(columns), to=PushMode.ONLINE_AND_OFFLINE)

    def _by_view(self, rows: Sequence[CounterRows]) -> Iterator[tuple[CounterView, list[CounterRows]]]:
        by_view: dict[str, list[CounterRows]] = defaultdict(list)
        for each in rows:
            if len(each.keys):
                by_view[each.view].append(each)
        for name, mine in by_view.items():
            yield self._views[name], mine


def counter_columns(view: CounterView, rows: Sequence[CounterRows]) -> dict[str, Any]:
    """Rows of one view as Feast names their columns; moments as datetime64, UTC."""
    as_of_us = np.concatenate([each.as_of_us for each in rows])
    values = np.concatenate([each.values for each in rows]).T
    columns: dict[str, Any] = dict(zip(view.join_keys, np.concatenate([each.keys for each in rows]).T, strict=True))
    columns[AS_OF_FIELD] = as_of_us
    columns |= dict(zip(view.counter_names, values, strict=True))
    columns["event_timestamp"] = as_of_us.view("datetime64[us]")
    columns["created"] = np.concatenate([each.created_us for each in rows]).view("datetime64[us]")
    return columns


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
