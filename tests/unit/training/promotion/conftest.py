import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from photofeed.features.manifest import FeatureManifest
from photofeed.features.profile import FeatureProfile
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.models.contract import ModelContract
from photofeed.models.registry import ModelBundle
from photofeed.models.scorer import ScoringTables, build_tables, make_scorer
from tests.served_manifest import served_manifest
from training.data.dataset import Dataset
from training.data.split import temporal_split
from training.evaluation.evaluate import evaluate
from training.promotion.evidence import Evidence
from training.ranker.parameters import TrainingParameters
from training.ranker.train import train

NOW = datetime(1970, 1, 1, 1, tzinfo=UTC)  # the slates of the fixture are one a second since the beginning of time


def _manifest(service: str = "v1", lacking: str = "") -> FeatureManifest:
    views = []
    for view in served_manifest(service).views:
        fields = tuple(field for field in view.schema.fields if field.name != lacking)
        views.append(replace(view, schema=replace(view.schema, fields=fields)))
    return FeatureManifest(service, tuple(views))


@pytest.fixture
def make_manifest() -> Callable[..., FeatureManifest]:
    """Makes the manifest of a service with all stored features, or without one of them."""
    return _manifest


@pytest.fixture(scope="session")
def _evidence(make_dataset: Callable[..., Dataset], tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    folder, parts = tmp_path_factory.mktemp("version"), temporal_split(make_dataset())
    ranker = train(parts.train, parts.validation, TrainingParameters(rounds=20, threads=1))
    model, tables = folder / "model.lgb", folder / "tables.npz"
    model.write_text(ranker.text)
    build_tables(ranker.text).save(tables)
    profile = FeatureProfile.of(parts.train.matrix)
    contract = ModelContract("ranker", "run", FEATURE_NAMES, _manifest(), NOW, NOW, "", ranker.sha256, profile=profile)
    return Evidence(
        ModelBundle(contract, "1", (), model, tables),
        _manifest(),
        NOW,
        scorer=make_scorer(ranker.text, ScoringTables.load(tables)),
        unseen_slates=parts.test,
        evaluation=evaluate(parts.test, {"model": ranker.score(parts.test.matrix)}),
        counting_since=datetime(1960, 1, 1, tzinfo=UTC),
        skew=np.zeros((9, len(FEATURE_NAMES))),
    )


@pytest.fixture
def evidence(_evidence: Evidence) -> Evidence:
    """A good model, measured on the test part of the dataset; there is no champion."""
    return replace(_evidence, unseen_slates=copy.deepcopy(_evidence.unseen_slates), missing={})
