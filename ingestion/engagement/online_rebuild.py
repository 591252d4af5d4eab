"""Restores the online features from their history in the lake."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import structlog
from feast import FeatureStore, FeatureView

from photofeed.offline_store.lake import Lake, LakeFolder
from photofeed.online_store.feast_schema import row_schema
from photofeed.online_store.published_rows import publish
from photofeed.online_store.writer import PackedWriter
from photofeed.redis_client import RedisClient

log = structlog.get_logger(__name__)

_ROWS_AT_ONCE, _KEYS_AT_ONCE = 50_000, 1_000


def rebuild_online(store: FeatureStore, lake: Lake, client: RedisClient) -> dict[str, int]:
    """Write the newest row of each entity of every view; returns the number of entities of each view.

    An online row that is as new or newer is kept, so a rebuild may be interrupted and repeated. Rows under keys of the
    previous layout are removed.

    Raises:
        NotFoundError: the source of a view was never declared.
        RetryableError: object storage cannot be reached.
        redis.RedisError: Redis cannot be reached.
    """
    rebuilt = {view.name: _rebuild(store, lake, client, view) for view in store.list_feature_views()}
    removed = _remove_former_keys(client, store.project, list(rebuilt))
    log.info("online features rebuilt", unreadable_rows_removed=removed, **rebuilt)
    return rebuilt


def has_history(store: FeatureStore, lake: Lake) -> bool:
    """Whether the lake has rows of any view.

    A worker without counters in Redis that counted on would then start from zero, and a later rebuild would keep its
    newer rows.
    """
    folders = [LakeFolder.from_uri(view.batch_source.path) for view in store.list_feature_views()]
    return any(next(iter(lake.objects.keys(folder.bucket, folder.key("day="))), None) for folder in folders)


def _rebuild(store: FeatureStore, lake: Lake, client: RedisClient, view: FeatureView) -> int:
    schema, count = row_schema(view, store.project), 0
    if schema.variable_fields:
        for table in _newest(lake, view):
            store.write_to_online_store(view.name, table.to_pandas())
            count += len(table)
        return count
    writer = PackedWriter(schema)
    for table in _newest(lake, view):
        pipeline = client.pipeline(transaction=False)
        written = writer.write(
            pipeline,
            {key.name: table[key.name].to_numpy() for key in schema.join_keys},
            {field.name: _numbers(table[field.name]) for field in schema.fields},
            _microseconds(table[view.batch_source.timestamp_field]),
            _microseconds(table[view.batch_source.created_timestamp_column]),
            keep_newest=True,
        )
        pipeline.execute()
        publish(client, written)
        count += len(table)
    return count


def _remove_former_keys(client: RedisClient, project: str, views: Sequence[str]) -> int:
    """Remove rows whose keys contain the names of project and view; returns how many.

    Keys contain hashes of these names since ADR 26, so nothing reads the rows.
    """
    prefixes, removed = tuple(f"{project}:{view}:".encode() for view in views), 0
    former = (key for key in client.scan_iter(f"{project}:*", count=_KEYS_AT_ONCE) if key.startswith(prefixes))
    while keys := list(islice(former, _KEYS_AT_ONCE)):
        removed += client.unlink(*keys)
    return removed


def _newest(lake: Lake, view: FeatureView) -> Iterator[pa.Table]:
    """The newest row of each entity, in pieces; among equally new rows the one created last."""
    source = view.batch_source
    folder = LakeFolder.from_uri(source.path)
    files = [str(file) for file in (lake.mirror_schema(folder), *lake.mirror(folder))]
    keys = ", ".join(f'"{key}"' for key in view.join_keys)
    newest_first = f'"{source.timestamp_field}" desc, "{source.created_timestamp_column}" desc'
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        history = connection.read_parquet(files, union_by_name=True, hive_partitioning=False)
        connection.register("history", history)
        query = f"select * from history qualify row_number() over (partition by {keys} order by {newest_first}) = 1"  # noqa: S608  made of the registry's own names
        yield from map(_table, connection.sql(query).to_arrow_reader(_ROWS_AT_ONCE))


def _table(batch: Any) -> pa.Table:
    return pa.Table.from_batches([batch])


def _numbers(column: Any) -> Any:
    """A column as numpy; nulls are NaN, and integer columns have none."""
    return column.combine_chunks().to_numpy(zero_copy_only=False)


def _microseconds(column: Any) -> Any:
    return column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy().astype(np.int64)
