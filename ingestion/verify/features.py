"""Counters in Redis against the lake, by the function that counts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ingestion.engagement.accumulate import CounterRows, counter_delta
from ingestion.engagement.backfill import EntityCounters, credited
from ingestion.engagement.counted_log import read_log
from ingestion.verify import Disagreement, Patience
from photofeed.features.counters import AS_OF_FIELD, CounterView
from photofeed.features.decay import decay
from photofeed.features.event_columns import EventColumns
from photofeed.ids import encode_id
from photofeed.offline_store.lake import Lake, LakeFolder
from photofeed.offline_store.tables import ENGAGEMENT
from photofeed.online_store.reader import PackedReader
from photofeed.times import MICROSECONDS

_TOLERANCE = 1e-6  # absolute and relative: sums in another order differ in their last digits
_SHOWN = 1_000  # entities of one view and pass


class LoggedEvents(Protocol):
    """All events that must have been counted."""

    def count(self) -> int:
        """About how many there are."""

    def read(self, columns: Sequence[str], index: int, passes: int) -> Iterator[EventColumns]:
        """Those of which one of the columns is `index` modulo `passes`, each once, in order of time, and in pieces."""


@dataclass(frozen=True, slots=True)
class LakeEvents:
    """The events of the lake."""

    lake: Lake
    bucket: str

    def count(self) -> int:
        """The rows of the lake."""
        return self.lake.rows(LakeFolder(self.bucket, ENGAGEMENT))

    def read(self, columns: Sequence[str], index: int, passes: int) -> Iterator[EventColumns]:
        """The events of one pass."""
        keep = " or ".join(f"coalesce({column}, 0) % {passes} = {index}" for column in columns)
        return read_log(self.lake, self.bucket, keep=keep)


@dataclass(slots=True)
class Features:
    """Every counter of every entity that the log has events of.

    The entities of a view are compared in passes over the log, so that those of one pass fit into memory. An event is
    counted and archived independently, so entities whose last event is younger than the patience are left out.

    Attributes:
        readers: of the online rows, by view.
        events_at_once: events whose entities are in memory at the same time.
        erasures: how many accounts were deleted: the lake has forgotten their events, and the counters of others have
            not.
    """

    log: LoggedEvents
    views: Sequence[CounterView]
    readers: Mapping[str, PackedReader]
    patience: Patience
    new_account_us: int
    erasures: int
    events_at_once: int
    name: str = "features"
    compared: int = 0
    notes: list[str] = field(default_factory=list)

    def run(self) -> Iterator[Disagreement]:
        """By view."""
        passes = 1 + self.log.count() // self.events_at_once
        for view in self.views:
            for index in range(passes):
                first = len(self.notes), self.compared
                found = self.patience.persisting(partial(self._again, view, index, passes, first))
                yield from found[:_SHOWN]
                if len(found) > _SHOWN:
                    self.notes.append(f"{len(found) - _SHOWN} more wrong rows of {view.name} are not listed")

    def _again(self, view: CounterView, index: int, passes: int, first: tuple[int, int]) -> Iterator[Disagreement]:
        """Compare one pass; notes and numbers of an earlier comparison of it are replaced."""
        del self.notes[first[0] :]
        self.compared = first[1]
        busy = surplus = 0
        now_us = int(datetime.now(UTC).timestamp() * MICROSECONDS)
        for rows in self._of_log(view, index, passes).rows():
            online = _online(self.readers[view.name], view, rows)
            self.compared += len(rows.keys)
            differs, more = _differing(view, rows, online)
            recent = np.maximum(rows.as_of_us, online.as_of_us) > now_us - int(self.patience.seconds * MICROSECONDS)
            busy += int((differs & recent).sum())
            explained = differs & more & ~recent if self.erasures else np.zeros(len(differs), np.bool_)
            surplus += int(explained.sum())
            for row in np.flatnonzero(differs & ~recent & ~explained):
                yield _disagreement(view, rows, online, int(row))
        if busy:
            self.notes.append(f"{busy} rows of {view.name} change at the moment and were not compared")
        if surplus:
            self.notes.append(
                f"{surplus} rows of {view.name} have more than the lake, which has forgotten {self.erasures} accounts; "
                f"`photofeed features backfill {view.name}` would, too"
            )

    def _of_log(self, view: CounterView, index: int, passes: int) -> EntityCounters:
        counters = EntityCounters(view)
        first = view.join_keys[0]
        columns = (first, {"user_id": "creator_id", "creator_id": "user_id"}[first]) if view.has_reverse else (first,)
        for changes in credited(_live(events) for events in self.log.read(columns, index, passes)):
            delta = counter_delta(view, changes, self.new_account_us)
            if len(delta.keys):
                counters.add(delta, now_us=np.iinfo(np.int64).max)
        return counters.where(lambda keys: keys[:, 0] % passes == index)


def _live(events: EventColumns) -> EventColumns:
    """Without a row for each moment of the past: only the newest is compared."""
    return replace(events, imported=np.zeros(len(events), np.bool_))


def _online(reader: PackedReader, view: CounterView, rows: CounterRows) -> CounterRows:
    """The online rows of the same entities; zeros and the time 0 for one that has none."""
    read = reader.read(dict(zip(view.join_keys, rows.keys.T, strict=True)))[view.name]
    values = np.stack([read.values[name] for name in view.counter_names], axis=1)
    as_of_us = np.where(read.found, read.values[AS_OF_FIELD], 0)
    return replace(rows, as_of_us=as_of_us, values=np.where(read.found[:, None], values, 0.0))


def _differing(
    view: CounterView, lake: CounterRows, online: CounterRows
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows differ, and which of all have nowhere less online than in the lake, as of the later moment of both."""
    moment = np.maximum(lake.as_of_us, online.as_of_us)

    def then(rows: CounterRows) -> NDArray[np.float64]:
        return decay(rows.values, ((moment - rows.as_of_us) / MICROSECONDS)[:, None], view.half_lives)

    expected, found = then(lake), then(online)
    margin = _TOLERANCE * (1 + np.abs(expected))
    differs: NDArray[np.bool_] = np.any(np.abs(found - expected) > margin, axis=1)
    more: NDArray[np.bool_] = np.all(found >= expected - margin, axis=1)
    return differs, more


def _disagreement(view: CounterView, lake: CounterRows, online: CounterRows, row: int) -> Disagreement:
    entity = " ".join(f"{key}={encode_id(int(one))}" for key, one in zip(view.join_keys, lake.keys[row], strict=True))
    moment = max(lake.as_of_us[row], online.as_of_us[row])

    def then(rows: CounterRows) -> Any:
        return decay(rows.values[row], (moment - rows.as_of_us[row]) / MICROSECONDS, view.half_lives)

    expected, found = then(lake), then(online)
    worst = int(np.argmax(np.abs(found - expected)))
    told = f"{view.counter_names[worst]} is {found[worst]:.6g}, and by the lake {expected[worst]:.6g}"
    return Disagreement(
        f"features.{view.name}",
        entity,
        told if online.as_of_us[row] else f"no row online; {told}",
        f"stop the features worker, run `photofeed features backfill {view.name}`, and start it again",
    )
