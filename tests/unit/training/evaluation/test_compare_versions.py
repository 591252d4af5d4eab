"""Scores of registered versions, and the share of slates that a version was trained on."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
import orjson
import pytest

from photofeed.errors import InvalidError, NotFoundError, RetryableError
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.models.contract import ModelContract
from photofeed.models.registry import CHAMPION, ModelBundle, ModelRegistry
from tests.served_manifest import served_manifest
from training.data.dataset import Dataset
from training.data.sources import Sources
from training.data.split import temporal_split
from training.data.window import Window
from training.evaluation import compare_versions as module
from training.evaluation import learned_baselines
from training.evaluation.baselines import NAMES
from training.evaluation.champion import bundle_scores, champion_scores
from training.evaluation.compare_versions import compare_versions
from training.evaluation.evaluate import MODEL
from training.evaluation.learned_baselines import BASELINES
from training.ranker.parameters import TrainingParameters
from training.ranker.train import TrainedRanker, train

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # the slates of the fixture are one a second since then
MANIFEST = served_manifest("v1")


@pytest.fixture
def ranker(dataset: Dataset) -> TrainedRanker:
    parts = temporal_split(dataset)
    return train(parts.train, parts.validation, TrainingParameters(rounds=10, threads=1))


@pytest.fixture
def bundle(ranker: TrainedRanker, tmp_path: Path) -> ModelBundle:
    """Version 5, trained on the slates from 10 up to, not including, 40."""
    path = tmp_path / "model.lgb"
    path.write_text(ranker.text)
    seconds = [EPOCH + timedelta(seconds=second) for second in (10, 60, 40)]
    contract = ModelContract(
        "ranker", "run", FEATURE_NAMES, MANIFEST, seconds[0], seconds[1], "", "", unseen_from=seconds[2]
    )
    return ModelBundle(contract, "5", (), path, None)


@dataclass
class Registry:
    """Versions by number, and the champion."""

    champion: str | None = None
    bundles: dict[str, ModelBundle] = field(default_factory=dict)
    error: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def current_version(self, _: str) -> str | None:
        return self.champion

    def fetch(self, version: str, _: Path) -> ModelBundle:
        if self.error:
            raise self.error
        return self.bundles[str(self.champion) if version == CHAMPION else version]


@pytest.fixture
def registry(bundle: ModelBundle, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> Registry:
    made = Registry(bundles={"5": bundle, "4": replace(bundle, version="4"), "3": replace(bundle, version="3")})
    monkeypatch.setattr(ModelRegistry, "connect", lambda _: made)
    for builder in (module, learned_baselines):
        monkeypatch.setattr(builder, "build_dataset", lambda _sources, _window: dataset)
    return made


def _compare(version: str, *others: str) -> module.Comparison:
    settings: Any = SimpleNamespace(state_dir=Path("nowhere"))
    nothing: Any = None
    sources = Sources(nothing, nothing, MANIFEST)
    return compare_versions(settings, sources, version, Window(EPOCH, EPOCH + timedelta(days=1)), others)


def test_the_version_is_compared_with_the_champion_and_the_others_by_name(registry: Registry) -> None:
    registry.champion = "4"
    found = _compare("5", "3")
    assert set(found.scores) == {MODEL, CHAMPION, "version 3", *BASELINES}
    assert set(found.evaluation.rankers) >= {MODEL, CHAMPION, "version 3", "recency", "popularity", "random"}


@pytest.mark.parametrize("champion", ["5", None])
def test_the_champion_is_not_compared_with_itself(registry: Registry, champion: str | None) -> None:
    registry.champion = champion
    assert set(_compare("5").scores) == {MODEL, *BASELINES}


def test_slates_that_the_version_learned_from_are_left_out_if_enough_later_ones_are_there(
    registry: Registry, bundle: ModelBundle, dataset: Dataset
) -> None:
    found = _compare("5")
    assert (found.dataset.slates, found.learned_slates, found.learned_share) == (80, 40, 0.0)
    assert found.dataset.window.start == bundle.contract.unseen_from
    assert all(len(scores) == len(found.dataset) for scores in found.scores.values())

    registry.bundles["5"] = replace(bundle, contract=replace(bundle.contract, unseen_from=None))
    assert _compare("5").dataset.slates == 60  # its whole window counts as learned

    late = replace(bundle.contract, unseen_from=EPOCH + timedelta(seconds=119))
    registry.bundles["5"] = replace(bundle, contract=late)
    found = _compare("5")
    assert (found.dataset.slates, found.learned_slates) == (dataset.slates, 0)  # one slate would tell nothing
    assert found.learned_share == pytest.approx(109 / 120)


@pytest.mark.usefixtures("registry")
def test_the_json_names_version_window_and_metrics(dataset: Dataset) -> None:
    plain = _compare("5").to_json()
    assert (plain["version"], plain["slates"], plain["impressions"]) == ("5", 80, 960)
    assert (plain["from"], plain["until"]) == (EPOCH + timedelta(seconds=40), dataset.window.end)
    metrics: Any = plain["metrics"]
    assert metrics["ndcg_10"] > metrics["random_ndcg_10"]
    assert plain["slatesWithContrast"] == dataset.between(40, 120).contrasts


@pytest.mark.usefixtures("registry")
def test_the_json_has_every_ranker_and_the_paired_intervals_of_the_model() -> None:
    plain: Any = _compare("5", "3").to_json()
    rivals = {"version 3", *NAMES, *BASELINES}
    assert set(plain["rankers"]) == {MODEL, *rivals}
    assert set(plain["modelMinusRanker"]) == rivals
    ahead = plain["modelMinusRanker"]["random"]["ndcg_10"]
    assert 0 < ahead["low"] < ahead["value"] < ahead["high"]
    assert plain["leftOut"] == {}
    assert plain["rankers"][MODEL]["coverage_10"]["low"] is None
    assert orjson.loads(orjson.dumps(plain))


def test_scores_are_those_of_the_features_that_the_version_names(
    bundle: ModelBundle, ranker: TrainedRanker, dataset: Dataset
) -> None:
    expected = ranker.score(dataset.matrix)
    assert np.array_equal(bundle_scores(bundle, dataset), expected)
    turned = replace(dataset, matrix=dataset.matrix[:, ::-1], feature_names=FEATURE_NAMES[::-1])
    assert np.array_equal(bundle_scores(bundle, turned), expected)


def test_a_version_that_needs_unknown_features_is_refused_by_name(bundle: ModelBundle, dataset: Dataset) -> None:
    contract = replace(bundle.contract, feature_names=(*FEATURE_NAMES, "phase_of_the_moon", "tide"))
    with pytest.raises(InvalidError, match="version 5 needs features that this release lacks: phase_of_the_moon, tide"):
        bundle_scores(replace(bundle, contract=contract), dataset)


def test_a_file_that_lightgbm_cannot_read_is_refused(bundle: ModelBundle, dataset: Dataset) -> None:
    bundle.model_path.write_text("tree\nversion=v4\n")
    with pytest.raises(InvalidError, match="LightGBM cannot read the model of version 5"):
        bundle_scores(bundle, dataset)


def test_a_dataset_gives_columns_by_name(make_dataset: Callable[..., Dataset]) -> None:
    dataset = make_dataset(slates=20)
    names = FEATURE_NAMES[5:2:-1]
    assert np.array_equal(dataset.columns(names), dataset.matrix[:, [5, 4, 3]])
    assert dataset.columns(names).flags.c_contiguous
    with pytest.raises(InvalidError, match="lacks the features tide"):
        dataset.columns(("aspect", "tide"))


def test_without_a_champion_there_are_no_champion_scores(dataset: Dataset) -> None:
    registry: Any = Registry()
    assert champion_scores(registry, Path(), dataset) == {}


def test_the_champion_scores_the_dataset(bundle: ModelBundle, ranker: TrainedRanker, dataset: Dataset) -> None:
    registry: Any = Registry("5", {"5": bundle})
    found = champion_scores(registry, Path(), dataset)
    assert list(found) == [CHAMPION]
    assert np.array_equal(found[CHAMPION], ranker.score(dataset.matrix))


def test_a_damaged_champion_does_not_stop_a_training_and_a_silent_mlflow_does(dataset: Dataset) -> None:
    damaged: Any = Registry("5", error=NotFoundError("its file is gone"))
    assert champion_scores(damaged, Path(), dataset) == {}
    silent: Any = Registry("5", error=RetryableError("MLflow does not answer"))
    with pytest.raises(RetryableError):
        champion_scores(silent, Path(), dataset)
