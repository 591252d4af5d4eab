"""Drift is found where features have changed, and not where they have not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from photofeed.errors import InvalidError
from photofeed.features.manifest import FeatureManifest
from photofeed.features.profile import FeatureProfile
from photofeed.models.contract import ModelContract
from photofeed.offline_store.lake import Lake, LakeFolder
from photofeed.offline_store.tables import FEED_SERVED
from tests.doubles.object_store import InMemoryObjectStore
from training.data.raw_logs import RawLogs
from training.data.window import Window
from training.errors import EmptyWindowError
from training.monitoring.drift import ALARMING_PSI, MIN_ROWS, WARNING_PSI, Drift, measure_drift, served_features
from training.monitoring.drift_report import write_drift_report

NAMES = ("age", "likes", "aspect", "never")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = Window(NOON - timedelta(hours=12), NOON + timedelta(hours=12))


def _rows(seed: int, count: int = 4000) -> NDArray[np.float32]:
    """Items of an unchanging world; nobody ever gave the last feature a value."""
    rows = np.random.default_rng(seed).normal(size=(count, len(NAMES))).astype(np.float32)
    rows[:, -1] = np.nan
    return rows


CONTRACT = ModelContract(
    "ranker", "run", NAMES, FeatureManifest("service", ()), NOON, NOON, "", "", profile=FeatureProfile.of(_rows(0))
)


def test_an_unchanging_world_does_not_drift() -> None:
    for seed in range(1, 6):
        assert measure_drift(CONTRACT, _rows(seed, MIN_ROWS)).above(WARNING_PSI / 2) == []


def test_what_has_changed_is_named_the_worst_first() -> None:
    now = _rows(1)
    now[:, NAMES.index("likes")] += 1
    now[:, NAMES.index("age")] += 0.35
    found = measure_drift(CONTRACT, now)
    assert found.above(ALARMING_PSI) == ["likes"]
    assert found.above(WARNING_PSI) == ["likes", "age"]
    assert found.metrics()["drift_psi_worst"] == found.psi["likes"]


def test_values_that_no_longer_come_are_drift() -> None:
    now = _rows(1)
    now[: len(now) // 4, NAMES.index("aspect")] = np.nan
    found = measure_drift(CONTRACT, now)
    assert found.above(ALARMING_PSI) == ["aspect"]
    assert found.missing["aspect"] == (0.0, 0.25)
    assert found.missing["never"] == (1.0, 1.0)


def test_nothing_is_said_without_enough_to_tell_by() -> None:
    with pytest.raises(InvalidError, match="999 rows are too few"):
        measure_drift(CONTRACT, _rows(1, MIN_ROWS - 1))
    with pytest.raises(InvalidError, match="no profile"):
        measure_drift(replace(CONTRACT, profile=None), _rows(1))


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
    }
    lake.append(LakeFolder("lake", FEED_SERVED), pa.table(served), "served_at")
    found = served_features(logs, CONTRACT, DAY)
    order = np.argsort(found[:, 0])
    expected = rows[[0, 1, 5]]
    np.testing.assert_array_equal(found[order], expected[np.argsort(expected[:, 0])])


def test_the_page_shows_every_feature_that_has_values(tmp_path: Path) -> None:
    page = tmp_path / "drift.html"
    write_drift_report(page, NAMES, _rows(0, 300), _rows(1, 300))
    html = page.read_text()
    assert all(name in html for name in NAMES[:-1])


def test_a_psi_at_the_threshold_is_above_it() -> None:
    drift = Drift(
        2000, {"a": ALARMING_PSI, "b": WARNING_PSI, "c": 0.0}, {"a": (0.0, 0.5), "b": (0.1, 0.0), "c": (0, 0)}
    )
    assert drift.above(ALARMING_PSI) == ["a"]
    assert drift.above(WARNING_PSI) == ["a", "b"]
    metrics = drift.metrics()
    assert (metrics["drift_psi_worst"], metrics["drift_rows"]) == (ALARMING_PSI, 2000)
    assert (metrics["drift_missing_a"], metrics["drift_missing_b"]) == (0.5, 0.0)
