"""A feature store in this process."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from ingestion.engagement.accumulate import CounterDelta, CounterRows, CounterState


class InMemoryFeatureSink:
    """A feature store in this process: the newest row of each entity, and all rows that were pushed."""

    def __init__(self) -> None:
        self.online: dict[tuple[str, tuple[int, ...]], tuple[int, tuple[float, ...]]] = {}
        self.history: list[CounterRows] = []
        self.values: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def read(self, delta: CounterDelta) -> CounterState:
        """The counters of the delta's entities now."""
        nothing = (0, (0.0,) * len(delta.view.counters))
        found = [self.online.get((delta.view.name, tuple(keys)), nothing) for keys in delta.keys.tolist()]
        values = np.array([values for _, values in found]).reshape(len(found), len(delta.view.counters))
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
