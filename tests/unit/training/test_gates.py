from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from photofeed.errors import InvalidError
from photofeed.features.manifest import FeatureManifest, ManifestView
from photofeed.features.profile import FeatureProfile
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.model_contract import ModelBundle, ModelContract
from photofeed.online_store.schema import FieldSpec, JoinKey, RowSchema
from photofeed.scorer import ScoringTables, build_tables, make_scorer
from training.dataset import Dataset
from training.evaluate import Evaluation, Measurement, evaluate
from training.evidence import Evidence
from training.gate_file import Gates, load_gates
from training.gate_report import as_json, as_markdown
from training.gates.budget import Budget
from training.gates.calibration import Calibration
from training.intervals import Interval
from training.parameters import TrainingParameters
from training.promotion import Promotion
from training.split import temporal_split
from training.train import train

NOW = datetime(1970, 1, 1, 1, tzinfo=UTC)  # the slates of the fixture are one a second since the beginning of time


def _manifest(service: str = "v1", field: str = "likes") -> FeatureManifest:
    schema = RowSchema("photofeed", "post", (JoinKey("post_id", "INT64"),), (FieldSpec(field, "DOUBLE", 0.0),))
    return FeatureManifest(service, (ManifestView(schema, {}),))


@pytest.fixture
def evidence(dataset: Dataset, tmp_path: Path) -> Evidence:
    parts = temporal_split(dataset)
    ranker = train(parts.train, parts.validation, TrainingParameters(rounds=20, threads=1))
    model, tables = tmp_path / "model.lgb", tmp_path / "tables.npz"
    model.write_text(ranker.text)
    build_tables(ranker.text).save(tables)
    profile = FeatureProfile.of(parts.train.matrix)
    contract = ModelContract("ranker", "run", FEATURE_NAMES, _manifest(), NOW, NOW, "", ranker.sha256, profile=profile)
    return Evidence(
        ModelBundle(contract, "1", (), model, tables),
        _manifest(),
        NOW,
        scorer=make_scorer(ranker.text, ScoringTables.load(tables)),
        judged=parts.test,
        evaluation=evaluate(parts.test, {"model": ranker.score(parts.test.matrix)}),
        skew=np.zeros((9, len(FEATURE_NAMES))),
    )


def _beside_champion(evidence: Evidence, drops: Mapping[str, Interval]) -> Evidence:
    """The evidence where the version is so much better than version 7: segment -> difference."""
    assert evidence.evaluation
    differences = tuple(Measurement("champion", segment, "ndcg_10", drop) for segment, drop in drops.items())
    found = evidence.evaluation
    return replace(evidence, champion="7", evaluation=Evaluation(found.measurements, found.differences + differences))


def _failed(evidence: Evidence, gates: Gates | None = None) -> dict[str, str]:
    return {one.gate: one.detail for one in (gates or load_gates()).check(evidence) if not one.passed}


def test_a_good_model_passes_every_gate(evidence: Evidence) -> None:
    assert _failed(evidence) == {}
    assert len(load_gates().check(evidence)) == 13


def test_a_ranker_below_a_floor_is_refused(evidence: Evidence) -> None:
    gates = load_gates().model_copy(
        update={"floors": tuple(f.model_copy(update={"by": 0.9}) for f in load_gates().floors)}
    )
    assert set(_failed(evidence, gates)) == {"ndcg_10 above random", "ndcg_10 above recency"}


def test_chance_does_not_pass_for_a_ranker(evidence: Evidence) -> None:
    """Of twelve shuffled rankers one may get through, on 18 slates of 7 people."""
    assert evidence.judged
    passed = 0
    for seed in range(12):
        shuffled = np.random.default_rng(seed).random(len(evidence.judged))
        chance = replace(evidence, evaluation=evaluate(evidence.judged, {"model": shuffled}))
        passed += "ndcg_10 above random" not in _failed(chance, Gates(floors=load_gates().floors))
    assert passed <= 1


def test_a_little_below_the_champion_is_borne_a_lot_is_not(evidence: Evidence) -> None:
    little, lot = Interval(-0.01, -0.02, 0.0), Interval(-0.03, -0.05, -0.01)
    assert _failed(_beside_champion(evidence, {"all": little})) == {}
    failed = _failed(_beside_champion(evidence, {"all": lot}))
    assert failed == {"against champion": "ndcg_10 -0.0300 [-0.0500, -0.0100] against version 7, at least -0.02"}
    assert "against champion" in _failed(_beside_champion(evidence, {}))  # not measured is not passed


def test_one_segment_far_below_the_champion_is_enough_unless_it_is_chance(evidence: Evidence) -> None:
    even = Interval(0.0, -0.01, 0.01)
    clear = {"all": even, "new_users": Interval(-0.1, -0.15, -0.05)}
    assert "new_users -0.1000" in _failed(_beside_champion(evidence, clear))["against champion, segments"]
    chance = {"all": even, "reels": Interval(-0.1, -0.3, 0.1)}
    assert _failed(_beside_champion(evidence, chance)) == {}


def test_a_champion_that_cannot_be_read_does_not_keep_a_sound_model_out(evidence: Evidence) -> None:
    beside = replace(evidence, champion="7", missing={"champion": "its file is damaged"})
    assert _failed(beside) == {}
    assert "not comparable: its file is damaged" in [one.detail for one in load_gates().check(beside)]


def test_scores_that_say_little_of_the_chance_are_refused(evidence: Evidence) -> None:
    assert evidence.judged
    scores = np.where(evidence.judged.positions == 0, 1e9, np.arange(len(evidence.judged)) % 2)
    unsure = replace(evidence, evaluation=evaluate(evidence.judged, {"model": scores}))
    strict = load_gates().model_copy(update={"calibration": Calibration(largest_error=0.01)})
    assert "calibration" in _failed(unsure, strict)


def test_an_engine_that_scores_otherwise_than_the_model_is_refused(evidence: Evidence, dataset: Dataset) -> None:
    parts = temporal_split(dataset)
    other = train(parts.train, parts.validation, TrainingParameters(rounds=3, threads=1))
    assert "exact scores" in _failed(replace(evidence, scorer=make_scorer(other.text)))
    unloadable = replace(evidence, scorer=None, missing={"scorer": "tables of model a, not of b"})
    assert _failed(unloadable)["exact scores"] == "tables of model a, not of b"


def test_a_model_too_slow_or_too_large_is_refused(evidence: Evidence) -> None:
    tight = load_gates().model_copy(update={"budget": Budget(rows=500, milliseconds=1e-6, mebibytes=1e-6)})
    assert set(_failed(evidence, tight)) == {"latency", "size"}


def test_features_that_are_not_served_are_named(evidence: Evidence) -> None:
    gate = "features available"
    assert _failed(replace(evidence, served=_manifest("v2")))[gate] == "trained on v1, served is v2"
    assert "was changed" in _failed(replace(evidence, served=_manifest(field="saves")))[gate]
    contract = replace(evidence.bundle.contract, feature_names=(*FEATURE_NAMES, "phase_of_the_moon"))
    unknown = replace(evidence, bundle=replace(evidence.bundle, contract=contract))
    assert _failed(unknown)[gate] == "not computed by this release: phase_of_the_moon"


def test_features_that_serving_reads_otherwise_are_named(evidence: Evidence) -> None:
    skew = np.zeros((100, len(FEATURE_NAMES)))
    skew[:, 3] = 0.5
    detail = _failed(replace(evidence, skew=skew))["feature skew"]
    assert FEATURE_NAMES[3] in detail
    skew[1:, 3] = 0.0
    assert _failed(replace(evidence, skew=skew)) == {}


def test_inputs_unlike_those_of_training_are_refused(evidence: Evidence) -> None:
    assert evidence.judged
    drifted = replace(evidence, judged=replace(evidence.judged, matrix=evidence.judged.matrix + 5))
    assert "100% of features" in _failed(drifted)["drift"]
    contract = replace(evidence.bundle.contract, profile=None)
    old = replace(evidence, bundle=replace(evidence.bundle, contract=contract))
    assert "run `photofeed train`" in _failed(old)["drift"]


def test_what_few_slates_differ_by_is_no_drift(evidence: Evidence) -> None:
    """Of 20 slates whose rows are alike every third feature looks changed, though nothing has."""
    assert evidence.judged
    profile = evidence.bundle.contract.profile
    assert profile
    one_a_slate = np.random.default_rng(1).normal(size=(20, len(FEATURE_NAMES))).astype(np.float32)
    judged = replace(evidence.judged.between(0, 1), matrix=np.repeat(one_a_slate, 10, axis=0))
    judged = replace(judged, group_sizes=np.full(20, 10, dtype=np.int32))
    assert (profile.psi(judged.matrix) > 0.25).mean() > 0.8
    assert "drift" not in _failed(replace(evidence, judged=judged), Gates(drift=load_gates().drift))
    judged = replace(judged, matrix=np.repeat(one_a_slate + 2, 10, axis=0))
    assert "drift" in _failed(replace(evidence, judged=judged), Gates(drift=load_gates().drift))


def test_what_is_old_is_refused(evidence: Evidence) -> None:
    late = _failed(replace(evidence, now=NOW + timedelta(days=30)))
    assert set(late) == {"freshness of the model", "freshness of the data"}


def test_a_version_that_nothing_is_known_of_passes_no_gate_that_needs_it(evidence: Evidence) -> None:
    reason = "no slate was seen; wait for more engagement"
    unknown = replace(
        evidence,
        champion="7",
        judged=None,
        evaluation=None,
        skew=None,
        missing=dict.fromkeys(("judged", "evaluation", "skew"), reason),
    )
    failed = _failed(unknown)
    assert set(failed.values()) == {reason}
    assert set(failed) >= {"slates to judge by", "ndcg_10 above random", "against champion", "calibration", "drift"}


def test_too_few_slates_are_no_judgement(evidence: Evidence) -> None:
    assert evidence.judged
    assert set(_failed(replace(evidence, judged=evidence.judged.between(0, 3)))) == {"slates to judge by"}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[calibration]\nlargest_error = = 1", "line 2"),
        ("[calibration]\nlargest_error = 2.0", "calibration.largest_error: Input should be less than or equal to 1"),
        ("[calibration]\nlargest_eror = 0.1", "largest_eror: Extra inputs are not permitted"),
        ("[phase_of_the_moon]", "phase_of_the_moon: Extra inputs are not permitted"),
        ("[[floors]]\nmetric = 'auc'", "floors.0.by: Field required"),
    ],
)
def test_a_file_of_gates_that_cannot_be_is_refused_with_the_place(tmp_path: Path, text: str, wrong: str) -> None:
    file = tmp_path / "gates.toml"
    file.write_text(text)
    with pytest.raises(InvalidError, match="gates") as refused:
        load_gates(file)
    assert wrong in str(refused.value)
    with pytest.raises(InvalidError, match="No such file"):
        load_gates(tmp_path / "nowhere.toml")


def test_a_section_that_is_left_out_is_not_asked_for(evidence: Evidence, tmp_path: Path) -> None:
    file = tmp_path / "gates.toml"
    file.write_text("[exact_scores]\nrows = 50\n")
    assert [one.gate for one in load_gates(file).check(evidence)] == ["slates to judge by", "exact scores"]


def test_the_report_says_what_failed_and_by_how_much(evidence: Evidence) -> None:
    worse = _beside_champion(evidence, {"all": Interval(-0.03, -0.05, -0.01)})
    findings = load_gates().check(worse)
    promotion = Promotion("1", "7", findings, worse, "somebody@somewhere", forced="a | b")
    page = as_markdown(promotion)
    assert "# Version 1 failed its gates" in page
    assert "It was forced: a | b." in page
    assert "| against champion | **failed** |" in page
    assert "| all | ndcg_10 | -0.0300 [-0.0500, -0.0100] |" in page
    told = as_json(promotion)
    assert (told["passed"], told["forced"], told["champion"]) == (False, "a | b", "7")
    assert told["againstChampion"]["all"]["ndcg_10"] == (-0.03, -0.05, -0.01)
