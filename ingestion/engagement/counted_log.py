"""The engagement log in the lake: all events, or those that the features worker has counted."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.archive import ENGAGEMENT_SCHEMA
from ingestion.engagement.counted_events import KnownEvents
from photofeed import topics
from photofeed.errors import ConflictError
from photofeed.features.event_columns import ACTIONS, EventColumns
from photofeed.offline_store.lake import Lake, LakeFolder
from photofeed.offline_store.spilling import spilling
from photofeed.offline_store.tables import ENGAGEMENT

IMPORTED = "coalesce(imported, false)"
"""SQL: whether an event is of an import. Parts of before there were imports have null."""
_EVENTS_AT_ONCE = 10_000
_MEMORY_MB = 1_024  # 5 million events take 7 s with it, and 5 s without a limit
# Parts written before a column was declared have null in it. The copy of an event that is first in the log was counted.
_EVENTS = """
select * from (select * from log union all by name select * from declared) where {where}
qualify row_number() over (partition by id order by log_offset nulls first, occurred_at) = 1 and ({keep})
order by occurred_at, id
"""
_ACTIONS = pa.array([action.value for action in ACTIONS])


def counted_log(lake: Lake, bucket: str, counted: KnownEvents) -> Iterator[EventColumns]:
    """Every counted event once, in order of time and in pieces, marked as imported.

    The archive and the features worker read the topic independently. An event in the lake that has not been counted yet
    is left out, because the worker will count it: its id is not remembered although the event log still has it. Ids of
    events archived before that have expired; those events were counted. So do events of `photofeed import`, which no
    worker sees.

    Raises:
        ConflictError: counted events are missing from the lake: the archive must catch up.
        RetryableError: object storage cannot be reached.
    """
    found = sum(int(counted.known(events).sum()) for events in read_log(lake, bucket))
    if (missing := counted.count() - found) > 0:
        raise ConflictError(
            f"{missing} counted events are not in the lake yet: wait until the archive worker has caught up"
        )
    since = datetime.now(UTC) - topics.ENGAGEMENT.retention
    recent = read_log(lake, bucket, f"archived_at >= '{since.isoformat()}' and not {IMPORTED}")
    uncounted = {name for events in recent for name in events.id[~counted.known(events)].tolist()}
    for events in read_log(lake, bucket):
        yield events.take(np.array([name not in uncounted for name in events.id], np.bool_)) if uncounted else events


def read_log(lake: Lake, bucket: str, where: str = "true", keep: str = "true") -> Iterator[EventColumns]:
    """Events of the log, each once, in order of time and in pieces. Copies of an event have the same id.

    Args:
        lake: where the log is.
        bucket: its bucket.
        where: a condition in DuckDB's SQL, for every copy of an event. It saves reading the others.
        keep: one for the copy that was counted, which is the first in the log.

    Raises:
        RetryableError: object storage cannot be reached.
    """
    files = lake.mirror(LakeFolder(bucket, ENGAGEMENT))
    if not files:
        return
    with duckdb.connect(config=spilling(lake.cache_dir, _MEMORY_MB)) as connection:
        connection.execute("set timezone = 'UTC'")
        names = [str(file) for file in files]
        connection.register("log", connection.read_parquet(names, hive_partitioning=False, union_by_name=True))
        connection.register("declared", ENGAGEMENT_SCHEMA.empty_table())
        events = connection.sql(_EVENTS.format(where=where, keep=keep))
        yield from map(_columns, events.to_arrow_reader(_EVENTS_AT_ONCE))


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
