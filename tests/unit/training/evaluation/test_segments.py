"""Which rows belong to which segment."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from photofeed.features.ranking import FEATURE_NAMES
from training.data.dataset import Dataset
from training.evaluation.evaluate import evaluate
from training.evaluation.segments import SEGMENTS

SEGMENT = {segment.name: segment for segment in SEGMENTS}


@pytest.fixture
def hundred(make_dataset: Callable[..., Dataset]) -> Dataset:
    """A hundred rows; counters of users and creators are 0 to 99."""
    dataset = make_dataset(slates=10, size=10)
    for name in ("user_impressions_7d", "creator_impressions_7d"):
        dataset.matrix[:, FEATURE_NAMES.index(name)] = np.arange(100)
    return dataset


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("new_users", range(25)),
        ("heavy_users", range(75, 100)),
        ("small_creators", range(50)),
        ("large_creators", range(75, 100)),
    ],
)
def test_activity_is_split_at_quantiles(hundred: Dataset, name: str, rows: range) -> None:
    assert np.flatnonzero(SEGMENT[name].rows(hundred)).tolist() == list(rows)


def test_everybody_alike_is_new_and_nobody_heavy(hundred: Dataset) -> None:
    hundred.matrix[:, FEATURE_NAMES.index("user_impressions_7d")] = np.nan  # counts as 0
    assert SEGMENT["new_users"].rows(hundred).all()
    assert not SEGMENT["heavy_users"].rows(hundred).any()


def test_a_post_of_unknown_kind_is_a_photo(hundred: Dataset) -> None:
    reels = hundred.matrix[:, FEATURE_NAMES.index("is_reel")]
    reels[:] = 0
    reels[:10], reels[10:20] = 1, np.nan
    assert np.flatnonzero(SEGMENT["reels"].rows(hundred)).tolist() == list(range(10))
    assert np.flatnonzero(SEGMENT["photos"].rows(hundred)).tolist() == list(range(10, 100))


def test_without_the_feature_no_row_belongs(hundred: Dataset) -> None:
    named = replace(hundred, feature_names=tuple(f"other_{name}" for name in FEATURE_NAMES))
    assert not any(segment.rows(named).any() for segment in SEGMENTS)


def test_a_segment_is_measured_by_the_order_of_its_own_rows(hundred: Dataset) -> None:
    """Photos come first in every slate, so a ranker that is right about them is perfect there, whatever reels do."""
    reel = np.tile(np.arange(10) >= 5, 10)
    hundred.matrix[:, FEATURE_NAMES.index("is_reel")] = reel
    hundred.labels[:] = np.tile([4, 3, 2, 1, 0, 0, 1, 2, 3, 4], 10)
    scores = np.tile([9.0, 8, 7, 6, 5, 30, 20, 10, 5, 1], 10)
    measured = {
        (m.segment, m.metric): m.interval.value
        for m in evaluate(hundred, {"model": scores}).measurements
        if m.ranker == "model"
    }
    assert measured["photos", "ndcg_10"] == pytest.approx(1)
    assert measured["photos", "auc"] == pytest.approx(1)
    assert measured["reels", "auc"] == pytest.approx(0)
    assert measured["reels", "ndcg_10"] < 0.7


def test_a_segment_without_engagement_is_left_out(hundred: Dataset) -> None:
    reel = np.tile(np.arange(10) >= 5, 10)
    hundred.matrix[:, FEATURE_NAMES.index("is_reel")] = reel
    hundred.labels[:] = np.where(reel, 0, np.arange(100) % 3)
    segments = {m.segment for m in evaluate(hundred, {"model": hundred.labels.astype(float)}).measurements}
    assert "photos" in segments
    assert "reels" not in segments
