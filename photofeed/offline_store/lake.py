"""Parquet parts in object storage: a folder per table, appended to by whole parts, read through a local mirror."""

import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from photofeed.errors import NotFoundError, RetryableError
from photofeed.ids import uuid7
from photofeed.object_store import ObjectStore, S3ObjectStore
from photofeed.offline_store.parts import (
    ALWAYS,
    MEDIA_TYPE,
    SCHEMA_FILE,
    Hours,
    Part,
    encode,
    live,
    partition_of,
    replaced_by,
)
from photofeed.offline_store.tables import MIRROR
from photofeed.settings import Settings

TRANSFERS = 8
_LOOKS = 5
_KEPT_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class LakeFolder:
    """Where one table's parts lie."""

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
    """Folders of Parquet parts, and their mirror under `cache_dir`. Safe to share between threads and processes.

    A part is never changed, so a mirrored part stays good. A mirrored part that no longer counts, since it was merged
    into another, is kept for an hour after it was last asked for: somebody may be reading it.
    """

    def __init__(self, objects: ObjectStore, cache_dir: Path) -> None:
        self.objects = objects
        self.cache_dir = cache_dir
        self._replaced: dict[Path, frozenset[str]] = {}

    def declare(self, folder: LakeFolder, schema: pa.Schema) -> None:
        """Say which columns the folder has; rows written before with fewer columns read as nulls in the new ones."""
        self.objects.put(folder.bucket, folder.key(SCHEMA_FILE), encode(schema.empty_table()), MEDIA_TYPE)

    def schema(self, folder: LakeFolder) -> pa.Schema:
        """The declared columns.

        Raises:
            NotFoundError: the folder was never declared.
        """
        try:
            data = self.objects.get(folder.bucket, folder.key(SCHEMA_FILE))
        except NotFoundError as error:
            raise NotFoundError(f"{folder} has no {SCHEMA_FILE}: apply the feature repo first") from error
        return pq.read_schema(pa.BufferReader(data))

    def append(self, folder: LakeFolder, table: pa.Table, time_column: str, part_id: str = "") -> list[str]:
        """Write rows as new parts, one per hour of event time; returns the parts' paths.

        Args:
            folder: which table.
            table: its rows.
            time_column: of event time.
            part_id: hexadecimal; the same id and rows again overwrite themselves. A new one unless given.

        Raises:
            ValueError: a row without event time.
        """
        if table.column(time_column).null_count:
            raise ValueError(f"{folder}: rows without {time_column} cannot be kept")
        hours = pc.floor_temporal(table.column(time_column), unit="hour")
        parts = {}
        for hour in pc.unique(hours):
            rows = table.filter(pc.equal(hours, hour))
            parts[f"{partition_of(hour.as_py())}/{part_id or uuid7()}-{len(rows)}.parquet"] = rows

        def write(part: tuple[str, pa.Table]) -> None:
            self.objects.put(folder.bucket, folder.key(part[0]), encode(part[1]), MEDIA_TYPE)

        # imported history touches hundreds of hours at once
        with ThreadPoolExecutor(TRANSFERS) as uploads:
            list(uploads.map(write, parts.items()))
        return list(parts)

    def mirror(self, folder: LakeFolder, hours: Hours = ALWAYS) -> list[Path]:
        """Local copies of the parts that hold the rows of `hours`; only what is new is fetched.

        Raises:
            RetryableError: object storage cannot be reached, or parts are merged faster than they can be fetched.
        """
        for _ in range(_LOOKS):
            try:
                seen = self.look(folder, hours)
                self.fetch(folder, (part.path for part in seen.live))
            except NotFoundError:  # merged away since it was listed
                continue
            self._forget(folder, seen)
            return [self.local(folder, part.path) for part in seen.live]
        raise RetryableError(f"{folder}: parts are merged faster than they can be fetched")

    def mirror_schema(self, folder: LakeFolder) -> Path:
        """A local copy of the columns, as a file without rows.

        Raises:
            NotFoundError: the folder was never declared.
        """
        self.local(folder, SCHEMA_FILE).unlink(missing_ok=True)
        self.fetch(folder, [SCHEMA_FILE])
        return self.local(folder, SCHEMA_FILE)

    def rows(self, folder: LakeFolder) -> int:
        """How many rows the folder holds; an event that came twice counts twice."""
        seen = self.look(folder, ALWAYS)
        merged = [self.local(folder, part.path) for part in seen.live if part.rows is None]
        in_merged: int = sum(pq.read_metadata(file).num_rows for file in merged)
        return sum(part.rows or 0 for part in seen.live) + in_merged

    def look(self, folder: LakeFolder, hours: Hours) -> "Seen":
        """The parts there are, and which of them count; merged ones are fetched, since they say so.

        Raises:
            NotFoundError: a merged part was merged away since it was listed.
        """
        keys = (key for prefix in hours.prefixes() for key in self.objects.keys(folder.bucket, folder.key(prefix)))
        parts = [Part.of(key.removeprefix(folder.key(""))) for key in keys if key.endswith(".parquet")]
        listed = [part for part in parts if part.partition in hours]
        merged = [part for part in listed if part.is_merged]
        self.fetch(folder, (part.path for part in merged))
        replaced = {part: self._replaced_by(self.local(folder, part.path)) for part in merged}
        return Seen(listed, live(listed, replaced), replaced)

    def local(self, folder: LakeFolder, path: str) -> Path:
        """Where a file of the folder is mirrored to."""
        return self.cache_dir / folder.bucket / folder.prefix / path

    def fetch(self, folder: LakeFolder, paths: Iterable[str]) -> None:
        """Copy files that are not here yet, and note that they are in use.

        Raises:
            NotFoundError: one of them is gone.
        """

        def fetch(path: str) -> None:
            target = self.local(folder, path)
            try:
                os.utime(target)
            except FileNotFoundError:
                target.parent.mkdir(parents=True, exist_ok=True)
                arriving = target.with_suffix(f".{uuid7()}")
                arriving.write_bytes(self.objects.get(folder.bucket, folder.key(path)))
                arriving.replace(target)

        with ThreadPoolExecutor(TRANSFERS) as downloads:
            list(downloads.map(fetch, paths))

    def _replaced_by(self, merged: Path) -> frozenset[str]:
        if merged not in self._replaced:
            self._replaced[merged] = replaced_by(merged)
        return self._replaced[merged]

    def _forget(self, folder: LakeFolder, seen: "Seen") -> None:
        """Remove copies of parts that count no more, of the partitions that were looked at."""
        counting = {self.local(folder, part.path) for part in seen.live}
        for partition in {part.partition for part in seen.listed}:
            for file in self.local(folder, partition).glob("*.parquet"):
                if file not in counting and file.stat().st_mtime < time.time() - _KEPT_SECONDS:
                    file.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at a folder found: all parts, those that count, and what each merged part replaces."""

    listed: list[Part]
    live: list[Part]
    replaced: dict[Part, frozenset[str]]


def open_lake(settings: Settings) -> Lake:
    """The lake on the settings' object storage, mirrored under the state folder."""
    return Lake(S3ObjectStore.connect(settings), (settings.state_dir / MIRROR).absolute())
