"""Replaces the history of a feature view, hour by hour, concurrently with readers."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
from feast import FeatureView

from photofeed.errors import NotFoundError, RetryableError
from photofeed.offline_store.columns import conform
from photofeed.offline_store.contracts import feature_contract
from photofeed.offline_store.lake import TRANSFERS, Lake, LakeFolder
from photofeed.offline_store.parts import ALWAYS, MEDIA_TYPE, Hours, encode, partition_of, successor
from photofeed.offline_store.quarantine import admit

_ATTEMPTS = 10
_DISORDER = timedelta(hours=1)


def rewrite_history(lake: Lake, view: FeatureView, tables: Iterable[pa.Table]) -> int:
    """Replace the whole history of a view by these rows; returns their number.

    Each hour is replaced atomically by one part that names the parts it replaces (ADR 20). Hours without rows are
    emptied last. An interrupted rewrite leaves old hours beside new ones, and can be repeated.

    Args:
        lake: the lake of the history.
        view: from the registry.
        tables: rows in order of event time; a row may be at most an hour older than the newest row before it.

    Raises:
        ValueError: columns are missing or unknown, or rows are out of order.
        RetryableError: parts are written and merged faster than they can be replaced.
    """
    source, folder = view.batch_source, LakeFolder.from_uri(view.batch_source.path)
    schema = lake.schema(folder)
    moments = [name for name in (source.timestamp_field, source.created_timestamp_column) if name]
    contract = feature_contract(view.name, schema, view.join_keys, moments)
    empty = schema.empty_table()
    waiting: dict[str, list[pa.Table]] = {}
    written, rows = set[str](), 0

    def write(partitions: Iterable[str]) -> None:
        for partition in partitions:
            _replace(lake, folder, partition, pa.concat_tables(waiting.pop(partition, [empty])))
            written.add(partition)

    for table in tables:
        good = admit(lake, folder.bucket, contract, conform(table, schema))
        for partition, part in _by_hour(good, source.timestamp_field).items():
            if partition in written:
                raise ValueError(f"{view.name}: rows out of order: {partition} is already written")
            waiting.setdefault(partition, []).append(part)
            rows += len(part)
        if len(good):
            newest = pc.max(good.column(source.timestamp_field)).as_py()
            write([partition for partition in sorted(waiting) if partition < partition_of(newest - _DISORDER)])
    write(sorted(waiting))
    write({part.partition for part in lake.list_parts(folder, ALWAYS).listed} - written)
    return rows


def _by_hour(table: pa.Table, moment: str) -> dict[str, pa.Table]:
    hours = pc.floor_temporal(table.column(moment), unit="hour")
    return {partition_of(hour.as_py()): table.filter(pc.equal(hours, hour)) for hour in pc.unique(hours)}


def _replace(lake: Lake, folder: LakeFolder, partition: str, table: pa.Table) -> None:
    """Replace all parts of one hour."""
    for _ in range(_ATTEMPTS):
        try:
            listing = lake.list_parts(folder, Hours.of(partition))
        except NotFoundError:  # a part was merged since the listing
            continue
        replaced = frozenset[str]().union(*listing.replaced.values())
        merged = successor(partition, listing.listed, replaced)
        data = encode(table, replaced.union(part.name for part in listing.listed))
        if lake.objects.put_new(folder.bucket, folder.key(merged.path), data, MEDIA_TYPE):
            with ThreadPoolExecutor(TRANSFERS) as pool:
                list(pool.map(lambda part: lake.objects.delete(folder.bucket, folder.key(part.path)), listing.listed))
            return
    raise RetryableError(f"{folder}: parts of {partition} are merged faster than they can be replaced")
