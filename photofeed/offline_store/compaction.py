"""Merges the small parts of each hour into one, while others read and write."""

import io
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate

import prometheus_client
import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from photofeed.errors import NotFoundError, RetryableError
from photofeed.offline_store.lake import TRANSFERS, Lake, LakeFolder, Seen
from photofeed.offline_store.parts import MEDIA_TYPE, Hours, Part, encode, successor

log = structlog.get_logger(__name__)

MERGED = prometheus_client.Counter("photofeed_lake_merged_parts", "Parts of the lake that were merged into others")
FEWEST_PARTS = 8
LARGEST_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Compaction:
    """Merges parts of every folder of a bucket, hour by hour; any number may run at once, and be killed at any point.

    Merging pays from `fewest_parts` on; parts that would grow beyond `largest_bytes` are left alone, so that an hour is
    not rewritten without end.
    """

    lake: Lake
    bucket: str
    fewest_parts: int = FEWEST_PARTS
    largest_bytes: int = LARGEST_BYTES

    def run(self, stop: threading.Event, every_seconds: float) -> None:
        """Compact again and again until told to stop."""
        while not stop.wait(every_seconds):
            try:
                self.compact()
            except RetryableError as error:
                log.warning("compaction goes on later", error=str(error))

    def compact(self) -> int:
        """Go through the bucket once; returns how many parts were merged into others.

        Raises:
            RetryableError: object storage cannot be reached.
        """
        merged = sum(self._compact(folder, partition) for folder, partition in self._crowded())
        MERGED.inc(merged)
        log.info("lake compacted", bucket=self.bucket, merged_parts=merged)
        return merged

    def _crowded(self) -> list[tuple[LakeFolder, str]]:
        """The partitions with parts enough."""
        parts: Counter[tuple[str, str]] = Counter()
        for key in self.lake.objects.keys(self.bucket, ""):
            folder, day, rest = key.partition("/day=")
            if day and rest.endswith(".parquet"):
                parts[folder, Part.of(f"day={rest}").partition] += 1
        crowded = [partition for partition, count in parts.items() if count >= self.fewest_parts]
        return [(LakeFolder(self.bucket, folder), partition) for folder, partition in crowded]

    def _compact(self, folder: LakeFolder, partition: str) -> int:
        """Merge one partition's parts; returns how many."""
        hour = Hours.of(partition)
        try:
            seen = self.lake.look(folder, hour)
            self._delete(folder, set(seen.listed) - set(seen.live))  # a crash, or a part that came again, left them
            chosen = self._choose(folder, seen.live)
            if len(chosen) < self.fewest_parts:
                return 0
            merged = self._merge(folder, partition, chosen, seen)
            # one who began long ago can still write a number that was merged further since: such a part does not count
            if merged is None or merged not in self.lake.look(folder, hour).live:
                return 0
        except NotFoundError:  # somebody else merges here, too
            return 0
        self._delete(folder, chosen)
        return len(chosen)

    def _choose(self, folder: LakeFolder, parts: Sequence[Part]) -> list[Part]:
        """As many parts as make no more than the largest, former merged ones last."""
        with ThreadPoolExecutor(TRANSFERS) as pool:
            found = list(pool.map(lambda part: self.lake.objects.head(folder.bucket, folder.key(part.path)), parts))
        together = accumulate(info.size for info in found)
        return [part for part, size in zip(parts, together, strict=True) if size <= self.largest_bytes]

    def _merge(self, folder: LakeFolder, partition: str, chosen: Sequence[Part], seen: Seen) -> Part | None:
        """Write the merged part, the one step that counts; None if somebody else was faster."""
        with ThreadPoolExecutor(TRANSFERS) as pool:
            tables = list(pool.map(lambda part: self._read(folder, part), chosen))
        replaced = {part.name for part in chosen}.union(*(seen.replaced.get(part, ()) for part in chosen))
        merged = successor(partition, seen.listed, frozenset[str]().union(*seen.replaced.values()))
        data = encode(pa.concat_tables(tables, promote_options="default"), replaced)
        written = self.lake.objects.put_new(folder.bucket, folder.key(merged.path), data, MEDIA_TYPE)
        return merged if written else None

    def _read(self, folder: LakeFolder, part: Part) -> pa.Table:
        data = self.lake.objects.get(folder.bucket, folder.key(part.path))
        return pq.read_table(io.BytesIO(data)).replace_schema_metadata(None)

    def _delete(self, folder: LakeFolder, parts: Sequence[Part] | set[Part]) -> None:
        with ThreadPoolExecutor(TRANSFERS) as pool:
            list(pool.map(lambda part: self.lake.objects.delete(folder.bucket, folder.key(part.path)), parts))
