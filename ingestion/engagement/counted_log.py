"""The engagement log in the lake: all of it, or as far as the features worker has counted it."""

from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.engagement.counted_events import RedisCountedEvents
from photofeed.errors import ConflictError
from photofeed.features.event_columns import ACTIONS, EventColumns
from photofeed.offline_store.lake import Lake, LakeFolder
from photofeed.offline_store.tables import ENGAGEMENT

_EVENTS_AT_ONCE = 10_000
_EVENTS = "select distinct on (id) * from log where {where} order by occurred_at, id"
_ACTIONS = pa.array([action.value for action in ACTIONS])


def counted_log(lake: Lake, bucket: str, counted: RedisCountedEvents) -> Iterator[EventColumns]:
    """Every event that was counted, once each, in order of time, in pieces; all as if imported.

    The archive and the features worker read the topic each at their own pace. An event that is in the lake and not
    counted yet is left out: the worker will count it. Of days that the worker does not remember, all were counted.

    Raises:
        ConflictError: events were counted that are not in the lake yet: the archive must catch up.
        RetryableError: object storage cannot be reached.
    """
    remembered, found, awaited = counted.days(), 0, set[str]()
    for events in read_log(lake, bucket):
        known = counted.known(events)
        found += int(known.sum())
        awaited |= set(events.id[~known & np.isin(events.day, list(remembered))].tolist())
    if (missing := sum(remembered.values()) - found) > 0:
        raise ConflictError(f"{missing} events were counted and are not in the lake yet: let the archive catch up")
    for events in read_log(lake, bucket):
        yield events.take(np.array([name not in awaited for name in events.id], np.bool_)) if awaited else events


def read_log(lake: Lake, bucket: str, where: str = "true") -> Iterator[EventColumns]:
    """Every event of the log that meets a condition in DuckDB's SQL, once each, in order of time, in pieces.

    Raises:
        RetryableError: object storage cannot be reached.
    """
    files = lake.mirror(LakeFolder(bucket, ENGAGEMENT))
    if not files:
        return
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        names = [str(file) for file in files]
        connection.register("log", connection.read_parquet(names, hive_partitioning=False, union_by_name=True))
        yield from map(_columns, connection.sql(_EVENTS.format(where=where)).to_arrow_reader(_EVENTS_AT_ONCE))


def _columns(batch: Any) -> EventColumns:
    def numbers(name: str) -> Any:
        return batch[name].fill_null(0).to_numpy(zero_copy_only=False)

    return EventColumns(
        id=batch["id"].to_numpy(zero_copy_only=False),
        action=pc.index_in(batch["action"], value_set=_ACTIONS).to_numpy(zero_copy_only=False).astype(np.int8),
        user_id=numbers("user_id"),
        creator_id=numbers("creator_id"),
        post_id=numbers("post_id"),
        topic_id=numbers("topic_id"),
        content_type=batch["content_type"].fill_null("").to_numpy(zero_copy_only=False).astype(np.str_),
        occurred_us=batch["occurred_at"].cast(pa.int64()).to_numpy(zero_copy_only=False),
        dwell_seconds=numbers("dwell_ms") / 1000,
        imported=np.ones(len(batch), np.bool_),
    )
