from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from photofeed.errors import InvalidError
from photofeed.features.declarations import Function, RankingFeature
from photofeed.features.manifest import FeatureManifest
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.models.scorer import make_scorer
from training.data.dataset import Dataset
from training.data.split import temporal_split
from training.evaluation.evaluate import Evaluation, Measurement, evaluate
from training.promotion.evidence import Evidence
from training.promotion.gate_file import Gates, load_gates
from training.promotion.gate_report import as_json, as_markdown
from training.promotion.gates import Finding
from training.promotion.gates.budget import Budget
from training.promotion.gates.calibration import Calibration
from training.promotion.result import Promotion
from training.ranker.parameters import TrainingParameters
from training.ranker.train import train
from training.statistics.intervals import Interval

NOW = datetime(1970, 1, 1, 1, tzinfo=UTC)  # the slates of the fixture are one a second since the beginning of time


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
    assert evidence.unseen_slates
    passed = 0
    for seed in range(12):
        shuffled = np.random.default_rng(seed).random(len(evidence.unseen_slates))
        chance = replace(evidence, evaluation=evaluate(evidence.unseen_slates, {"model": shuffled}))
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
    assert evidence.unseen_slates
    scores = np.where(evidence.unseen_slates.positions == 0, 1e9, np.arange(len(evidence.unseen_slates)) % 2)
    unsure = replace(evidence, evaluation=evaluate(evidence.unseen_slates, {"model": scores}))
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


def test_features_that_are_not_served_are_named(
    evidence: Evidence, make_manifest: Callable[..., FeatureManifest]
) -> None:
    gate = "features available"
    assert _failed(replace(evidence, served_manifest=make_manifest("v2"))) == {}
    assert _failed(replace(evidence, served_manifest=make_manifest(lacking="likes_5m")))[gate].endswith(
        "post_engagement:likes_5m is gone"
    )
    assert _failed(replace(evidence, served_manifest=make_manifest(lacking="comments_5m"))) == {}  # it is not read
    contract = replace(evidence.bundle.contract, feature_names=(*FEATURE_NAMES, "phase_of_the_moon"))
    unknown = replace(evidence, bundle=replace(evidence.bundle, contract=contract))
    assert _failed(unknown)[gate] == "this release declares no features phase_of_the_moon"
    moon = RankingFeature("phase", "context", Function("phase_of_the_moon", 3))
    contract = replace(evidence.bundle.contract, feature_names=("phase",), features=(moon,))
    unknown = replace(evidence, bundle=replace(evidence.bundle, contract=contract))
    assert _failed(unknown)[gate] == "this release has no function phase_of_the_moon version 3"


def test_features_that_serving_reads_otherwise_are_named(evidence: Evidence) -> None:
    skew = np.zeros((100, len(FEATURE_NAMES)))
    skew[:, 3] = 0.5
    detail = _failed(replace(evidence, skew=skew))["feature skew"]
    assert FEATURE_NAMES[3] in detail
    skew[1:, 3] = 0.0
    assert _failed(replace(evidence, skew=skew)) == {}


def test_values_with_events_in_flight_do_not_change_the_verdict(evidence: Evidence) -> None:
    """The share is of the values that were compared, whatever the traffic."""
    skew = np.zeros((100, len(FEATURE_NAMES)))
    skew[:40] = np.nan
    passed = {one.gate: one for one in load_gates().check(replace(evidence, skew=skew))}["feature skew"]
    assert passed.passed
    assert "40.00% were left out because events are in flight" in passed.detail
    skew[40:, 0] = 1.0
    assert f"{1 / len(FEATURE_NAMES):.2%} of online values" in _failed(replace(evidence, skew=skew))["feature skew"]
    skew[:] = np.nan
    assert _failed(replace(evidence, skew=skew)) == {}
    nothing = {one.gate: one for one in load_gates().check(replace(evidence, skew=skew[:0]))}["feature skew"]
    assert (nothing.passed, nothing.detail[-20:]) == (True, "nothing was compared")


def test_inputs_unlike_those_of_training_are_refused(evidence: Evidence) -> None:
    assert evidence.unseen_slates
    drifted = replace(evidence, unseen_slates=replace(evidence.unseen_slates, matrix=evidence.unseen_slates.matrix + 5))
    detail = _failed(drifted)["drift"]
    assert f"{1 - 1 / len(FEATURE_NAMES):.0%} of features" in detail
    assert "not judged: 1 of the clock alone" in detail
    contract = replace(evidence.bundle.contract, profile=None)
    old = replace(evidence, bundle=replace(evidence.bundle, contract=contract))
    assert "run `photofeed train`" in _failed(old)["drift"]


def test_what_few_slates_differ_by_is_no_drift(evidence: Evidence) -> None:
    """Of 20 slates whose rows are alike every third feature looks changed, though nothing has."""
    assert evidence.unseen_slates
    profile = evidence.bundle.contract.profile
    assert profile
    one_a_slate = np.random.default_rng(1).normal(size=(20, len(FEATURE_NAMES))).astype(np.float32)
    unseen_slates = replace(evidence.unseen_slates.between(0, 1), matrix=np.repeat(one_a_slate, 10, axis=0))
    labels = np.arange(200, dtype=np.int32) % 2
    unseen_slates = replace(unseen_slates, group_sizes=np.full(20, 10, dtype=np.int32), labels=labels)
    assert (profile.psi(unseen_slates.matrix) > 0.25).mean() > 0.8
    assert "drift" not in _failed(replace(evidence, unseen_slates=unseen_slates), Gates(drift=load_gates().drift))
    unseen_slates = replace(unseen_slates, matrix=np.repeat(one_a_slate + 2, 10, axis=0))
    assert "drift" in _failed(replace(evidence, unseen_slates=unseen_slates), Gates(drift=load_gates().drift))


def test_what_is_old_is_refused(evidence: Evidence) -> None:
    late = _failed(replace(evidence, now=NOW + timedelta(days=30)))
    assert set(late) == {"freshness of the model", "freshness of the data"}


def test_a_version_that_nothing_is_known_of_passes_no_gate_that_needs_it(evidence: Evidence) -> None:
    reason = "no slate was seen; wait for more engagement"
    unknown = replace(
        evidence,
        champion="7",
        unseen_slates=None,
        evaluation=None,
        skew=None,
        missing=dict.fromkeys(("unseen_slates", "evaluation", "skew"), reason),
    )
    failed = _failed(unknown)
    assert set(failed.values()) == {reason}
    assert set(failed) >= {"unseen slates", "ndcg_10 above random", "against champion", "calibration", "drift"}


def test_too_few_slates_are_no_judgement(evidence: Evidence) -> None:
    assert evidence.unseen_slates
    assert set(_failed(replace(evidence, unseen_slates=evidence.unseen_slates.between(0, 3)))) == {"unseen slates"}


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
    assert [one.gate for one in load_gates(file).check(evidence)] == ["unseen slates", "exact scores"]


def test_the_report_says_what_failed_and_by_how_much(evidence: Evidence) -> None:
    worse = _beside_champion(evidence, {"all": Interval(-0.03, -0.05, -0.01)})
    findings = load_gates().check(worse)
    promotion = Promotion("1", "7", findings, worse, "somebody@somewhere", forced="a | b")
    page = as_markdown(promotion)
    assert "# Version 1 failed its gates" in page
    assert "The promotion was forced: a | b." in page
    assert "| against champion | **failed** |" in page
    assert "| all | ndcg_10 | -0.0300 [-0.0500, -0.0100] |" in page
    told = as_json(promotion)
    assert (told["passed"], told["forced"], told["champion"]) == (False, "a | b", "7")
    assert told["againstChampion"]["all"]["ndcg_10"] == (-0.03, -0.05, -0.01)


def test_the_report_lists_differences_from_the_champion_only(evidence: Evidence) -> None:
    beside = _beside_champion(evidence, {"all": Interval(0.01, 0.0, 0.02), "reels": Interval(-0.04, -0.05, -0.03)})
    assert beside.evaluation
    log_loss = Measurement("champion", "all", "log_loss", Interval(0.5, 0.4, 0.6))
    more = Evaluation(beside.evaluation.measurements, (*beside.evaluation.differences, log_loss))
    report = as_json(Promotion("1", "7", [], replace(beside, evaluation=more), "me"))
    assert report["againstChampion"] == {
        "all": {"ndcg_10": (0.01, 0.0, 0.02)},
        "reels": {"ndcg_10": (-0.04, -0.05, -0.03)},
    }
    assert report["metrics"]["model"]["ndcg_10"] == beside.evaluation.rankers["model"]["ndcg_10"]


def test_a_report_without_evaluation_has_findings_only(evidence: Evidence) -> None:
    unknown = replace(evidence, evaluation=None)
    promotion = Promotion("1", None, [Finding("drift", True, "a | b\nc")], unknown, "me", forced="not needed")
    page = as_markdown(promotion)
    assert "# Version 1 passed its gates" in page
    assert "There is no champion." in page
    assert "forced" not in page  # the gates passed by themselves
    assert "| drift | passed | a \\| b c |" in page
    assert "##" not in page
    assert as_json(promotion)["metrics"] == {}
