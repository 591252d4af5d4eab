"""Names and contents of the lake's Parquet parts, and which parts are live.

    <folder>/schema.parquet                               no rows: the columns, in order
    <folder>/day=2026-03-01/hour=12/<id>-<rows>.parquet   rows with event time in that hour, UTC
    <folder>/day=2026-03-01/hour=12/merged-000001.parquet rows of several parts; its footer names the parts it replaces

A merged part is written by one conditional put. From then on the parts that it replaces are not live, whether they are
deleted already or not, so a reader sees every row exactly once. Ids are hexadecimal, so merged parts come last in a
listing: a reader that misses a part because it was merged always lists its successor later.
"""

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Self

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA_FILE = "schema.parquet"
MEDIA_TYPE = "application/vnd.apache.parquet"
_PARTITION = "day=%Y-%m-%d/hour=%H"
_MERGED, _REPLACES = "merged-", b"photofeed.replaces"
_MOST_DAYS_LISTED_APART = 62


@dataclass(frozen=True, slots=True)
class Hours:
    """A range of event time in whole hours, from the hour of `first` to that of `last` inclusive; None is open."""

    first: datetime | None = None
    last: datetime | None = None

    @classmethod
    def of(cls, partition: str) -> Self:
        """The hour of a partition."""
        moment = datetime.strptime(partition, _PARTITION).replace(tzinfo=UTC)
        return cls(moment, moment)

    def __contains__(self, partition: str) -> bool:
        after_first = self.first is None or partition_of(self.first) <= partition
        return after_first and (self.last is None or partition <= partition_of(self.last))

    def prefixes(self) -> list[str]:
        """Prefixes to list: they cover all partitions of the range, and few others."""
        if self.first is None or self.last is None:
            return ["day="]
        if partition_of(self.first) == partition_of(self.last):
            return [f"{partition_of(self.first)}/"]
        first, last = (moment.astimezone(UTC).date() for moment in (self.first, self.last))
        if (last - first).days >= _MOST_DAYS_LISTED_APART:
            return ["day="]
        return [f"day={day.isoformat()}/" for day in _days(first, last)]


ALWAYS = Hours()


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a folder: `day=…/hour=…` and the file's name."""

    partition: str
    name: str

    @classmethod
    def of(cls, path: str) -> Self:
        """The part at a path within its folder."""
        partition, _, name = path.rpartition("/")
        return cls(partition, name)

    @property
    def path(self) -> str:
        """Its path within the folder."""
        return f"{self.partition}/{self.name}"

    @property
    def is_merged(self) -> bool:
        """Whether it replaces other parts."""
        return self.name.startswith(_MERGED)

    @property
    def rows(self) -> int | None:
        """Number of rows, if the name contains it."""
        count = self.name.removesuffix(".parquet").rpartition("-")[2]
        return int(count) if not self.is_merged and count.isdigit() else None


def partition_of(moment: datetime) -> str:
    """The partition of a moment."""
    return moment.astimezone(UTC).strftime(_PARTITION)


def live(parts: Iterable[Part], replaced: Mapping[Part, frozenset[str]]) -> list[Part]:
    """The live parts: those that no merged part of their partition replaces."""
    replaced_parts = {(merged.partition, name) for merged, names in replaced.items() for name in names}
    return [part for part in parts if (part.partition, part.name) not in replaced_parts]


def successor(partition: str, listed: Iterable[Part], replaced: Iterable[str]) -> Part:
    """The next merged part. Its number follows all existing and replaced ones, so concurrent merges collide."""
    names = [*(part.name for part in listed if part.is_merged), *replaced]
    numbers = [int(name[len(_MERGED) : -len(".parquet")]) for name in names if name.startswith(_MERGED)]
    return Part(partition, f"{_MERGED}{max(numbers, default=0) + 1:06d}.parquet")


def encode(table: pa.Table, replaces: Iterable[str] = ()) -> bytes:
    """The table as a Parquet file with microsecond timestamps and with `replaces` in its footer."""
    data = io.BytesIO()
    encode_all([table], table.schema, data, replaces)
    return data.getvalue()


def encode_all(tables: Iterable[pa.Table], schema: pa.Schema, file: BinaryIO, replaces: Iterable[str]) -> None:
    """Write tables into one Parquet file like that of `encode`, a row group each; only one is in memory at a time."""
    names = sorted(replaces)
    if names:
        schema = schema.with_metadata((schema.metadata or {}) | {_REPLACES: orjson.dumps(names)})
    with pq.ParquetWriter(file, schema, compression="zstd", coerce_timestamps="us") as writer:
        for table in tables:
            writer.write_table(table.cast(schema))


def replaced_by(file: Path) -> frozenset[str]:
    """The names of the parts that a merged part replaces."""
    metadata: dict[bytes, Any] = pq.read_metadata(file).metadata or {}
    return frozenset(orjson.loads(metadata.get(_REPLACES, b"[]")))


def _days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=number) for number in range((last - first).days + 1))
