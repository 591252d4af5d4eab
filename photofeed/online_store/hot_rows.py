"""Rows that many requests read, kept in the process: of views with one integer join key.

A table has a fixed number of entries. Requests fill it: what they read from Redis stays, also that there is no row.
Writers publish every row that they write (published_rows.py), and the newest row of an entity wins here as it does in
Redis, so that order and repetitions do not matter. A row read from Redis before it changed cannot replace the change.

Rows are used only while the owner confirms that all published rows have arrived. They are read again after OLDEST
seconds, because a writer may fail between its write and its publication. One event loop uses the tables.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from photofeed.online_store.codec import StoredRows
from photofeed.online_store.hot_kernel import change_rows, fill_rows, forget_rows, keep_rows, make_table, take_rows
from photofeed.online_store.layouts import SIGNATURE_BYTES, LayoutTable
from photofeed.online_store.published_rows import PublishedRows
from photofeed.online_store.schema import MISSING

SILENCE: Final = 1.0
"""Seconds without a confirmation after which rows are read from Redis."""
OLDEST: Final = 120.0
"""Seconds after which a row is read from Redis again."""


@dataclass(slots=True)
class Reads:
    """How many rows requests took out of a table, and how many they had to read from Redis."""

    hits: int = 0
    misses: int = 0


@dataclass(frozen=True, slots=True)
class TakenRows:
    """The rows of a request that were in the table, and what is needed to keep those that were not.

    Attributes:
        ids: (n,) of the entities.
        rows: the rows of all n entities; MISSING also for those that have to be read, which have room in `rows.data`.
        missing: (m,) indices of the entities that have to be read.
        generation: of the table, which changes when it is forgotten.
        change: number of the last change that the table knew.
        began: when they were taken.
    """

    ids: NDArray[np.int64]
    rows: StoredRows
    missing: NDArray[np.int64]
    generation: int
    change: int
    began: float


class HotTable:
    """The kept rows of one view, at least one."""

    def __init__(self, capacity: int, layouts: LayoutTable) -> None:
        if capacity < 1:
            raise ValueError(f"a table of {capacity} rows keeps none")
        self.reads = Reads()
        self._capacity, self._change, self._generation = capacity, 0, 0
        self._open(layouts)

    def __len__(self) -> int:
        """Number of entries."""
        return int(self._table.state[0])

    def take(self, ids: NDArray[np.int64], layouts: LayoutTable, now: float) -> TakenRows:
        """The rows of n entities that are kept. `layouts` are those that the reader knows now."""
        if layouts is not self._layouts:
            self._open(layouts)
        data, missing = np.empty(len(ids) * self._stride, np.uint8), np.empty(len(ids), np.int64)
        offsets, numbers = np.empty(len(ids), np.int64), np.empty(len(ids), np.int64)
        count = take_rows(self._table, ids, now - OLDEST, self._stride, data, offsets, numbers, missing)
        self.reads.hits += len(ids) - count
        self.reads.misses += count
        rows = StoredRows(data, offsets, numbers, layouts)
        return TakenRows(ids, rows, missing[:count], self._generation, self._change, now)

    def complete(self, taken: TakenRows, read: StoredRows, index: NDArray[np.int64]) -> StoredRows:
        """The rows of all entities, once the missing ones were read; those are kept.

        Args:
            taken: what `take` returned.
            read: the rows of the distinct missing entities.
            index: (m,) index in `read` of each missing entity.

        Raises:
            ValueError: the rows are read in other layouts than those that were taken.
        """
        rows = taken.rows
        if read.table is not rows.table:
            raise ValueError("rows are completed in the layouts in which they were taken")
        self._keep(taken, read, index)
        stored = read.data, read.offsets, read.numbers, index, read.table.sizes
        fill_rows(rows.data, rows.offsets, rows.numbers, taken.missing, len(rows.data) // len(taken.ids), *stored)
        return replace(rows, stale=read.stale)

    def apply(self, written: PublishedRows) -> bool:
        """Apply published rows.

        False if all rows were forgotten instead: their view was rewritten, or their layout is not known yet.
        """
        self._change += 1
        number = self._layouts.numbers.get(written.rows[:SIGNATURE_BYTES])
        if not len(written.ids) or number is None or written.size != self._sizes[number]:
            self.forget()
            return False
        data = np.frombuffer(written.rows, np.uint8)
        change_rows(self._table, written.ids, data, written.size, number, self._change)
        return True

    def forget(self) -> None:
        """Forget all rows, and those that requests are reading now."""
        self._generation += 1
        forget_rows(self._table)

    def _keep(self, taken: TakenRows, read: StoredRows, index: NDArray[np.int64]) -> None:
        if taken.generation != self._generation or read.table is not self._layouts:
            return
        ids, offsets, numbers = np.empty(len(read.offsets), np.int64), read.offsets, read.numbers
        ids[index] = taken.ids[taken.missing]
        if read.stale:  # there are rows, which cannot be read yet
            readable = numbers != MISSING
            ids, offsets, numbers = ids[readable], offsets[readable], numbers[readable]
        keep_rows(self._table, ids, read.data, offsets, numbers, self._sizes, taken.began, taken.change)

    def _open(self, layouts: LayoutTable) -> None:
        self._layouts = layouts
        self._sizes = layouts.sizes
        self._stride = int(self._sizes.max())
        self._generation += 1
        self._table = make_table(self._capacity, self._stride)


@dataclass(slots=True)
class HotRows:
    """The tables of all kept views, by the tags of the views.

    Attributes:
        tables: view tag -> table.
        forgotten: how often tables were forgotten, by reason.
    """

    tables: Mapping[bytes, HotTable]
    forgotten: dict[str, int] = field(default_factory=dict)
    _confirmed: float = -SILENCE

    @property
    def is_current(self) -> bool:
        """Whether all published rows have arrived until a moment ago."""
        return time.monotonic() - self._confirmed < SILENCE

    def confirm(self) -> None:
        """All rows that were published until now have been applied."""
        self._confirmed = time.monotonic()

    def apply(self, entries: Iterable[PublishedRows]) -> None:
        """Apply entries of the stream, in order. Those of views that are not kept are ignored."""
        for entry in entries:
            table = self.tables.get(entry.view)
            if table is not None and not table.apply(entry):
                self._count("rewritten")

    def forget(self, reason: str) -> None:
        """Forget all rows, because published ones may have been missed."""
        self._confirmed = -SILENCE
        self._count(reason)
        for table in self.tables.values():
            table.forget()

    def _count(self, reason: str) -> None:
        self.forgotten[reason] = self.forgotten.get(reason, 0) + 1
