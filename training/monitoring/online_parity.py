"""Compares the online with the offline store: the same entities, read as a server does and joined for the same time.

Only settled impressions are compared, those older than HISTORY_DELAY, so the result does not depend on the traffic. A
counted event changes the online row first, and history later. Every change of a counter row increases its `as_of`, so
two rows with the same `as_of` are the same state and must be equal. If history is behind, the row is in flight when its
`as_of` is younger than HISTORY_DELAY, and nothing can be said about it. An older row is looked at again, because events
that are dated back barely move `as_of`: if it has changed since, people are using it; if it has not, and history does
not catch up, history has lost rows.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from photofeed.features.counters import AS_OF_FIELD
from photofeed.features.manifest import FeatureManifest
from photofeed.features.program import FeatureProgram
from photofeed.features.stored import StoredFeatures
from photofeed.online_store.reader import PackedReader
from photofeed.redis_client import is_cluster, server_url
from photofeed.settings import Settings
from photofeed.times import MICROSECONDS
from training.data.impressions import Impressions
from training.data.point_in_time import EntityRows, features_known_at
from training.data.sources import Sources
from training.monitoring.skew import HISTORY_DELAY

# Pauses between the looks. The features worker writes history every 2 seconds, and takes longer under load.
PAUSES_SECONDS = (2.0, 4.0, 8.0, 16.0)

Columns: TypeAlias = Mapping[str, NDArray[np.generic]]  # view__field -> (rows,)


def feature_differences(
    settings: Settings,
    sources: Sources,
    shown: Impressions,
    rows: int,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> NDArray[np.float64]:
    """|online - offline| / max(1, |offline|) of every ranking feature for the newest settled impressions.

    (impressions, features), of at most `rows` impressions, none if none is settled. 0 where both values are missing,
    infinite where one is missing, NaN where they differ because events are in flight. Takes as long as the sum of
    PAUSES_SECONDS if history does not catch up.

    Raises:
        redis.RedisError: the online store does not answer.
    """
    newest = np.flatnonzero(shown.known_us <= _settled_us(clock()))[-rows:]
    if not len(newest):
        return np.empty((0, len(sources.program)))
    keys = {
        "user_id": shown.user_ids[newest],
        "post_id": shown.post_ids[newest],
        "creator_id": shown.creator_ids[newest],
        "topic_id": shown.topic_ids[newest],
    }
    schemas = [view.schema for view in sources.manifest.views]
    url, cluster = server_url(settings), is_cluster(settings)
    with closing(PackedReader.from_url(url, schemas, timeout_seconds=10, cluster=cluster)) as reader:
        look = _look(reader, sources, keys, clock())
        unchanged = look.behind & ~look.recent
        found, left = look.differences(look.behind & ~unchanged), np.arange(len(keys["user_id"]))
        for pause in PAUSES_SECONDS:
            again = unchanged.any(axis=1)
            if not again.any():
                break
            sleep(pause)
            left, former = left[again], look.versions[again]
            look = _look(reader, sources, {name: values[left] for name, values in keys.items()}, clock())
            unchanged = look.behind & ~look.recent & (look.versions == former)
            found[left] = look.differences(look.behind & ~unchanged)
    return found


@dataclass(frozen=True, slots=True)
class _Look:
    """Both stores at one time.

    Attributes:
        online, offline: the stored features.
        now: the time of the look.
        manifest: tells the counter views, which have `as_of`.
        program: the ranking features that are compared.
        versions: (rows, counter views) `as_of` of the online rows.
        behind: (rows, counter views) whether history lacks the online row.
    """

    online: Columns
    offline: Columns
    now: datetime
    manifest: FeatureManifest
    program: FeatureProgram
    versions: NDArray[np.int64]
    behind: NDArray[np.bool_]

    @property
    def recent(self) -> NDArray[np.bool_]:
        """(rows, counter views) whether the online row changed so lately that history may lack it."""
        return self.versions > _settled_us(self.now)

    def differences(self, in_flight: NDArray[np.bool_]) -> NDArray[np.float64]:
        """See `feature_differences`. NaN where values differ only because of the pairs `in_flight`.

        in_flight: (rows, counter views).
        """
        apart = self._apart(self.online)
        if not in_flight.any():
            return apart
        view_of = {name: at for at, name in enumerate(_counter_views(self.manifest))}
        settled = {
            name: np.where(in_flight[:, view_of[view]], self.offline[name], column)
            if (view := name.partition("__")[0]) in view_of
            else column
            for name, column in self.online.items()
        }
        known = self._apart(settled)
        return np.where(known == apart, apart, np.nan)

    def _apart(self, online: Columns) -> NDArray[np.float64]:
        rows, seconds = len(self.versions), self.now.timestamp()
        served, joined = (
            self.program.matrix(StoredFeatures(columns, self.manifest, seconds), rows).astype(np.float64)
            for columns in (online, self.offline)
        )
        difference = np.abs(served - joined) / np.maximum(1.0, np.abs(joined))
        both_missing = np.isnan(served) & np.isnan(joined)
        return np.where(both_missing, 0.0, np.nan_to_num(difference, nan=np.inf))


def _look(reader: PackedReader, sources: Sources, keys: Mapping[str, NDArray[np.int64]], now: datetime) -> _Look:
    count, now_us = len(keys["user_id"]), round(now.timestamp() * MICROSECONDS)
    entities = EntityRows(**{f"{name}s": values for name, values in keys.items()}, known_us=np.full(count, now_us))
    offline = features_known_at(sources.features, sources.manifest, entities)
    online: Columns = {
        f"{name}__{field}": view.values[field]
        for name, view in reader.read(keys).items()
        for field in view.values.dtype.names or ()
    }
    views = _counter_views(sources.manifest)
    versions, known = (
        np.array([columns[f"{view}__{AS_OF_FIELD}"] for view in views], np.int64).reshape(len(views), count).T
        for columns in (online, offline)
    )
    # read before the online rows, history is never ahead of them unless a row was lost online
    return _Look(online, offline, now, sources.manifest, sources.program, versions, versions > known)


def _settled_us(now: datetime) -> int:
    """The latest time, in microseconds since 1970, that history surely has."""
    return round((now - HISTORY_DELAY).timestamp() * MICROSECONDS)


def _counter_views(manifest: FeatureManifest) -> list[str]:
    return [view.name for view in manifest.views if any(f.name == AS_OF_FIELD for f in view.schema.fixed_fields)]
