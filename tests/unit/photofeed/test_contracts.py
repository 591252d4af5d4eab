"""What may enter the lake: good rows go on, bad ones wait in quarantine with the reason."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prometheus_client import REGISTRY

from ingestion.archive import Archive
from photofeed.events import Action, EngagementEvent, engagement_envelope
from photofeed.offline_store.contracts import feature_contract
from photofeed.offline_store.lake import Lake, LakeFolder
from photofeed.offline_store.quarantine import admit, quarantined
from tests.doubles.object_store import InMemoryObjectStore

NOW = datetime.now(UTC)
MOMENT = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema([("post_id", pa.int64()), ("likes", pa.float64()), ("at", MOMENT), ("created", MOMENT)])
CONTRACT = feature_contract("posts", SCHEMA, ["post_id"], ["at", "created"])

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pandera", "ignore::FutureWarning:pandera")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(InMemoryObjectStore(), tmp_path)


def rows(*changes: dict[str, Any]) -> pa.Table:
    usual = {"post_id": 1, "likes": 2.0, "at": NOW, "created": NOW}
    return pa.Table.from_pylist([usual | change for change in changes], SCHEMA)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"post_id": None}, "post_id: not_nullable"),
        ({"at": None}, "at: not_nullable"),
        ({"at": NOW + timedelta(days=2)}, "at: in_range"),
        ({"created": datetime(1970, 12, 31, tzinfo=UTC)}, "created: in_range"),
        ({"likes": float("inf")}, "likes: is infinite"),
    ],
)
def test_bad_feature_rows_wait_in_quarantine_and_the_others_go_on(
    lake: Lake, change: dict[str, Any], reason: str
) -> None:
    good = admit(lake, "lake", CONTRACT, rows({"post_id": 7}, change, {"likes": None}, {"likes": float("nan")}))
    assert good["post_id"].to_pylist() == [7, 1, 1]
    (row,) = quarantined(lake, "lake", NOW - timedelta(hours=1)).to_pylist()
    assert row["table"] == "posts"
    assert reason in row["reason"]
    assert set(json.loads(row["row"])) == set(SCHEMA.names)


def test_of_a_good_batch_nothing_is_bad() -> None:
    batch = rows({}, {"likes": None})
    checked = CONTRACT.check(batch, NOW)
    assert (checked.good, len(checked.bad), checked.reasons) == (batch, 0, [])
    broken = CONTRACT.check(rows({}, {"post_id": None}), NOW)
    assert (len(broken.good), len(broken.bad), len(broken.reasons)) == (1, 1, 1)


def test_every_reason_of_a_row_is_said(lake: Lake) -> None:
    before = REGISTRY.get_sample_value("photofeed_quarantined_rows_total", {"table": "posts"}) or 0.0
    admit(lake, "lake", CONTRACT, rows({"post_id": None, "likes": float("-inf")}))
    assert REGISTRY.get_sample_value("photofeed_quarantined_rows_total", {"table": "posts"}) == before + 1
    (row,) = quarantined(lake, "lake", NOW).to_pylist()
    assert "post_id" in row["reason"]
    assert "likes" in row["reason"]


def test_a_bad_event_does_not_keep_the_rest_of_its_batch_from_the_archive(lake: Lake) -> None:
    def event(number: int, **more: Any) -> EngagementEvent:
        usual = EngagementEvent(f"e{number}", Action.DWELL, user_id=1, creator_id=2, occurred_at=NOW)
        return replace(usual, **more)

    events = [event(1, dwell_ms=5), event(2, dwell_ms=-5), event(3, creator_id=0), event(4)]
    Archive(lake, "lake").handle([engagement_envelope(1, events)])
    kept = [pq.ParquetFile(file).read()["id"].to_pylist() for file in lake.mirror(LakeFolder("lake", "engagement"))]
    assert kept == [["e1", "e4"]]
    reasons = quarantined(lake, "lake", NOW - timedelta(hours=1))["reason"].to_pylist()
    assert ["dwell_ms" in reasons[0], "creator_id" in reasons[1]] == [True, True]


def test_good_batches_never_import_pandera() -> None:
    """It takes seconds: neither serving nor a worker at work should pay for it."""
    code = "import sys, ingestion.archive, serving.main; print('pandera' in sys.modules)"
    said = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert said.stdout.strip() == "False"
