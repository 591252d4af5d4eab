from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from photofeed.features.manifest import FeatureManifest, ManifestView
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.model_contract import ModelBundle, ModelContract
from photofeed.online_store.schema import FieldSpec, JoinKey, RowSchema
from photofeed.scorer import build_tables
from training.dataset import Dataset
from training.gates import Beats, Candidate, FeaturesAvailable, ScoresExactly, check_gates
from training.parameters import TrainingParameters
from training.split import temporal_split
from training.train import train

GOOD = {"test_ndcg_10": 0.6, "test_random_ndcg_10": 0.4, "test_recency_ndcg_10": 0.5}


def _manifest(service: str = "v1", field: str = "likes") -> FeatureManifest:
    schema = RowSchema("photofeed", "post", (JoinKey("post_id", "INT64"),), (FieldSpec(field, "DOUBLE", 0.0),))
    return FeatureManifest(service, (ManifestView(schema, {}),))


@pytest.fixture
def candidate(dataset: Dataset, tmp_path: Path) -> Candidate:
    parts = temporal_split(dataset)
    ranker = train(parts.train, parts.validation, TrainingParameters(rounds=20, threads=1))
    model, tables = tmp_path / "model.lgb", tmp_path / "tables.npz"
    model.write_text(ranker.text)
    build_tables(ranker.text).save(tables)
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    contract = ModelContract("ranker", "run", FEATURE_NAMES, _manifest(), moment, moment, "", ranker.sha256)
    return Candidate(ModelBundle(contract, "1", (), model, tables), GOOD, _manifest())


def _with(candidate: Candidate, metrics: Mapping[str, float]) -> Candidate:
    return replace(candidate, metrics={**GOOD, **metrics})


def test_a_good_model_passes_every_gate(candidate: Candidate) -> None:
    findings = check_gates(candidate)
    assert [finding.gate for finding in findings if not finding.passed] == []
    assert len(findings) == 5


def test_a_ranker_no_better_than_chance_is_refused(candidate: Candidate) -> None:
    gate = Beats("random", margin=0.02)
    assert gate.check(_with(candidate, {"test_random_ndcg_10": 0.57})).passed
    assert not gate.check(_with(candidate, {"test_random_ndcg_10": 0.59})).passed
    assert not gate.check(_with(candidate, {"test_ndcg_10": float("nan")})).passed


def test_a_version_that_was_never_measured_is_refused(candidate: Candidate) -> None:
    assert not Beats("random", margin=0.02).check(replace(candidate, metrics={})).passed
    assert not Beats("random", margin=0.02).check(replace(candidate, metrics={"test_ndcg_10": 0.6})).passed


def test_a_little_below_the_champion_is_borne_a_lot_is_not(candidate: Candidate) -> None:
    gate = Beats("champion", margin=-0.02)
    assert gate.check(candidate).passed
    assert gate.check(_with(candidate, {"test_champion_ndcg_10": 0.61})).passed
    assert not gate.check(_with(candidate, {"test_champion_ndcg_10": 0.63})).passed


def test_tables_that_score_otherwise_than_the_model_are_refused(candidate: Candidate) -> None:
    assert ScoresExactly(rows=200).check(candidate).passed
    text = candidate.bundle.model_path.read_text()
    candidate.bundle.model_path.write_text(text.replace("leaf_value=", "leaf_value=9", 1))
    finding = ScoresExactly(rows=200).check(candidate)
    assert not finding.passed
    assert "not of" in finding.detail


def test_features_that_are_not_served_are_named(candidate: Candidate) -> None:
    gate = FeaturesAvailable()
    other_service = gate.check(replace(candidate, served=_manifest("v2")))
    assert (other_service.passed, other_service.detail) == (False, "trained on v1, served is v2")
    assert "was changed" in gate.check(replace(candidate, served=_manifest(field="saves"))).detail
    contract = replace(candidate.bundle.contract, feature_names=(*FEATURE_NAMES, "phase_of_the_moon"))
    unknown = gate.check(replace(candidate, bundle=replace(candidate.bundle, contract=contract)))
    assert (unknown.passed, unknown.detail) == (False, "not computed by this release: phase_of_the_moon")
