"""Where counter rows are read from and pushed to: Feast."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from ingestion.engagement.accumulate import CounterDelta, CounterRows, CounterState
from photofeed.features.counters import AS_OF_FIELD, CounterView
from photofeed.online_store.published_rows import Publication, publish
from photofeed.online_store.reader import PackedReader
from photofeed.online_store.writer import PackedWriter
from photofeed.redis_client import RedisClient


class FeatureSink(Protocol):
    """The parts of a feature store that the engagement path uses."""

    def read(self, delta: CounterDelta) -> CounterState:
        """The counters of the delta's entities now."""

    def push_online(self, rows: Sequence[CounterRows]) -> None:
        """Serve the newest row of each entity from now on. May be repeated."""

    def push_offline(self, rows: Sequence[CounterRows]) -> None:
        """Add all rows to the history. May be repeated."""

    def push_values(self, view: str, columns: dict[str, Any]) -> None:
        """Push rows of a view without counters, given as columns with `event_timestamp` and `created`."""


class FeastSink:
    """Feast's two stores: the online store by its packed codec in one round trip a batch, history through Feast itself.

    The bytes written online are those that Feast would write. Writing through Feast costs milliseconds a view for any
    number of rows, because Feast looks up the view, parses its proto and checks the frame.
    """

    def __init__(self, store: Any, client: RedisClient, views: Sequence[CounterView]) -> None:
        from photofeed.online_store.feast_schema import row_schema  # noqa: PLC0415  Feast takes seconds to import

        self._store = store
        self._redis = client
        self._views = {view.name: view for view in views}
        schemas = {name: row_schema(store.get_feature_view(name), store.project) for name in self._views}
        self._readers = {name: PackedReader([schema], client=client) for name, schema in schemas.items()}
        self._writers = {name: PackedWriter(schema) for name, schema in schemas.items()}

    def read(self, delta: CounterDelta) -> CounterState:
        """The counters of the delta's entities now."""
        view = delta.view
        columns = dict(zip(view.join_keys, delta.keys.T, strict=True))
        read = self._readers[view.name].read(columns)[view.name]
        values = np.stack([read.values[name] for name in view.counter_names], axis=1)
        as_of_us = np.where(read.found, read.values[AS_OF_FIELD], 0)
        return CounterState(as_of_us, np.where(read.found[:, None], values, 0.0))

    def push_online(self, rows: Sequence[CounterRows]) -> None:
        """Write all rows. Redis keeps a row that is there if the new one is not newer."""
        pipeline, written = self._redis.pipeline(transaction=False), Publication()
        for view, mine in self._by_view(rows):
            columns = counter_columns(view, mine)
            moments = (columns[name].view(np.int64) for name in ("event_timestamp", "created"))
            written += self._writers[view.name].write(pipeline, columns, columns, *moments, keep_newest=True)
        pipeline.execute()
        publish(self._redis, written)

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
    """Rows of one view under Feast's column names; moments as datetime64 in UTC."""
    as_of_us = np.concatenate([each.as_of_us for each in rows])
    values = np.concatenate([each.values for each in rows]).T
    columns: dict[str, Any] = dict(zip(view.join_keys, np.concatenate([each.keys for each in rows]).T, strict=True))
    columns[AS_OF_FIELD] = as_of_us
    columns |= dict(zip(view.counter_names, values, strict=True))
    columns["event_timestamp"] = as_of_us.view("datetime64[us]")
    columns["created"] = np.concatenate([each.created_us for each in rows]).view("datetime64[us]")
    return columns
