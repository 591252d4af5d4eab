"""The lake: Parquet parts in object storage, one folder per table, appended part by part, read from a local mirror."""

import os
import time
from collections.abc import Container, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
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
_ATTEMPTS = 5
_UNUSED_SECONDS = 3600.0
_UNUSED_LIVE_SECONDS = 2 * 86_400.0


@dataclass(frozen=True, slots=True)
class LakeFolder:
    """The folder of one table's parts."""

    bucket: str
    prefix: str

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        """The folder of a URI `s3://bucket/prefix`.

        Raises:
            ValueError: it is not such a URI.
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

    Parts never change, so a mirrored part stays valid. A mirrored part that is not live, because it was merged, is kept
    for an hour after its last use: another reader may have it open. Compaction also removes what nobody used for days.
    """

    def __init__(self, objects: ObjectStore, cache_dir: Path) -> None:
        self.objects = objects
        self.cache_dir = cache_dir
        self._replaced: dict[Path, frozenset[str]] = {}

    def declare(self, folder: LakeFolder, schema: pa.Schema) -> None:
        """Declare the columns of a folder; older rows with fewer columns read as null in the new ones."""
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
        """Write rows as new parts, one per hour of event time; returns the paths of the parts.

        Args:
            folder: the folder of the table.
            table: the rows.
            time_column: the column with the event time.
            part_id: hexadecimal; writing the same rows with the same id again overwrites them. A new id unless given.

        Raises:
            ValueError: a row has no event time.
        """
        if table.column(time_column).null_count:
            raise ValueError(f"{folder}: rows without {time_column} cannot be stored")
        hours = pc.floor_temporal(table.column(time_column), unit="hour")
        parts = {}
        for hour in pc.unique(hours):
            rows = table.filter(pc.equal(hours, hour))
            parts[f"{partition_of(hour.as_py())}/{part_id or uuid7()}-{len(rows)}.parquet"] = rows

        def write(part: tuple[str, pa.Table]) -> None:
            self.objects.put(folder.bucket, folder.key(part[0]), encode(part[1]), MEDIA_TYPE)

        # imported history has parts of hundreds of hours
        with ThreadPoolExecutor(TRANSFERS) as uploads:
            list(uploads.map(write, parts.items()))
        return list(parts)

    def mirror(self, folder: LakeFolder, hours: Hours = ALWAYS) -> list[Path]:
        """Local copies of the live parts of `hours`; downloads only new parts.

        Raises:
            RetryableError: object storage does not answer, or parts are merged faster than they can be downloaded.
        """
        for _ in range(_ATTEMPTS):
            try:
                listing = self.list_parts(folder, hours)
                self.fetch(folder, (part.path for part in listing.live))
            except NotFoundError:  # a part was merged since the listing
                continue
            self._remove_unused(folder, listing)
            return [self.local(folder, part.path) for part in listing.live]
        raise RetryableError(f"{folder}: parts are merged faster than they can be downloaded")

    def mirror_schema(self, folder: LakeFolder) -> Path:
        """A local copy of the declared columns, as a file without rows.

        Raises:
            NotFoundError: the folder was never declared.
        """
        # downloaded each time, because it changes; replaced in one step, because other processes may be opening it
        self._download(folder, SCHEMA_FILE)
        return self.local(folder, SCHEMA_FILE)

    def rows(self, folder: LakeFolder) -> int:
        """Number of rows in the folder; a repeated event counts each time."""
        listing = self.list_parts(folder, ALWAYS)
        merged = [self.local(folder, part.path) for part in listing.live if part.rows is None]
        in_merged: int = sum(pq.read_metadata(file).num_rows for file in merged)
        return sum(part.rows or 0 for part in listing.live) + in_merged

    def list_parts(self, folder: LakeFolder, hours: Hours) -> "FolderListing":
        """All parts of `hours`, and which of them are live; downloads the merged parts, which name those they replace.

        Raises:
            NotFoundError: a merged part was merged again since the listing.
        """
        keys = (key for prefix in hours.prefixes() for key in self.objects.keys(folder.bucket, folder.key(prefix)))
        parts = [Part.of(key.removeprefix(folder.key(""))) for key in keys if key.endswith(".parquet")]
        listed = [part for part in parts if part.partition in hours]
        merged = [part for part in listed if part.is_merged]
        self.fetch(folder, (part.path for part in merged))
        replaced = {part: self._replaced_by(self.local(folder, part.path)) for part in merged}
        return FolderListing(listed, live(listed, replaced), replaced)

    def first_hour(self, folder: LakeFolder) -> datetime | None:
        """The hour of the oldest rows of the folder; None if it has none."""
        key = next(iter(self.objects.keys(folder.bucket, folder.key("day="))), None)
        return Hours.of(Part.of(key.removeprefix(folder.key(""))).partition).first if key else None

    def local(self, folder: LakeFolder, path: str) -> Path:
        """Path of a file of the folder in the mirror."""
        return self.cache_dir / folder.bucket / folder.prefix / path

    def fetch(self, folder: LakeFolder, paths: Iterable[str]) -> None:
        """Download files that are not in the mirror, and mark all of them as used now.

        Raises:
            NotFoundError: one of them does not exist any more.
        """

        def fetch(path: str) -> None:
            try:
                os.utime(self.local(folder, path))
            except FileNotFoundError:
                self._download(folder, path)

        with ThreadPoolExecutor(TRANSFERS) as downloads:
            list(downloads.map(fetch, paths))

    def _download(self, folder: LakeFolder, path: str) -> None:
        """Write a file aside, then put it in the place of the mirrored one: readers find the old or the new file."""
        target = self.local(folder, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(f".{uuid7()}")
        partial.write_bytes(self.objects.get(folder.bucket, folder.key(path)))
        partial.replace(target)

    def _replaced_by(self, merged: Path) -> frozenset[str]:
        if merged not in self._replaced:
            self._replaced[merged] = replaced_by(merged)
        return self._replaced[merged]

    def remove_unused(self, bucket: str, keys: Container[str]) -> None:
        """Remove mirrored files that nobody used for two days, or for an hour if they are not among a bucket's keys."""
        mirrored = self.cache_dir / bucket
        now = time.time()
        for file in mirrored.rglob("*.*"):
            kept = _UNUSED_LIVE_SECONDS if file.relative_to(mirrored).as_posix() in keys else _UNUSED_SECONDS
            with suppress(FileNotFoundError):
                if file.is_file() and file.stat().st_mtime < now - kept:
                    file.unlink()

    def _remove_unused(self, folder: LakeFolder, listing: "FolderListing") -> None:
        """Remove mirrored parts of the listed partitions that are neither live nor recently used."""
        in_use = {self.local(folder, part.path) for part in listing.live}
        for partition in {part.partition for part in listing.listed}:
            for file in self.local(folder, partition).glob("*.parquet"):
                if file not in in_use and file.stat().st_mtime < time.time() - _UNUSED_SECONDS:
                    file.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class FolderListing:
    """The parts of a folder: all of them, the live ones, and the names that each merged part replaces."""

    listed: list[Part]
    live: list[Part]
    replaced: dict[Part, frozenset[str]]


def open_lake(settings: Settings) -> Lake:
    """The lake in the object storage of the settings, mirrored in the state folder."""
    return Lake(S3ObjectStore.connect(settings), (settings.state_dir / MIRROR).absolute())
