"""Merges the small parts of each hour into one, concurrently with readers and writers."""

import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import prometheus_client
import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from photofeed.allocator import release_free_memory
from photofeed.errors import NotFoundError, RetryableError
from photofeed.offline_store.lake import TRANSFERS, FolderListing, Lake, LakeFolder
from photofeed.offline_store.parts import MEDIA_TYPE, Hours, Part, encode_all, successor

log = structlog.get_logger(__name__)

MERGED = prometheus_client.Counter("photofeed_lake_merged_parts", "Parts of the lake that were merged into others")
FEWEST_PARTS = 8
LARGEST_BYTES = 64 * 2**20
_BATCH_ROWS = 4096
_ROW_GROUP_BYTES = 32 * 2**20


@dataclass(frozen=True, slots=True)
class Compaction:
    """Merges the parts of every folder of a bucket, hour by hour. Several may run at once, and be killed at any point.

    An hour is merged if it has at least `fewest_parts` parts. A merged part has at most `largest_bytes`, so that an
    hour is not rewritten again and again.
    """

    lake: Lake
    bucket: str
    fewest_parts: int = FEWEST_PARTS
    largest_bytes: int = LARGEST_BYTES

    def run(self, stop: threading.Event, every_seconds: float) -> None:
        """Compact every `every_seconds` until `stop` is set."""
        while not stop.wait(every_seconds):
            try:
                self.compact()
            except RetryableError as error:
                log.warning("compaction failed; will retry", error=str(error))

    def compact(self) -> int:
        """Compact the bucket once; returns the number of parts that were merged.

        Raises:
            RetryableError: object storage does not answer.
        """
        keys = frozenset(self.lake.objects.keys(self.bucket, ""))
        merged = sum(self._compact(folder, partition) for folder, partition in self._crowded(keys))
        self.lake.remove_unused(self.bucket, keys)
        release_free_memory()
        MERGED.inc(merged)
        log.info("lake compacted", bucket=self.bucket, merged_parts=merged)
        return merged

    def _crowded(self, keys: Iterable[str]) -> list[tuple[LakeFolder, str]]:
        """The partitions with at least `fewest_parts` parts, in the order of their names."""
        parts: Counter[tuple[str, str]] = Counter()
        for key in sorted(keys):
            folder, day, rest = key.partition("/day=")
            if day and rest.endswith(".parquet"):
                parts[folder, Part.of(f"day={rest}").partition] += 1
        crowded = [partition for partition, count in parts.items() if count >= self.fewest_parts]
        return [(LakeFolder(self.bucket, folder), partition) for folder, partition in crowded]

    def _compact(self, folder: LakeFolder, partition: str) -> int:
        """Merge the parts of one partition; returns their number."""
        hour = Hours.of(partition)
        try:
            listing = self.lake.list_parts(folder, hour)
            self._delete(folder, set(listing.listed) - set(listing.live))  # left by a crash, or written again
            chosen = self._choose(folder, listing.live)
            if len(chosen) < self.fewest_parts:
                return 0
            merged = self._merge(folder, partition, chosen, listing)
            # a slow compaction can write a number that a later merge has already replaced: such a part is not live
            if merged is None or merged not in self.lake.list_parts(folder, hour).live:
                return 0
        except NotFoundError:  # another compaction merges the same hour
            return 0
        self._delete(folder, chosen)
        return len(chosen)

    def _choose(self, folder: LakeFolder, parts: Sequence[Part]) -> list[Part]:
        """The first parts that together have at most `largest_bytes`; merged parts come last."""
        with ThreadPoolExecutor(TRANSFERS) as pool:
            found = list(pool.map(lambda part: self.lake.objects.head(folder.bucket, folder.key(part.path)), parts))
        together = accumulate(info.size for info in found)
        return [part for part, size in zip(parts, together, strict=True) if size <= self.largest_bytes]

    def _merge(self, folder: LakeFolder, partition: str, chosen: Sequence[Part], listing: FolderListing) -> Part | None:
        """Write the merged part, which replaces the others at once; None if another compaction was faster."""
        replaced = {part.name for part in chosen}.union(*(listing.replaced.get(part, ()) for part in chosen))
        merged = successor(partition, listing.listed, frozenset[str]().union(*listing.replaced.values()))
        self.lake.fetch(folder, (part.path for part in chosen))
        files = [self.lake.local(folder, part.path) for part in chosen]
        schemas = [pq.read_schema(file).remove_metadata() for file in files]
        schema = pa.unify_schemas(schemas, promote_options="default")
        with tempfile.TemporaryFile() as target:
            encode_all(_row_groups(files, schema), schema, target, replaced)
            target.seek(0)
            data = target.read()
        written = self.lake.objects.put_new(folder.bucket, folder.key(merged.path), data, MEDIA_TYPE)
        return merged if written else None

    def _delete(self, folder: LakeFolder, parts: Sequence[Part] | set[Part]) -> None:
        with ThreadPoolExecutor(TRANSFERS) as pool:
            list(pool.map(lambda part: self.lake.objects.delete(folder.bucket, folder.key(part.path)), parts))


def _row_groups(files: Iterable[Path], schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows of all files in tables of about `_ROW_GROUP_BYTES`, with the columns of `schema`."""
    gathered: list[pa.Table] = []
    for batch in _batches(files):
        rows = pa.concat_tables([schema.empty_table(), pa.Table.from_batches([batch])], promote_options="default")
        gathered.append(rows.replace_schema_metadata(None))
        if sum(table.nbytes for table in gathered) >= _ROW_GROUP_BYTES:
            yield pa.concat_tables(gathered).combine_chunks()
            gathered = []
    if gathered:
        yield pa.concat_tables(gathered).combine_chunks()


def _batches(files: Iterable[Path]) -> Iterator[pa.RecordBatch]:
    for file in files:
        with pq.ParquetFile(file) as part:
            yield from part.iter_batches(_BATCH_ROWS)
