"""The lake: replaces each hour that has rows of a person by the same hour without them."""

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingestion.erasure import Finding, Subject
from photofeed.errors import NotFoundError, RetryableError
from photofeed.offline_store.lake import TRANSFERS, FolderListing, Lake, LakeFolder
from photofeed.offline_store.parts import ALWAYS, MEDIA_TYPE, Hours, Part, encode, successor

# The columns that name a person, and those that name a post, in every table of the lake.
PEOPLE_COLUMNS = ("user_id", "creator_id")
POST_COLUMNS = ("post_id",)
_QUARANTINED = "row"  # a refused row as JSON
_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class LakeStore:
    """Raw engagement, the served log, the history of features, and the quarantine.

    One pass reads the columns of ids of the whole lake, so it is made for all people who wait.
    """

    lake: Lake
    bucket: str
    name: str = "lake"

    def erase(self, people: Sequence[Subject]) -> None:
        """Replace all hours with rows about the people. Their former parts are deleted, also from the local mirror."""
        for folder in self._folders():
            listing = self._listing(folder, ALWAYS)
            hours = {part.partition for part in listing.listed if self._holds(folder, part, people)}
            for partition in sorted(hours):
                self._replace(folder, partition, people)

    def find(self, person: Subject) -> Iterator[Finding]:
        """Rows about the person by table, in all parts, whether live or not, and in the local mirror."""
        for folder in self._folders():
            listing = self._listing(folder, ALWAYS)
            rows = sum(self._rows_in(folder, part, [person]) for part in listing.listed)
            if rows:
                yield Finding(folder.prefix, rows)
            mirrored = self.lake.local(folder, "").glob("day=*/hour=*/*.parquet")
            stale = sum(bool(_about(pq.ParquetFile(file).read(), [person]).true_count) for file in mirrored)
            if stale:
                yield Finding(f"{folder.prefix} (mirror)", stale)

    def rows(self, person: Subject) -> Iterator[dict[str, Any]]:
        """The live rows about a person, each with the name of its table as `table`."""
        for folder in self._folders():
            for part in self._listing(folder, ALWAYS).live:
                table = self._read(folder, part)
                for row in table.filter(_about(table, [person])).to_pylist():
                    yield {"table": folder.prefix} | row

    def _folders(self) -> list[LakeFolder]:
        keys = self.lake.objects.keys(self.bucket, "")
        names = {key.partition("/day=")[0] for key in keys if "/day=" in key}
        return [LakeFolder(self.bucket, name) for name in sorted(names)]

    def _listing(self, folder: LakeFolder, hours: Hours) -> FolderListing:
        for _ in range(_ATTEMPTS):
            try:
                return self.lake.list_parts(folder, hours)
            except NotFoundError:  # a part was merged since the listing
                continue
        raise RetryableError(f"{folder}: parts are merged faster than they can be listed")

    def _holds(self, folder: LakeFolder, part: Part, people: Sequence[Subject]) -> bool:
        return self._rows_in(folder, part, people) > 0

    def _rows_in(self, folder: LakeFolder, part: Part, people: Sequence[Subject]) -> int:
        """The number of rows about the people; only the columns that name somebody are decoded."""
        try:
            data = self.lake.objects.get(folder.bucket, folder.key(part.path))
        except NotFoundError:  # merged and deleted since the listing
            return 0
        file = pq.ParquetFile(pa.BufferReader(data))
        named = {*PEOPLE_COLUMNS, *POST_COLUMNS, _QUARANTINED} & set(file.schema_arrow.names)
        return int(_about(file.read(columns=sorted(named)), people).true_count)

    def _replace(self, folder: LakeFolder, partition: str, people: Sequence[Subject]) -> None:
        """Replace all parts of an hour by one without the people; readers see the old parts or the new one (ADR 20)."""
        for _ in range(_ATTEMPTS):
            listing = self._listing(folder, Hours.of(partition))
            try:
                tables = [self._read(folder, part) for part in listing.live]
            except NotFoundError:  # a part was merged since the listing
                continue
            replaced = frozenset[str]().union(*listing.replaced.values())
            merged = successor(partition, listing.listed, replaced)
            whole = pa.concat_tables(tables, promote_options="default")
            kept = whole.filter(pc.invert(_about(whole, people)))
            data = encode(kept, replaced.union(part.name for part in listing.listed))
            if self.lake.objects.put_new(folder.bucket, folder.key(merged.path), data, MEDIA_TYPE):
                self._delete(folder, listing.listed)
                return
        raise RetryableError(f"{folder}: parts of {partition} are merged faster than they can be replaced")

    def _read(self, folder: LakeFolder, part: Part) -> pa.Table:
        data = self.lake.objects.get(folder.bucket, folder.key(part.path))
        return pq.read_table(io.BytesIO(data)).replace_schema_metadata(None)

    def _delete(self, folder: LakeFolder, parts: Sequence[Part]) -> None:
        with ThreadPoolExecutor(TRANSFERS) as pool:
            list(pool.map(lambda part: self.lake.objects.delete(folder.bucket, folder.key(part.path)), parts))
        for part in parts:
            self.lake.local(folder, part.path).unlink(missing_ok=True)


def _about(table: pa.Table, people: Sequence[Subject]) -> pa.BooleanArray:
    """Which rows are about the people, (n,)."""
    users = pa.array([person.user_id for person in people], pa.int64())
    posts = pa.array([post for person in people for post in person.posts], pa.int64())
    about = pa.nulls(len(table), pa.bool_()).fill_null(False)
    for columns, ids in ((PEOPLE_COLUMNS, users), (POST_COLUMNS, posts)):
        for name in set(columns) & set(table.column_names):
            about = pc.or_(about, _flat(pc.is_in(table.column(name), value_set=ids)))
    if _QUARANTINED in table.column_names:
        words = "|".join(str(person.user_id) for person in people)
        pattern = rf"(^|[^0-9])({words})([^0-9]|$)"
        found = pc.match_substring_regex(table.column(_QUARANTINED), pattern)
        about = pc.or_(about, _flat(found).fill_null(False))
    return about


def _flat(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
