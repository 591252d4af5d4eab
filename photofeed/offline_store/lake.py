"""Parquet parts in object storage: a folder per source, appended to by whole parts, read through a local mirror.

    <folder>/schema.parquet                                  no rows: the columns, in order
    <folder>/day=2026-03-01/hour=12/<time-ordered>.parquet   rows whose event time lies in that hour, UTC

A part is never changed, so a mirrored part stays good for as long as the original exists.
"""

import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from photofeed.errors import NotFoundError
from photofeed.ids import uuid7
from photofeed.object_store import ObjectStore

SCHEMA_FILE = "schema.parquet"
MEDIA_TYPE = "application/vnd.apache.parquet"
_TRANSFERS = 8


@dataclass(frozen=True, slots=True)
class LakeFolder:
    """Where one source's parts lie."""

    bucket: str
    prefix: str

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        """The folder behind `s3://bucket/prefix`.

        Raises:
            ValueError: not such a URI.
        """
        parts = urlsplit(uri)
        prefix = parts.path.strip("/")
        if parts.scheme != "s3" or not parts.netloc or not prefix:
            raise ValueError(f"expected s3://bucket/folder, not {uri!r}")
        return cls(parts.netloc, prefix)

    def key(self, name: str) -> str:
        """The object key of a file in the folder."""
        return f"{self.prefix}/{name}"

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


class Lake:
    """Folders of Parquet parts, and their mirror under `cache_dir`. Safe to share between threads and processes."""

    def __init__(self, objects: ObjectStore, cache_dir: Path) -> None:
        self._objects = objects
        self._cache_dir = cache_dir

    def declare(self, folder: LakeFolder, schema: pa.Schema) -> None:
        """Say which columns the folder has; rows written before with fewer columns read as nulls in the new ones."""
        self._put(folder, SCHEMA_FILE, schema.empty_table())

    def schema(self, folder: LakeFolder) -> pa.Schema:
        """The declared columns.

        Raises:
            NotFoundError: the folder was never declared.
        """
        try:
            data = self._objects.get(folder.bucket, folder.key(SCHEMA_FILE))
        except NotFoundError as error:
            raise NotFoundError(f"{folder} has no {SCHEMA_FILE}: apply the feature repo first") from error
        return pq.read_schema(pa.BufferReader(data))

    def append(self, folder: LakeFolder, table: pa.Table, time_column: str) -> list[str]:
        """Write rows as new parts, one per hour of event time; returns the parts' names.

        Raises:
            ValueError: a row without event time.
        """
        if table.column(time_column).null_count:
            raise ValueError(f"{folder}: rows without {time_column} cannot be kept")
        hours = pc.floor_temporal(table.column(time_column), unit="hour")
        parts = {
            f"{hour.as_py():day=%Y-%m-%d/hour=%H}/{uuid7()}.parquet": table.filter(pc.equal(hours, hour))
            for hour in pc.unique(hours)
        }
        # imported history touches hundreds of hours at once
        with ThreadPoolExecutor(_TRANSFERS) as uploads:
            list(uploads.map(lambda part: self._put(folder, *part), parts.items()))
        return list(parts)

    def mirror(self, folder: LakeFolder) -> list[Path]:
        """Bring the local copy up to date; returns its files, the schema's first."""
        local = self._cache_dir / folder.bucket / folder.prefix
        names = [key.removeprefix(folder.key("")) for key in self._objects.keys(folder.bucket, folder.key(""))]
        parts = [name for name in names if name.endswith(".parquet") and name != SCHEMA_FILE]
        kept = {path.relative_to(local).as_posix() for path in local.rglob("*.parquet")} - {SCHEMA_FILE}
        self._fetch(folder, local, [SCHEMA_FILE, *sorted(set(parts) - kept)])
        for gone in kept - set(parts):
            (local / gone).unlink(missing_ok=True)
        return [local / SCHEMA_FILE, *(local / name for name in parts)]

    def _fetch(self, folder: LakeFolder, local: Path, names: Iterable[str]) -> None:
        def fetch(name: str) -> None:
            target = local / name
            target.parent.mkdir(parents=True, exist_ok=True)
            arriving = target.with_suffix(f".{uuid7()}")
            arriving.write_bytes(self._objects.get(folder.bucket, folder.key(name)))
            arriving.replace(target)

        with ThreadPoolExecutor(_TRANSFERS) as downloads:
            list(downloads.map(fetch, names))

    def _put(self, folder: LakeFolder, name: str, table: pa.Table) -> None:
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd", coerce_timestamps="us")
        self._objects.put(folder.bucket, folder.key(name), buffer.getvalue(), MEDIA_TYPE)
