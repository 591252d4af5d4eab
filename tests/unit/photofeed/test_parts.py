"""The lake's parts: hours, names, successors."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from photofeed.offline_store.lake import LakeFolder
from photofeed.offline_store.parts import ALWAYS, Hours, Part, live, partition_of, successor

NOON = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def test_a_partition_is_the_hour_in_utc() -> None:
    assert partition_of(NOON.astimezone(timezone(timedelta(hours=2)))) == "day=2026-03-01/hour=12"


def test_hours_include_both_ends_and_none_is_open() -> None:
    hours = Hours(NOON, NOON + timedelta(hours=2))
    inside = [hour for hour in range(10, 17) if partition_of(NOON.replace(hour=hour)) in hours]
    assert inside == [12, 13, 14]
    assert "day=1999-01-01/hour=00" in ALWAYS
    assert partition_of(NOON - timedelta(hours=1)) in Hours(last=NOON)
    assert partition_of(NOON - timedelta(hours=1)) not in Hours(first=NOON)
    assert "day=2026-03-01/hour=12" in Hours.of("day=2026-03-01/hour=12")


def test_every_day_of_a_range_is_listed_and_nothing_else_if_it_is_short() -> None:
    assert Hours(NOON, NOON).prefixes() == ["day=2026-03-01/hour=12/"]
    assert Hours(NOON, NOON + timedelta(days=2)).prefixes() == ["day=2026-03-01/", "day=2026-03-02/", "day=2026-03-03/"]
    assert len(Hours(NOON, NOON + timedelta(days=61)).prefixes()) == 62
    assert Hours(NOON, NOON + timedelta(days=62)).prefixes() == ["day="]
    assert ALWAYS.prefixes() == Hours(first=NOON).prefixes() == ["day="]


def test_a_part_s_name_tells_its_rows_unless_it_is_merged() -> None:
    assert Part.of("day=a/hour=b/0f-12.parquet").rows == 12
    merged = Part.of("day=a/hour=b/merged-000012.parquet")
    assert merged.is_merged
    assert merged.rows is None
    assert merged.path == "day=a/hour=b/merged-000012.parquet"


def test_replaced_parts_of_the_same_partition_are_not_live_and_successors_count_on() -> None:
    part, other, merged = Part("p", "a-1.parquet"), Part("q", "a-1.parquet"), Part("p", "merged-000003.parquet")
    assert live([part, other, merged], {merged: frozenset({"a-1.parquet"})}) == [other, merged]
    assert successor("p", [part, merged], ["merged-000007.parquet", "a-1.parquet"]).name == "merged-000008.parquet"
    assert successor("p", [part], []).name == "merged-000001.parquet"


@pytest.mark.parametrize("uri", ["http://lake/a", "s3:///a", "s3://lake", "s3://lake/"])
def test_a_folder_needs_bucket_and_prefix(uri: str) -> None:
    with pytest.raises(ValueError, match="expected s3://bucket/folder"):
        LakeFolder.from_uri(uri)
    assert str(LakeFolder.from_uri("s3://lake/a/b/")) == "s3://lake/a/b"
