"""Served pages become rows of the lake, whatever release wrote their messages."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.archive import Archive
from photofeed.events import Envelope
from photofeed.offline_store.lake import Lake, LakeFolder
from photofeed.offline_store.tables import FEED_SERVED
from photofeed.served_page import ShadowScores
from tests import served_pages
from tests.doubles.object_store import InMemoryObjectStore

SERVED_AT = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)
PAGE = replace(
    served_pages.PAGE,
    served_at=SERVED_AT,
    ranked_at=SERVED_AT,
    features=np.array([[3, np.nan], [1.5, 0.25]], np.float32),
    shadow=ShadowScores("8", np.array([0.5, np.nan])),
)
BUCKET = "lake"


def _archived(tmp_path: Path, *envelopes: Envelope) -> list[dict[str, object]]:
    lake = Lake(InMemoryObjectStore(), tmp_path / "mirror")
    Archive(lake, BUCKET).handle(envelopes)
    parts = lake.mirror(LakeFolder(BUCKET, FEED_SERVED))
    rows: list[dict[str, object]] = pa.concat_tables([pq.ParquetFile(part).read() for part in parts]).to_pylist()
    return sorted(rows, key=lambda row: str(row["position"]))


def test_a_row_has_the_item_the_page_and_the_pool(tmp_path: Path) -> None:
    explored, followed = _archived(tmp_path, PAGE.to_envelope())
    assert explored == {
        "slate_id": "s1",
        "user_id": 11,
        "post_id": 33,
        "creator_id": 23,
        "position": 30,
        "score": -1.25,
        "source": "explore",
        "pool": "fresh",
        "propensity": 0.0625,
        "ranking": "model",
        "model_version": "7",
        "experiment": "ranker-test",
        "arm": "new",
        "shadow_version": "8",
        "shadow_score": 0.5,
        "served_at": SERVED_AT,
        "ranked_at": SERVED_AT,
        "feature_names": ["post_age_hours", "pair_like_rate"],
        "features": [3.0, None],
    }
    assert (followed["pool"], followed["features"], followed["shadow_score"]) == ("following", [1.5, 0.25], None)


def test_a_message_from_before_pools_were_logged_has_none(tmp_path: Path) -> None:
    envelope = PAGE.to_envelope()
    for item in envelope.payload["items"]:
        del item["pool"]
    for name in ("rankedAt", "experiment", "arm", "featureNames", "offset", "shadow"):
        del envelope.payload[name]
    rows = _archived(tmp_path, envelope)
    assert [row["post_id"] for row in rows] == [33, 31]
    assert {(row["pool"], row["ranked_at"], row["arm"], row["shadow_version"]) for row in rows} == {(None,) * 4}
