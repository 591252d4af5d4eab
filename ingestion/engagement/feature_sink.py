"""Where counter rows are read from and pushed to: Feast, and its in-memory twin."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from ingestion.engagement.accumulate import CounterRow, Entity
from photofeed.features.counters import AS_OF_FIELD, CounterView
from photofeed.online_store.reader import PackedReader


class FeatureSink(Protocol):
    """The feature store as the engagement path needs it."""

    def read(self, entities: Iterable[Entity]) -> dict[Entity, CounterRow]:
        """The rows that entities have now; entities without one are left out."""

    def push(self, rows: Sequence[CounterRow]) -> None:
        """Add rows to the history, and the last one of each entity to the online store. May be repeated."""

    def push_values(self, view: str, columns: dict[str, Any]) -> None:
        """Push rows of a view without counters, given as columns with `event_timestamp` and `created`."""


class FeastSink:
    """Pushes through Feast; reads through the packed codec, one round trip a view."""

    def __init__(self, store: Any, readers: Mapping[str, PackedReader], views: Sequence[CounterView]) -> None:
        self._store = store
        self._readers = readers
        self._views = {view.name: view for view in views}

    def read(self, entities: Iterable[Entity]) -> dict[Entity, CounterRow]:
        """The rows that entities have now."""
        by_view: dict[str, list[tuple[int, ...]]] = defaultdict(list)
        for name, keys in entities:
            by_view[name].append(keys)
        found: dict[Entity, CounterRow] = {}
        for name, ids in by_view.items():
            view = self._views[name]
            # one row an entity, even where there is only one: the reader takes single values for all rows
            columns = dict(zip(view.join_keys, np.array(ids, dtype=np.int64).T, strict=True))
            read = self._readers[name].read(columns)[name]
            values = [read.values[counter.name].tolist() for counter in view.counters]
            as_of = read.values[AS_OF_FIELD].tolist()
            for i in np.flatnonzero(read.found).tolist():
                row = CounterRow(name, ids[i], as_of[i], tuple(column[i] for column in values), as_of[i])
                found[name, ids[i]] = row
        return found

    def push(self, rows: Sequence[CounterRow]) -> None:
        """Push rows through Feast, offline all of them, online the last of each entity."""
        from feast.data_source import PushMode  # noqa: PLC0415  Feast takes seconds to import
        from pandas import DataFrame, to_datetime  # noqa: PLC0415

        by_view: dict[str, list[CounterRow]] = defaultdict(list)
        for row in rows:
            by_view[row.view].append(row)
        for name, mine in by_view.items():
            view = self._views[name]
            columns: dict[str, Any] = dict(zip(view.join_keys, np.array([r.keys for r in mine]).T, strict=True))
            columns[AS_OF_FIELD] = np.array([r.as_of_us for r in mine], dtype=np.int64)
            values = np.array([r.values for r in mine], dtype=np.float64).T
            columns |= dict(zip((counter.name for counter in view.counters), values, strict=True))
            columns["event_timestamp"] = to_datetime(columns[AS_OF_FIELD], unit="us", utc=True)
            columns["created"] = to_datetime(np.array([r.created_us for r in mine]), unit="us", utc=True)
            frame = DataFrame(columns)
            self._store.push(name, frame, to=PushMode.OFFLINE)
            newest = frame.drop_duplicates(list(view.join_keys), keep="last")
            self._store.push(name, newest, to=PushMode.ONLINE)

    def push_values(self, view: str, columns: dict[str, Any]) -> None:
        """Push rows of a view without counters to both stores."""
        from feast.data_source import PushMode  # noqa: PLC0415
        from pandas import DataFrame  # noqa: PLC0415

        self._store.push(view, DataFrame(columns), to=PushMode.ONLINE_AND_OFFLINE)


class InMemoryFeatureSink:
    """A feature store in this process: the newest rows, and all that were ever pushed."""

    def __init__(self) -> None:
        self.online: dict[Entity, CounterRow] = {}
        self.history: list[CounterRow] = []
        self.values: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def read(self, entities: Iterable[Entity]) -> dict[Entity, CounterRow]:
        """The rows that entities have now."""
        return {entity: self.online[entity] for entity in entities if entity in self.online}

    def push(self, rows: Sequence[CounterRow]) -> None:
        """Add rows to the history, the newest to what is read."""
        self.history += rows
        for row in rows:
            entity = (row.view, row.keys)
            if entity not in self.online or self.online[entity].as_of_us < row.as_of_us:
                self.online[entity] = row

    def push_values(self, view: str, columns: dict[str, Any]) -> None:
        """Keep the columns."""
        self.values[view].append(columns)
