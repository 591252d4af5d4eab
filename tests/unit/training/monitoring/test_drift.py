"""Drift is found where features have changed, and not where they have not or change by nature."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from photofeed.errors import InvalidError
from photofeed.features.profile import FeatureProfile
from photofeed.models.contract import ModelContract
from photofeed.offline_store.lake import Lake, LakeFolder
from photofeed.offline_store.tables import FEED_SERVED
from tests.doubles.object_store import InMemoryObjectStore
from tests.served_manifest import SERVED
from training.data.raw_logs import RawLogs
from training.data.window import Window
from training.errors import EmptyWindowError
from training.monitoring.drift import OF_THE_CLOCK, YOUNG, Drift, Observed, judge_drift, served_features
from training.monitoring.drift_report import write_drift_report

NAMES = ("post_likes_24h", "pair_likes_30d", "aspect", "sharpness", "hour_of_day")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = Window(NOON - timedelta(hours=12), NOON + timedelta(hours=12))


def _rows(seed: int, count: int = 4000) -> NDArray[np.float32]:
    """Items of an unchanging world; nobody ever gave `sharpness` a value."""
    rows = np.random.default_rng(seed).normal(size=(count, len(NAMES))).astype(np.float32)
    rows[:, NAMES.index("sharpness")] = np.nan
    return rows


def _observed(rows: NDArray[np.float32], each: int = 1) -> Observed:
    """Rows of as many slates, people and posts, each with `each` rows."""
    numbers = np.arange(len(rows)) // each
    return Observed(rows, numbers, dict.fromkeys(("user_id", "post_id", "creator_id"), numbers))


def _judge(
    rows: NDArray[np.float32], counting: timedelta = timedelta(days=365), each: int = 1, largest_share: float = 0.15
) -> Drift:
    since = CONTRACT.trained_until - counting
    return judge_drift(CONTRACT, _observed(rows, each), since, psi=0.25, largest_share=largest_share)


CONTRACT = ModelContract(
    "ranker",
    "run",
    NAMES,
    SERVED,
    NOON - timedelta(days=30),
    NOON,
    "",
    "",
    profile=FeatureProfile.of(_rows(0)),
)


def test_an_unchanging_world_does_not_drift() -> None:
    for seed in range(1, 6):
        found = _judge(_rows(seed, 1000))
        assert (found.drifted, found.share, found.passed) == ([], 0.0, True)
        assert max(one.psi for one in found.features) < 0.05


def test_what_has_changed_is_named_the_worst_first() -> None:
    now = _rows(1)
    now[:, NAMES.index("pair_likes_30d")] += 1
    now[:, NAMES.index("aspect")] += 0.7
    now[:, NAMES.index("post_likes_24h")] += 0.35  # a PSI of 0.12 is no drift
    found = _judge(now)
    assert found.drifted == ["pair_likes_30d", "aspect"]
    assert found.features[0].name == "pair_likes_30d"
    assert found.metrics()["drift_psi_worst"] == found.features[0].psi
    assert (found.share, found.passed) == (0.4, False)
    assert _judge(now, largest_share=0.4).passed
    assert str(found).startswith("40% of features with a PSI above 0.25 plus the level of chance (largest: pair_likes")
    assert str(found).endswith("; not judged: 1 of the clock alone; at most 15%")


def test_values_that_no_longer_come_are_drift() -> None:
    now = _rows(1)
    now[: len(now) // 4, NAMES.index("aspect")] = np.nan
    found = _judge(now)
    assert found.drifted == ["aspect"]
    missing = {one.name: (one.missing_before, one.missing_now) for one in found.features}
    assert (missing["aspect"], missing["sharpness"]) == ((0.0, 0.25), (1.0, 1.0))
    assert found.metrics()["drift_missing_aspect"] == 0.25


def _verdicts(counting: timedelta) -> dict[str, str]:
    return {one.name: one.verdict for one in _judge(_rows(1) + 9, counting).features}


def test_what_changes_by_nature_is_not_judged() -> None:
    """The training set is of 30 days. A counter counts once a tenth of these was collected with it grown."""
    old = _verdicts(timedelta(days=365))
    assert old["hour_of_day"] == OF_THE_CLOCK
    assert old["post_likes_24h"] == old["pair_likes_30d"] == old["aspect"] == "drifted"
    young = _verdicts(timedelta(days=40))
    assert (young["post_likes_24h"], young["pair_likes_30d"], young["aspect"]) == ("drifted", YOUNG, "drifted")
    new = _verdicts(timedelta(days=9))
    assert (new["post_likes_24h"], new["pair_likes_30d"], new["aspect"]) == (YOUNG, YOUNG, "drifted")
    assert "not judged: 1 of the clock alone, 2 younger than its window" in str(_judge(_rows(1), timedelta(days=9)))


def test_what_is_not_judged_is_not_the_worst() -> None:
    rows = _rows(1)
    rows[:, NAMES.index("hour_of_day")] += 9
    found = _judge(rows)
    assert max(one.psi for one in found.features) > 0.25 > found.metrics()["drift_psi_worst"]


def test_ages_of_posts_grow_with_a_deployment() -> None:
    rows = np.random.default_rng(1).normal(size=(500, 1)).astype(np.float32)
    contract = replace(CONTRACT, feature_names=("post_age_hours",), profile=FeatureProfile.of(rows))
    for days, verdict in ((9, YOUNG), (365, "drifted")):
        since = NOON - timedelta(days=days)
        found = judge_drift(contract, _observed(rows + 9), since, psi=0.25, largest_share=0.15)
        assert found.features[0].verdict == verdict


def test_what_few_posts_differ_by_is_no_drift() -> None:
    """Twenty posts that everybody sees say little about all posts, however many rows there are."""
    few = np.repeat(_rows(1, 20), 200, axis=0)
    found = _judge(few, each=200)
    assert max(one.psi for one in found.features) > 0.25
    assert found.drifted == []
    assert set(_judge(few + 9, each=200).drifted) == {"post_likes_24h", "pair_likes_30d", "aspect"}


def test_popular_posts_count_less_than_their_number() -> None:
    rows, posts = _rows(1, 1000), np.zeros(1000, np.int64)
    posts[990:] = np.arange(1, 11)  # eleven posts, of which nearly all rows are of one
    seen = Observed(rows, np.arange(1000), {"user_id": np.arange(1000), "post_id": posts})
    assert seen.independent(("post_id",)) == 1
    assert seen.independent(("post_id", "user_id")) == seen.independent(()) == 1000


def test_a_version_without_a_profile_cannot_be_judged() -> None:
    with pytest.raises(InvalidError, match="no profile"):
        judge_drift(replace(CONTRACT, profile=None), _observed(_rows(1)), NOON, psi=0.25, largest_share=0.15)


def test_features_as_served_are_those_of_the_window_and_of_the_champions_release(tmp_path: Path) -> None:
    lake = Lake(InMemoryObjectStore(), tmp_path)
    logs, rows = RawLogs(lake, "lake"), _rows(1, 6)
    with pytest.raises(EmptyWindowError):
        served_features(logs, CONTRACT, DAY)
    names = [NAMES, NAMES, NAMES, (*NAMES, "new"), None, NAMES]
    moments = [NOON, NOON, DAY.end, NOON, NOON, DAY.start]
    served = {
        "served_at": pa.array(moments, pa.timestamp("us", tz="UTC")),
        "feature_names": pa.array(names, pa.list_(pa.string())),
        "features": pa.array([None if of is None else list(row) for of, row in zip(names, rows, strict=True)]),
        "slate_id": ["a", "a", "b", "b", "b", "b"],
        "user_id": [1, 1, 2, 2, 2, 2],
        "post_id": [10, 11, 12, 13, 14, 15],
        "creator_id": [20] * 6,
    }
    lake.append(LakeFolder("lake", FEED_SERVED), pa.table(served), "served_at")
    found = served_features(logs, CONTRACT, DAY)
    order = np.argsort(found.ids["post_id"])
    np.testing.assert_array_equal(found.matrix[order], rows[[0, 1, 5]])
    assert found.slates[order].tolist() == [1, 1, 2]
    assert found.ids["user_id"][order].tolist() == [1, 1, 2]
    assert logs.first_hour(FEED_SERVED) == DAY.start
    assert logs.first_hour("engagement") is None


def test_the_page_shows_every_feature_that_has_values_with_the_same_verdicts(tmp_path: Path) -> None:
    page, before, now = tmp_path / "drift.html", _rows(0, 300), _rows(1, 300)
    now[:, NAMES.index("aspect")] += 2
    now[:, NAMES.index("hour_of_day")] += 2
    found = _judge(now)
    write_drift_report(page, NAMES, before, now, found)
    html = page.read_text()
    assert all(name in html for name in NAMES if name != "sharpness")
    assert html.count("The drift detection threshold") == 0
    assert "Drift is detected for 25.0% of columns (1 out of 4)" in html
    assert "Dataset Drift is detected" in html
    write_drift_report(page, NAMES, before, now, _judge(now, largest_share=0.2))
    assert "Dataset Drift is NOT detected" in page.read_text()
