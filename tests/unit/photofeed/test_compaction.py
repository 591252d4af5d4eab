"""Parts are merged while others read, write and merge, and compactors are killed: no row is lost or seen twice."""

import contextlib
import io
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photofeed.offline_store.compaction import Compaction
from photofeed.offline_store.lake import Lake, LakeFolder
from photofeed.offline_store.parts import ALWAYS, Hours
from tests.doubles.object_store import InMemoryObjectStore
from tests.metric_values import metric

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVENTS = LakeFolder("lake", "engagement")


class KilledError(Exception):
    """The process ends here."""


class Interrupted(InMemoryObjectStore):
    """Object storage whose caller is interrupted before its n-th call: by somebody else's work, or by being killed."""

    def __init__(self) -> None:
        super().__init__()
        self.interruptions: Iterator[object] = iter(())

    def interrupt(self) -> None:
        work = next(self.interruptions, None)
        if callable(work):
            waiting, self.interruptions = self.interruptions, iter(())
            work()
            self.interruptions = waiting

    def put(self, bucket: str, key: str, data: bytes, media_type: str, *, cache_control: str = "") -> None:
        self.interrupt()
        super().put(bucket, key, data, media_type, cache_control=cache_control)

    def put_new(self, bucket: str, key: str, data: bytes, media_type: str) -> bool:
        self.interrupt()
        return super().put_new(bucket, key, data, media_type)

    def get(self, bucket: str, key: str, *, etag: str | None = None) -> bytes:
        self.interrupt()
        return super().get(bucket, key, etag=etag)

    def delete(self, bucket: str, key: str) -> None:
        self.interrupt()
        super().delete(bucket, key)

    def keys(self, bucket: str, prefix: str) -> Iterator[str]:
        """In pages of two keys, as S3 lists thousands: between pages anything may happen."""
        last = ""
        while True:
            self.interrupt()
            page = [key for key in super().keys(bucket, prefix) if key > last][:2]
            yield from page
            if len(page) < 2:
                return
            last = page[-1]


def rows_of(numbers: list[int], at: datetime = NOON) -> pa.Table:
    return pa.table({"n": numbers, "at": pa.array([at] * len(numbers), pa.timestamp("us", tz="UTC"))})


def read(lake: Lake, hours: Hours = ALWAYS) -> list[int]:
    files = lake.mirror(EVENTS, hours)
    return sorted(n for file in files for n in pq.ParquetFile(file).read()["n"].to_pylist())


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(Interrupted(), tmp_path)


def test_small_parts_become_one_with_the_same_rows(lake: Lake) -> None:
    for n in range(20):
        lake.append(EVENTS, rows_of([n], NOON + n % 2 * HOUR), "at")
    before = metric("photofeed_lake_merged_parts_total")
    assert Compaction(lake, "lake", fewest_parts=5).compact() == 20
    assert metric("photofeed_lake_merged_parts_total") == before + 20
    assert [key.rpartition("/")[2] for key in lake.objects.keys("lake", "")] == ["merged-000001.parquet"] * 2
    assert read(lake) == list(range(20))
    assert lake.rows(EVENTS) == 20
    assert Compaction(lake, "lake", fewest_parts=5).compact() == 0
    assert metric("photofeed_lake_merged_parts_total") == before + 20


def test_columns_that_came_later_are_null_in_older_rows(lake: Lake) -> None:
    lake.append(EVENTS, rows_of([1]), "at")
    lake.append(EVENTS, rows_of([2]).append_column("more", pa.array([7.0])), "at")
    Compaction(lake, "lake", fewest_parts=2).compact()
    (merged,) = lake.mirror(EVENTS)
    table = pq.ParquetFile(merged).read().sort_by("n")
    assert table["more"].to_pylist() == [None, 7.0]
    assert table.schema.field("at").type == pa.timestamp("us", tz="UTC")


def test_large_parts_are_left_alone(lake: Lake) -> None:
    for n in range(6):
        lake.append(EVENTS, rows_of([n]), "at")
    (size,) = {lake.objects.head("lake", key).size for key in lake.objects.keys("lake", "")}
    assert Compaction(lake, "lake", fewest_parts=2, largest_bytes=3 * size).compact() == 3
    assert read(lake) == list(range(6))


@pytest.mark.parametrize("killed_at", range(40))
def test_killed_anywhere_nothing_is_lost_or_doubled_and_the_next_run_finishes(lake: Lake, killed_at: int) -> None:
    def die() -> None:
        raise KilledError

    for n in range(6):
        lake.append(EVENTS, rows_of([n]), "at")
    store = lake.objects
    assert isinstance(store, Interrupted)
    store.interruptions = iter([None] * killed_at + [die])
    with contextlib.suppress(KilledError):
        Compaction(lake, "lake", fewest_parts=3).compact()
    store.interruptions = iter(())
    assert read(lake) == list(range(6))
    lake.append(EVENTS, rows_of([6, 7]), "at")
    lake.append(EVENTS, rows_of([8]), "at")
    Compaction(lake, "lake", fewest_parts=2).compact()
    assert read(lake) == list(range(9))
    assert len(list(store.keys("lake", ""))) == 1


@settings(max_examples=150)
@given(
    moments=st.lists(st.sampled_from(["", "", "", "append", "merge", "read"]), max_size=40),
    outer=st.sampled_from(["merge", "read"]),
)
def test_whatever_happens_in_between(tmp_path_factory: pytest.TempPathFactory, moments: list[str], outer: str) -> None:
    """Appends, readers and other compactors come in at any call of a compactor or of a reader."""
    store = Interrupted()
    lake = Lake(store, tmp_path_factory.mktemp("mirror"))
    appended: list[int] = []

    def append() -> None:
        appended.append(len(appended))
        lake.append(EVENTS, rows_of([appended[-1]]), "at")

    def merge() -> None:
        Compaction(Lake(store, tmp_path_factory.mktemp("other")), "lake", fewest_parts=2).compact()

    def look() -> None:
        before = list(appended)
        seen = read(lake)
        assert len(set(seen)) == len(seen)
        assert set(before) <= set(seen)

    for _ in range(3):
        append()
    works = {"append": append, "merge": merge, "read": look}
    store.interruptions = iter([works.get(moment) for moment in moments])
    works[outer]()
    store.interruptions = iter(())
    assert read(lake) == appended
    merge()
    assert read(lake) == appended


@pytest.mark.parametrize("sleeps_at", range(12))
def test_a_compactor_that_slept_through_many_others_loses_nothing(tmp_path: Path, sleeps_at: int) -> None:
    """It may wake up with a number that was given to another, whose part was merged further and is gone."""
    store = Interrupted()
    lake = Lake(store, tmp_path / "a")

    def meanwhile() -> None:
        for n in range(2, 6):
            lake.append(EVENTS, rows_of([n]), "at")
            Compaction(Lake(store, tmp_path / "b"), "lake", fewest_parts=2).compact()

    for n in range(2):
        lake.append(EVENTS, rows_of([n]), "at")
    store.interruptions = iter([None] * sleeps_at + [meanwhile])
    Compaction(lake, "lake", fewest_parts=2).compact()
    assert read(lake) == list(range(6))


def test_only_the_hours_asked_for_are_fetched(lake: Lake, tmp_path: Path) -> None:
    for hour in range(72):
        lake.append(EVENTS, rows_of([hour], NOON + hour * HOUR), "at")
    assert read(lake, Hours(NOON + 30 * HOUR, NOON + 32 * HOUR)) == [30, 31, 32]
    assert len(list(tmp_path.rglob("*.parquet"))) == 3
    assert read(lake, Hours(last=NOON + HOUR)) == [0, 1]
    assert read(lake, Hours(first=NOON + 71 * HOUR)) == [71]


def test_a_copy_that_is_being_read_outlives_its_original(lake: Lake) -> None:
    for n in range(3):
        lake.append(EVENTS, rows_of([n]), "at")
    open_for_reading = lake.mirror(EVENTS)
    Compaction(lake, "lake", fewest_parts=2).compact()
    lake.mirror(EVENTS)
    assert [file.exists() for file in open_for_reading] == [True] * 3


def test_merging_holds_a_bounded_number_of_rows_in_memory(lake: Lake) -> None:
    """A merged part that was written in one piece would have one group of rows."""
    texts = ["x" * 2**20] * 24  # of one letter: small on the disk, large in memory
    for n in range(4):
        rows = rows_of([n] * len(texts)).append_column("text", pa.array(texts))
        lake.append(EVENTS, rows, "at")
    assert Compaction(lake, "lake", fewest_parts=4).compact() == 4
    (merged,) = lake.mirror(EVENTS)
    groups = pq.ParquetFile(merged)
    assert [groups.metadata.row_group(group).num_rows for group in range(groups.num_row_groups)] == [48, 48]
    assert groups.read(columns=["text"]).nbytes >= 96 * 2**20


@pytest.mark.parametrize(("unused_hours", "exist"), [(0.9, [True, True]), (1.1, [False, True]), (49, [False, False])])
def test_copies_that_nobody_uses_any_more_are_removed(lake: Lake, unused_hours: float, exist: list[bool]) -> None:
    """In a mirror that only compaction uses, nothing else would remove them."""
    for n in range(3):
        lake.append(EVENTS, rows_of([n]), "at")
    lake.append(EVENTS, rows_of([3], NOON + HOUR), "at")
    old, other = lake.mirror(EVENTS, Hours(last=NOON + HOUR))[0], lake.mirror(EVENTS)[-1]
    compaction = Compaction(lake, "lake", fewest_parts=3)
    compaction.compact()
    used = time.time() - unused_hours * 3600
    for file in (old, other):
        os.utime(file, (used, used))
    compaction.compact()
    assert [file.exists() for file in (old, other)] == exist


def test_a_part_that_comes_again_after_it_was_merged_does_not_count(lake: Lake) -> None:
    """The archive writes a batch again when it was killed before it had said so."""
    (part,) = lake.append(EVENTS, rows_of([1]), "at", "abc")
    lake.append(EVENTS, rows_of([2]), "at")
    Compaction(lake, "lake", fewest_parts=2).compact()
    data = io.BytesIO()
    pq.write_table(rows_of([1]), data)
    lake.objects.put("lake", EVENTS.key(part), data.getvalue(), "")
    assert read(lake) == [1, 2]
