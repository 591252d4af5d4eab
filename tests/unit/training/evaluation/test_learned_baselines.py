"""Baselines that learn: from the slates of the version only, and left out by name where that is not possible."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from photofeed.features.ranking import FEATURE_NAMES
from photofeed.models.contract import ModelContract
from tests.served_manifest import served_manifest
from training.data.dataset import Dataset
from training.data.sources import Sources
from training.data.window import Window
from training.errors import EmptyWindowError
from training.evaluation import learned_baselines as module
from training.evaluation.evaluate import measure
from training.evaluation.learned_baselines import ALS, BASELINES, COUNTERS, NINE_COUNTERS, als_scores, counters_scores

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_the_counters_are_nine_and_what_they_tell_is_learned(make_dataset: Callable[..., Dataset]) -> None:
    assert len(COUNTERS) == 9
    known, later = make_dataset(seed=1, informative=False), make_dataset(seed=2, informative=False)
    for part in (known, later):
        opens = part.matrix[:, FEATURE_NAMES.index("post_opens_24h")]
        part.labels[:] = np.where(opens > 1, 1, 0)
    assert measure(later, counters_scores(known, later))["auc"] > 0.95


def test_factors_know_who_engages_with_what(make_dataset: Callable[..., Dataset]) -> None:
    """Each person engages with the posts of their own kind, which no feature tells."""
    known, later = (make_dataset(seed=seed, informative=False) for seed in (1, 2))
    for part in (known, later):
        part.labels[:] = np.where(part.post_ids % 2 == part.user_ids % 2, 2, 0)
    assert measure(later, als_scores(known, later))["auc"] > 0.9
    strangers = replace(later, user_ids=later.user_ids + 1000)
    assert not als_scores(known, strangers).any()


def test_baselines_learn_from_the_slates_of_the_version(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    windows: list[Window] = []

    def build(sources: Sources, window: Window) -> Dataset:
        assert sources.program == COUNTERS
        windows.append(window)
        return dataset

    monkeypatch.setattr(module, "build_dataset", build)
    scores, left_out = module.learned_baselines(*_version(), dataset)
    assert (set(scores), left_out) == (set(BASELINES), {})
    assert windows == [Window(NOON, NOON + timedelta(days=1))]


def test_what_cannot_be_learned_is_left_out_with_the_reason(
    dataset: Dataset, make_dataset: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "build_dataset", lambda _sources, _window: make_dataset(slates=5))
    scores, left_out = module.learned_baselines(*_version(), dataset)
    assert set(scores) == {ALS}
    assert "5 slates" in left_out[NINE_COUNTERS]

    def nothing(_sources: Sources, _window: Window) -> Dataset:
        raise EmptyWindowError("the log is empty")

    monkeypatch.setattr(module, "build_dataset", nothing)
    scores, left_out = module.learned_baselines(*_version(), dataset)
    assert (scores, set(left_out)) == ({}, set(BASELINES))


def _version() -> tuple[Sources, ModelContract]:
    """Sources, and the contract of a version that was trained on a day, with the last hour as its test part."""
    nothing: Any = None
    manifest = served_manifest("v1")
    ends = NOON + timedelta(hours=25), NOON + timedelta(hours=24)
    contract = ModelContract("ranker", "run", FEATURE_NAMES, manifest, NOON, ends[0], "", "", unseen_from=ends[1])
    return Sources(nothing, nothing, manifest), contract
