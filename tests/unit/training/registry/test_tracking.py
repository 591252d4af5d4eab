"""What a run in MLflow says about its training. MLflow's functions are replaced by what they are given."""

from types import SimpleNamespace
from typing import Any

import mlflow
import pytest

from photofeed.features.manifest import FeatureManifest
from training.data.dataset import Dataset
from training.data.split import temporal_split
from training.registry import tracking
from training.statistics.intervals import Interval
from training.statistics.off_policy import PolicyValue


def test_a_run_names_its_data(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    params: dict[str, Any] = {}
    files: dict[str, Any] = {}
    inputs: list[tuple[Any, str]] = []
    monkeypatch.setattr(mlflow, "log_params", params.update)
    monkeypatch.setattr(mlflow, "log_dict", lambda content, name: files.update({name: content}))
    monkeypatch.setattr(mlflow, "log_input", lambda data, context: inputs.append((data, context)))
    monkeypatch.setattr(tracking, "lineage", lambda *_: "lineage")
    parts, sources = temporal_split(dataset), SimpleNamespace(manifest=FeatureManifest("v1", ()))
    tracking.log_lineage(sources, dataset, parts)  # type: ignore[arg-type]
    assert params == {
        "window_start": "2026-03-01T00:00:00+00:00",
        "window_end": "2026-03-02T00:00:00+00:00",
        "feature_service": "v1",
        "manifest_hash": sources.manifest.hash,
        "rows": len(dataset),
        "train_slates": parts.train.slates,
        "validation_slates": parts.validation.slates,
        "test_slates": parts.test.slates,
    }
    assert files == {"features.json": {"features": list(dataset.feature_names)}}
    assert inputs == [("lineage", "training")]


def test_values_on_explore_slots_are_logged_with_their_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[Any] = []
    monkeypatch.setattr(mlflow, "log_metrics", lambda metrics, model_id: logged.append((metrics, model_id)))
    monkeypatch.setattr(mlflow, "log_table", lambda table, name: logged.append((table, name)))
    tracking.log_policy_values({}, "m-1")
    assert logged == []
    values = {
        "model": PolicyValue("dr", Interval(0.4, 0.3, 0.5), 70.0, 100),
        "logged": PolicyValue("snips", Interval(0.2, 0.1, 0.3), 90.0, 100),
    }
    tracking.log_policy_values(values, "m-1")
    table = {
        "policy": ["model", "logged"],
        "value": [0.4, 0.2],
        "low": [0.3, 0.1],
        "high": [0.5, 0.3],
        "ess": [70.0, 90.0],
    }
    assert logged == [({"explore_model": 0.4, "explore_logged": 0.2}, "m-1"), (table, "explore.json")]
