"""Every threshold of every gate: a value at the threshold passes, one just beyond it fails, whatever else holds."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from photofeed.features.profile import FeatureProfile
from photofeed.features.ranking import FEATURE_NAMES
from training.data.dataset import Dataset
from training.data.window import Window
from training.evaluation.evaluate import Evaluation, Measurement
from training.promotion.evidence import Evidence
from training.promotion.gate_file import Gates, load_gates
from training.promotion.gates import Finding, Gate, largest_features
from training.promotion.gates.against_champion import AgainstChampion
from training.promotion.gates.budget import Budget
from training.promotion.gates.calibration import Calibration
from training.promotion.gates.drift import Drift
from training.promotion.gates.evaluation_window import EvaluationWindow
from training.promotion.gates.exact_scores import ExactScores
from training.promotion.gates.features import Features
from training.promotion.gates.floor import Floor
from training.promotion.gates.freshness import Freshness
from training.statistics.intervals import Interval


def _findings(gate: Gate, evidence: Evidence) -> dict[str, bool]:
    return {finding.gate: finding.passed for finding in gate.check(evidence)}


def _measured(evidence: Evidence, *measurements: Measurement, differences: Sequence[Measurement] = ()) -> Evidence:
    return replace(evidence, evaluation=Evaluation(measurements, tuple(differences)))


def _of(ranker: str, metric: str, value: float, low: float | None = None, high: float | None = None) -> Measurement:
    low, high = value if low is None else low, value if high is None else high
    return Measurement(ranker, "all", metric, Interval(value, low, high))


def _above_random(evidence: Evidence, value: float, low: float) -> Evidence:
    difference = _of("random", "auc", value, low, value + 0.1)
    return _measured(evidence, _of("model", "auc", 0.5 + value), _of("random", "auc", 0.5), differences=[difference])


@pytest.mark.parametrize(
    ("value", "low", "clear", "passed"),
    [
        (0.05, 0.01, True, True),
        (0.049, 0.01, True, False),  # below the margin
        (0.05, -0.01, True, False),  # above the margin, and not significant
        (0.05, 0.0, True, False),
        (0.05, -0.01, False, True),  # significance is not required
        (0.049, 0.01, False, False),
    ],
)
def test_a_floor_above_a_baseline_needs_the_margin_and_if_required_significance(
    evidence: Evidence, value: float, low: float, clear: bool, passed: bool
) -> None:
    gate = Floor(metric="auc", above="random", by=0.05, clear=clear)
    assert _findings(gate, _above_random(evidence, value, low)) == {"auc above random": passed}


@pytest.mark.parametrize(("value", "passed"), [(0.7, True), (0.699, False)])
def test_an_absolute_floor(evidence: Evidence, value: float, passed: bool) -> None:
    measured = _measured(evidence, _of("model", "auc", value), _of("random", "auc", 0.99))
    assert _findings(Floor(metric="auc", by=0.7), measured) == {"auc": passed}


@pytest.mark.parametrize(
    "gate",
    [Floor(metric="mrr", by=0.0), Floor(metric="auc", above="oracle", by=0.0), Floor(metric="mrr", above="x", by=0)],
)
def test_a_floor_of_what_was_not_measured_fails(evidence: Evidence, gate: Floor) -> None:
    (finding,) = gate.check(_above_random(evidence, 0.2, 0.1))
    assert not finding.passed
    assert "was not measured" in finding.detail


def _beside(evidence: Evidence, **drops: tuple[float, float, float]) -> Evidence:
    differences = [Measurement("champion", segment, "ndcg_10", Interval(*drop)) for segment, drop in drops.items()]
    others = [
        Measurement("recency", "all", "ndcg_10", Interval(-0.9, -1, -0.8)),  # another ranker
        Measurement("champion", "all", "auc", Interval(-0.9, -1, -0.8)),  # another metric
    ]
    return replace(_measured(evidence, differences=[*differences, *others]), champion="7")


AGAINST = AgainstChampion(largest_drop=0.02, largest_segment_drop=0.05)


@pytest.mark.parametrize(
    ("overall", "segment", "passed"),
    [
        ((-0.02, -0.03, -0.01), (0.0, -0.1, 0.1), (True, True)),
        ((-0.021, -0.03, -0.01), (0.0, -0.1, 0.1), (False, True)),
        ((-0.021, -0.2, 0.2), (0.0, -0.1, 0.1), (False, True)),  # overall, no significance is required
        ((0.0, 0.0, 0.0), (-0.05, -0.06, -0.04), (True, True)),
        ((0.0, 0.0, 0.0), (-0.051, -0.06, -0.04), (True, False)),
        ((0.0, 0.0, 0.0), (-0.051, -0.06, 0.0), (True, True)),  # could be chance
        ((0.0, 0.0, 0.0), (0.2, 0.1, 0.3), (True, True)),  # significant, and better
    ],
)
def test_the_drop_against_the_champion(
    evidence: Evidence,
    overall: tuple[float, float, float],
    segment: tuple[float, float, float],
    passed: tuple[bool, bool],
) -> None:
    found = _findings(AGAINST, _beside(evidence, all=overall, reels=segment))
    assert (found["against champion"], found["against champion, segments"]) == passed


def test_without_a_champion_there_is_nothing_to_be_below(evidence: Evidence) -> None:
    assert _findings(AGAINST, replace(_beside(evidence, all=(-1.0, -1, -1)), champion=None)) == {
        "against champion": True
    }


@pytest.mark.parametrize(("error", "passed"), [(0.1, True), (0.101, False)])
def test_the_calibration_error(evidence: Evidence, error: float, passed: bool) -> None:
    measured = _measured(evidence, _of("model", "ece", error), _of("recency", "ece", 0.5))
    assert _findings(Calibration(largest_error=0.1), measured) == {"calibration": passed}


def test_the_size_counts_model_and_tables(evidence: Evidence) -> None:
    files = [evidence.bundle.model_path, evidence.bundle.tables_path]
    size = sum(path.stat().st_size for path in files if path) / 2**20
    for limit, passed in ((size, True), (size * 0.999, False)):
        gate = Budget(rows=10, milliseconds=1e6, mebibytes=limit)
        assert _findings(gate, evidence) == {"size": passed, "latency": True}
    without = replace(evidence, bundle=replace(evidence.bundle, tables_path=None))
    assert _findings(Budget(rows=10, milliseconds=1e6, mebibytes=size * 0.999), without)["size"]


@pytest.mark.parametrize(("seconds", "passed"), [(0.025, True), (0.026, False)])
def test_the_latency(evidence: Evidence, monkeypatch: pytest.MonkeyPatch, seconds: float, passed: bool) -> None:
    asked: list[int] = []

    def seconds_to_score(_: object, rows: int) -> float:
        asked.append(rows)
        return seconds

    monkeypatch.setattr("training.promotion.gates.budget.seconds_to_score", seconds_to_score)
    assert _findings(Budget(rows=500, milliseconds=25.0, mebibytes=64.0), evidence)["latency"] == passed
    assert asked == [500]
    unknown = replace(evidence, scorer=None, missing={"scorer": "no engine"})
    assert [f for f in Budget(rows=5, milliseconds=25.0, mebibytes=64.0).check(unknown) if not f.passed] == [
        Finding("latency", False, "no engine")
    ]


@pytest.mark.parametrize(("cells", "passed"), [(1, True), (2, False)])
def test_the_share_of_values_that_differ_online(evidence: Evidence, cells: int, passed: bool) -> None:
    skew = np.full((100, len(FEATURE_NAMES)), 1e-6)  # at the largest difference that is allowed
    skew[:cells, 3] = 1.1e-6
    gate = Features(skew_rows=100, largest_difference=1e-6, largest_share=1 / skew.size)
    (finding,) = [one for one in gate.check(replace(evidence, skew=skew)) if one.gate == "feature skew"]
    assert finding.passed == passed
    assert f"(largest: {FEATURE_NAMES[3]}" in finding.detail


def test_a_missing_value_on_one_side_is_a_difference(evidence: Evidence) -> None:
    skew = np.zeros((10, len(FEATURE_NAMES)))
    skew[0, 0] = np.inf
    gate = Features(skew_rows=10, largest_difference=1e-6, largest_share=0.0)
    assert not _findings(gate, replace(evidence, skew=skew))["feature skew"]


def _drifted(evidence: Evidence, features: int) -> Evidence:
    """The newest slates, so often that chance explains nothing, with this many features far from the training."""
    assert evidence.unseen_slates
    slates = evidence.unseen_slates
    matrix = np.tile(slates.matrix, (40, 1))
    of_the_clock = FEATURE_NAMES.index("hour_of_day")  # is not judged
    matrix[:, [column for column in range(len(FEATURE_NAMES)) if column != of_the_clock][:features]] += 50
    ids: dict[str, Any] = {name: np.tile(getattr(slates, name), 40) for name in ("user_ids", "post_ids", "creator_ids")}
    sizes = np.tile(slates.group_sizes, 40)
    return replace(evidence, unseen_slates=replace(slates, matrix=matrix, group_sizes=sizes, **ids))


@pytest.mark.parametrize(("features", "passed"), [(0, True), (24, True), (25, False)])
def test_the_share_of_features_that_drift(evidence: Evidence, features: int, passed: bool) -> None:
    gate = Drift(psi=0.5, largest_share=24 / len(FEATURE_NAMES))
    assert _findings(gate, _drifted(evidence, features)) == {"drift": passed}


def test_features_of_a_version_from_before_this_release_are_compared_by_name(evidence: Evidence) -> None:
    """The older version knows fewer features, in another order; its profile has that order."""
    assert evidence.unseen_slates
    older = FEATURE_NAMES[:0:-1]
    contract = replace(
        evidence.bundle.contract,
        feature_names=older,
        profile=FeatureProfile.of(evidence.unseen_slates.columns(older)),
    )
    gate = Drift(psi=1e-9, largest_share=0.0)
    beside = replace(evidence, bundle=replace(evidence.bundle, contract=contract))
    (finding,) = gate.check(beside)
    assert finding.passed, finding.detail


def test_unknown_features_are_no_drift_finding_of_their_own(evidence: Evidence) -> None:
    contract = replace(evidence.bundle.contract, feature_names=(*FEATURE_NAMES, "phase_of_the_moon"))
    (finding,) = Drift(psi=0.25, largest_share=1.0).check(
        replace(evidence, bundle=replace(evidence.bundle, contract=contract))
    )
    assert not finding.passed


@pytest.mark.parametrize(
    ("hours", "passed"), [(10, (True, True)), (10.01, (False, True)), (20, (False, True)), (20.01, (False, False))]
)
def test_the_ages_of_model_and_data(evidence: Evidence, hours: float, passed: tuple[bool, bool]) -> None:
    assert evidence.unseen_slates
    newest = evidence.now
    slates = evidence.unseen_slates
    starts = np.full(slates.slates, round((newest - timedelta(hours=1)).timestamp() * 1e6))
    starts[-1] = round(newest.timestamp() * 1e6)
    aged = replace(evidence, unseen_slates=replace(slates, slate_start_us=starts), now=newest + timedelta(hours=hours))
    found = _findings(Freshness(model_hours=10, data_hours=20), aged)
    assert (found["freshness of the model"], found["freshness of the data"]) == passed


@pytest.mark.parametrize(("slates", "passed"), [(15, True), (14, False)])
def test_the_number_of_unseen_slates(evidence: Evidence, slates: int, passed: bool) -> None:
    """Slates whose posts all have one label do not count."""
    assert evidence.unseen_slates
    labels = np.zeros_like(evidence.unseen_slates.labels)
    labels[: 12 * slates : 12] = 1
    few = replace(evidence, unseen_slates=replace(evidence.unseen_slates, labels=labels))
    assert _findings(EvaluationWindow(), few) == {"unseen slates": passed}
    assert few.unseen_slates
    assert few.unseen_slates.slates > slates


def test_findings_name_the_three_largest_features() -> None:
    assert largest_features(("a", "b", "c", "d"), np.array([0.1, 0.4, 0.3, 0.2])) == "b, c, d"


def test_a_window_of_evidence_is_shown(evidence: Evidence, dataset: Dataset) -> None:
    (finding,) = EvaluationWindow().check(replace(evidence, unseen_slates=dataset))
    assert str(Window(dataset.window.start, dataset.window.end)) in finding.detail


def test_a_segment_whose_interval_is_unknown_is_not_significantly_below(evidence: Evidence) -> None:
    unknown = _beside(evidence, all=(0.0, 0.0, 0.0), reels=(-0.5, float("nan"), float("nan")))
    assert _findings(AGAINST, unknown)["against champion, segments"]


def test_exact_scores_are_checked_on_as_many_rows_as_required(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[tuple[object, str, int]] = []
    monkeypatch.setattr("training.promotion.gates.exact_scores.verify_exact", lambda *call: checked.append(call))
    (finding,) = ExactScores(rows=123).check(evidence)
    assert finding.passed
    assert checked == [(evidence.scorer, evidence.bundle.model_path.read_text(), 123)]


def test_the_shipped_thresholds() -> None:
    """A change of gates.toml changes what may become champion: it is made here too, on purpose."""
    shipped = load_gates()
    assert shipped.evaluation_window == EvaluationWindow(longest_days=7.0, fewest_slates=15)
    assert shipped.floors == (
        Floor(metric="ndcg_10", above="random", by=0.05, clear=True),
        Floor(metric="ndcg_10", above="recency", by=0.02, clear=True),
    )
    assert shipped.against_champion == AgainstChampion(metric="ndcg_10", largest_drop=0.02, largest_segment_drop=0.05)
    assert shipped.calibration == Calibration(largest_error=0.10)
    assert shipped.exact_scores == ExactScores(rows=2000)
    assert shipped.budget == Budget(rows=500, milliseconds=25.0, mebibytes=64.0)
    assert shipped.features == Features(skew_rows=500, largest_difference=1e-6, largest_share=0.01)
    assert shipped.drift == Drift(psi=0.25, largest_share=0.15)
    assert shipped.freshness == Freshness(model_hours=336.0, data_hours=168.0)


def test_skew_is_read_for_as_many_rows_as_the_gate_needs() -> None:
    assert load_gates().skew_rows == 500
    assert Gates().skew_rows == 1
