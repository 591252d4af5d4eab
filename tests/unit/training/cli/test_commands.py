"""What the commands of training make of their options, and how they end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from photofeed.errors import ConflictError
from photofeed.experiments import Arm, Experiment, Experiments
from photofeed.features.program import FeatureProgram
from photofeed.features.ranking import PROGRAM
from photofeed.models.alias_moves import ROLLED_BACK
from photofeed.models.history import Move
from training.cli import preview as preview_module
from training.cli.commands import app
from training.data.dataset import Dataset
from training.data.sources import Sources
from training.data.window import Window
from training.errors import RefusedError
from training.evaluation.evaluate import MODEL, evaluate
from training.evaluation.experiment_report import ArmResult, ExperimentReport
from training.evaluation.explore_log import LOGGED, MODEL_VALUE
from training.monitoring.skew import Skew
from training.promotion.gates import Finding
from training.promotion.result import Promotion
from training.ranker.parameters import DEBIASED_LEARNING_RATE, DEFAULTS, TrainingParameters
from training.ranker.train import train as train_here
from training.registry.versions import RegisteredVersion
from training.retrain import Outcome, Retraining
from training.statistics.intervals import Interval
from training.statistics.off_policy import PolicyValue

UNTIL, END = "2026-03-20T12:00:00", datetime(2026, 3, 20, 12, tzinfo=UTC)
SETTINGS: Any = SimpleNamespace(
    model_name="ranker", state_dir=Path("nowhere"), bucket_lake="lake", experiments_file=None, public_url="http://api"
)


class _Opened(str):  # noqa: SLOT000  a double, of which a test makes two
    """Equal to "sources"; remembers the features that were asked for."""

    program: FeatureProgram | None = None

    def with_program(self, program: FeatureProgram) -> "_Opened":
        asked = _Opened(self)
        asked.program = program
        return asked


class _NoSources:
    def __enter__(self) -> _Opened:
        return _Opened("sources")

    def __exit__(self, *_: object) -> None:
        return None


class Calls:
    """Replaces functions: each returns what it is given, and its arguments are kept."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.of: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {}

    def give(self, target: str, answer: Any) -> None:
        name = target.rpartition(".")[2]

        def called(*arguments: Any, **options: Any) -> Any:
            self.of[name] = arguments, options
            return answer

        self._monkeypatch.setattr(target, called)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    monkeypatch.setattr("photofeed.settings.load_settings", lambda **_: SETTINGS)
    monkeypatch.setattr(Sources, "open", lambda _: _NoSources())
    return Calls(monkeypatch)


def _run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def _value(value: float, rows: float) -> PolicyValue:
    return PolicyValue("snips", Interval(value, value - 0.1, value + 0.1), rows, 400)


@pytest.fixture
def trained(dataset: Dataset) -> Any:
    evaluation = evaluate(dataset, {MODEL: dataset.labels.astype(float)})
    explore = {LOGGED: _value(0.25, 400), MODEL_VALUE: _value(0.5, 123)}
    return SimpleNamespace(version="7", run_id="run-7", evaluation=evaluation, explore=explore)


def _promotion(*, passed: bool = True, **more: Any) -> Promotion:
    evidence: Any = None
    return Promotion("7", more.pop("former", "6"), [Finding("floor", passed, "0.7")], evidence, "me", **more)


@pytest.mark.parametrize("command", ["train", "retrain"])
def test_commands_train_with_the_defaults_of_training_parameters(calls: Calls, trained: Any, command: str) -> None:
    calls.give("training.pipeline.train_and_register", trained)
    calls.give("training.retrain.retrain", Retraining(Outcome.CHALLENGER, 1.0))
    name = {"train": "train_and_register", "retrain": "retrain"}[command]
    assert _run(command).exit_code == 0
    assert DEFAULTS in calls.of[name][0]
    _run(command, "--rounds", "12")
    assert replace(DEFAULTS, rounds=12) in calls.of[name][0]


def test_train_passes_its_options_on_and_shows_the_result(calls: Calls, trained: Any) -> None:
    calls.give("training.pipeline.train_and_register", trained)
    options = ("--days", "3", "--until", UNTIL, "--seed", "3", "--heads", "--search", "5", "--debias-position")
    done = _run("train", *options)
    assert done.exit_code == 0, done.output
    (settings, sources, window, parameters, _), more = calls.of["train_and_register"]
    assert (settings, sources, window) == (SETTINGS, "sources", Window(END - timedelta(days=3), END))
    assert parameters == TrainingParameters(seed=3, debias_position=True)
    assert parameters.resolved().learning_rate == DEBIASED_LEARNING_RATE
    assert more == {"trials": 5, "heads": True, "trainer": train_here, "program": PROGRAM}
    assert "ranker version 7 of run run-7" in done.output
    assert "0.250 of 400 seen posts" in done.output
    assert "0.500 (0.400 to 0.600), from 123 effective rows" in done.output


def test_train_and_skew_take_the_features_of_a_version(calls: Calls, trained: Any) -> None:
    own = PROGRAM.select(["aspect", "follows"])
    calls.give("training.evaluation.champion.version_program", own)
    calls.give("training.pipeline.train_and_register", trained)
    assert _run("train", "--like", "challenger").exit_code == 0
    assert calls.of["version_program"][0] == (SETTINGS, "challenger")
    assert calls.of["train_and_register"][1]["program"] == own
    calls.give("training.monitoring.skew.measure_skew", Skew(50, 0, {"a": 0.0}))
    assert _run("features", "skew", "--version", "9").exit_code == 0
    assert calls.of["version_program"][0] == (SETTINGS, "9")
    assert calls.of["measure_skew"][0][0].program == own


def test_train_without_options_searches_nothing_and_promotes_nothing(calls: Calls, trained: Any) -> None:
    calls.give("training.pipeline.train_and_register", trained)
    calls.give("training.promotion.promote.promote", None)
    trained.explore = None
    done = _run("train")
    assert calls.of["train_and_register"][1] == {"trials": 0, "heads": False, "trainer": train_here, "program": PROGRAM}
    assert "promote" not in calls.of
    assert "too few were seen" in done.output


def test_train_can_promote_as_of_the_end_of_its_window(calls: Calls, trained: Any) -> None:
    calls.give("training.pipeline.train_and_register", trained)
    calls.give("training.promotion.promote.promote", _promotion(moved=True))
    done = _run("train", "--until", UNTIL, "--promote", "--force", "rehearsal")
    assert done.exit_code == 0, done.output
    assert calls.of["promote"] == ((SETTINGS, "7"), {"force": "rehearsal", "now": END})


def test_train_on_dask_uses_that_trainer(calls: Calls, trained: Any) -> None:
    class Trainer:
        def __enter__(self) -> str:
            return "on dask"

        def __exit__(self, *_: object) -> None:
            return None

    calls.give("training.pipeline.train_and_register", trained)
    calls.give("training.ranker.distributed_training.dask_trainer", Trainer())
    _run("train", "--dask", "tcp://scheduler:8786")
    assert calls.of["dask_trainer"][0] == ("tcp://scheduler:8786",)
    assert calls.of["train_and_register"][1]["trainer"] == "on dask"


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("promote_too", [True, False])
def test_retrain_ends_with_json_and_the_exit_code_of_its_outcome(
    calls: Calls, outcome: Outcome, promote_too: bool
) -> None:
    calls.give("training.retrain.retrain", Retraining(outcome, 1.0, "why", "7"))
    done = _run("retrain", "--days", "2", "--until", UNTIL, *(["--promote"] if promote_too else []))
    assert done.exit_code == outcome.exit_code
    printed = orjson.loads(done.stdout.strip().splitlines()[-1])
    assert (printed["outcome"], printed["version"], printed["reason"]) == (outcome.label, "7", "why")
    (settings, window, _), more = calls.of["retrain"]
    assert (settings, window, more["promote_too"]) == (SETTINGS, Window(END - timedelta(days=2), END), promote_too)


def _comparison(dataset: Dataset, learned_share: float) -> Any:
    evaluation = evaluate(dataset, {MODEL: dataset.labels.astype(float)})
    return SimpleNamespace(
        version="7",
        dataset=dataset,
        evaluation=evaluation,
        learned_share=learned_share,
        left_out={"als": "No module named 'implicit'"},
        to_json=lambda: {"version": "7"},
    )


def test_evaluate_warns_of_slates_that_the_version_was_trained_on(calls: Calls, dataset: Dataset) -> None:
    calls.give("training.evaluation.compare_versions.compare_versions", _comparison(dataset, 0.25))
    done = _run("evaluate", "champion", "--days", "2", "--until", UNTIL, "--against", "5", "--against", "4")
    assert "version 7 was trained on 25% of these slates" in done.output
    assert "Version 7 on 120 slates" in done.output
    assert "als was left out: No module named 'implicit'" in done.output
    window = Window(END - timedelta(days=2), END)
    assert calls.of["compare_versions"][0] == (SETTINGS, "sources", "champion", window, ["5", "4"])


def test_evaluate_says_nothing_of_learned_slates_where_there_are_none(calls: Calls, dataset: Dataset) -> None:
    calls.give("training.evaluation.compare_versions.compare_versions", _comparison(dataset, 0.0))
    assert "was trained on" not in _run("evaluate", "7").output
    assert calls.of["compare_versions"][0][-1] == []
    assert orjson.loads(_run("evaluate", "7", "--json").stdout) == {"version": "7"}


def test_promote_writes_its_report_and_names_the_new_champion(calls: Calls, tmp_path: Path) -> None:
    promotion = _promotion(moved=True)
    calls.give("training.promotion.promote.promote", promotion)
    calls.give("training.promotion.gate_report.as_markdown", "# the report")
    done = _run("promote", "challenger", "--report", str(tmp_path / "report.md"))
    assert done.exit_code == 0, done.output
    assert "ranker: champion is version 7" in done.output
    assert "forced" not in done.output
    assert calls.of["promote"] == ((SETTINGS, "challenger"), {"force": None, "now": None})
    assert calls.of["as_markdown"][0] == (promotion,)
    assert (tmp_path / "report.md").read_text() == "# the report"


@pytest.mark.parametrize(("former", "says"), [("6", "the champion is still version 6"), (None, "there is no champion")])
def test_a_refused_promotion_names_the_failed_gates_and_the_champion(
    calls: Calls, former: str | None, says: str
) -> None:
    calls.give("training.promotion.promote.promote", _promotion(passed=False, former=former))
    done = _run("promote", "7")
    assert isinstance(done.exception, RefusedError)
    assert str(done.exception) == f"version 7 failed its gates: floor (0.7); {says}"
    assert "failed" in done.output


def test_a_forced_promotion_says_so(calls: Calls) -> None:
    calls.give("training.promotion.promote.promote", _promotion(passed=False, moved=True, forced="[b]why"))
    assert "champion is version 7, forced: [b]why" in _run("promote", "7", "--force", "[b]why").output


def test_rollback_names_both_versions(calls: Calls) -> None:
    calls.give("photofeed.models.alias_moves.roll_back", ("7", "6"))
    assert "ranker: champion is version 6 again, instead of 7" in _run("rollback").output
    assert calls.of["roll_back"] == ((SETTINGS,), {"why": ROLLED_BACK})
    _run("rollback", "--reason", "people see less")
    assert calls.of["roll_back"] == ((SETTINGS,), {"why": "people see less"})


def test_models_lists_the_versions(calls: Calls) -> None:
    version = RegisteredVersion("7", ("champion", "challenger"), END, "run-7", "v1", "passed", 0.71234)
    calls.give("training.registry.versions.list_versions", [version, replace(version, version="6", ndcg_10=None)])
    listed = _run("models").output
    assert "champion, challenger" in listed
    assert "0.7123" in listed


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [((), (None, 50)), (("--alias", "champion", "--limit", "3"), ("champion", 3)), (("--json",), (None, 50))],
)
def test_the_history_lists_moves(calls: Calls, arguments: tuple[str, ...], asked: tuple[str | None, int]) -> None:
    move = Move(END, "ranker", "champion", "7", None, "ana@host", "passed the gates")
    calls.give("photofeed.models.history.moves", [move, replace(move, version=None)])
    done = _run("models", "history", *arguments)
    assert calls.of["moves"][0] == (SETTINGS, "ranker", *asked)
    if "--json" in arguments:
        assert [orjson.loads(line)["version"] for line in done.stdout.splitlines()] == ["7", None]
    else:
        assert "none" in done.output  # the alias was removed
        assert "ana@host" in done.output


def test_preview_writes_a_page_of_the_named_models(calls: Calls, tmp_path: Path) -> None:
    calls.give("training.cli.preview.preview", preview_module.Preview("ana", END, {"champion (version 7)": []}))
    page = tmp_path / "page.html"
    done = _run("preview", "--user", "ana", "--models", " champion, 5 ,", "--out", str(page))
    assert calls.of["preview"][0] == (SETTINGS, "ana", ["champion", "5"])
    assert "champion (version 7)" in page.read_text()
    assert done.output == f"{page}: champion (version 7)\n"


def test_skew_is_an_error_that_counts_the_features(calls: Calls) -> None:
    calls.give("training.monitoring.skew.measure_skew", Skew(50, 2, {"a": 0.0, "b": 0.5, "c": 1.5}))
    done = _run("features", "skew", "--days", "0.5", "--until", UNTIL, "--rows", "99")
    assert isinstance(done.exception, ConflictError)
    assert str(done.exception) == "2 features differ by more than 1e-06"
    summary, *features = done.output.splitlines()
    assert summary.startswith("50 impressions, 3 features: largest difference 1.5; 2 values were left out")
    assert features == ["c\t1.5", "b\t0.5"]
    assert calls.of["measure_skew"][0] == ("sources", Window(END - timedelta(hours=12), END), 99)


def test_without_skew_the_command_ends_well_and_leaves_out_the_last_minutes(calls: Calls) -> None:
    calls.give("training.monitoring.skew.measure_skew", Skew(50, 0, {"a": 0.0}))
    before = datetime.now(UTC)
    assert _run("features", "skew").exit_code == 0
    window = calls.of["measure_skew"][0][1]
    assert before - timedelta(minutes=5) <= window.end <= datetime.now(UTC) - timedelta(minutes=5)


@pytest.mark.parametrize(("p", "code"), [(0.5, 0), (0.0005, 3)])
def test_an_experiment_with_a_sample_ratio_mismatch_ends_with_3(calls: Calls, p: float, code: int) -> None:
    arms = (Arm(name="control", ranker="champion", share=0.5), Arm(name="new", ranker="challenger", share=0.5))
    experiment = Experiment(name="x", salt="s", arms=arms)
    calls.give("photofeed.experiments.load_experiments", Experiments(experiments=(experiment,)))
    calls.give("photofeed.offline_store.lake.open_lake", None)
    calls.give("training.evaluation.experiment_report.read_observations", "observations")
    lift = Interval(0.1, 0.05, 0.15)
    results = (ArmResult("control", 5, 9, lift), ArmResult("new", 6, 9, lift, lift, lift, 0.5))
    calls.give("training.evaluation.experiment_report.report", ExperimentReport("x", results, 0.4, p))
    done = _run("experiments", "report", "x", "--until", UNTIL)
    assert done.exit_code == code
    assert ("do not match the declared shares" in done.output) == bool(code)
    assert "+50.0%" in done.output
    plain = orjson.loads(_run("experiments", "report", "x", "--json").stdout)
    assert plain["arms"][1]["adjusted_lift"]["low"] == 0.05
    assert calls.of["report"][0] == (experiment, "observations")
    assert _run("experiments", "list").output == "x: control 50% by champion, new 50% by challenger\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--rounds", "0"),
        ("train", "--days", "0"),
        ("train", "--search", "1001"),
        ("retrain", "--rounds", "0"),
        ("evaluate", "1", "--days", "0"),
        ("models", "history", "--limit", "0"),
        ("features", "skew", "--rows", "0"),
        ("features", "drift", "--days", "0"),
        ("experiments", "report", "x", "--days", "0"),
        ("preview",),
        ("promote",),
    ],
)
def test_wrong_usage_is_refused_before_anything_runs(arguments: tuple[str, ...]) -> None:
    assert _run(*arguments).exit_code == 2


def test_the_preview_order_is_by_score_with_the_largest_contributions(dataset: Dataset, tmp_path: Path) -> None:
    ranker = train_here(dataset, dataset, TrainingParameters(rounds=5, threads=1, refit=False))
    path = tmp_path / "model.lgb"
    path.write_text(ranker.text)
    bundle: Any = SimpleNamespace(
        version="7", model_path=path, contract=SimpleNamespace(feature_names=ranker.feature_names, engine="lightgbm")
    )
    names = ranker.feature_names[::-1]
    found = preview_module._order(bundle, names, dataset.matrix[:40, ::-1], 10)
    scores = ranker.score(dataset.matrix[:40])
    assert [row for row, _, _ in found] == np.argsort(-scores, kind="stable")[:10].tolist()
    assert [score for _, score, _ in found] == sorted(scores.tolist(), reverse=True)[:10]
    for row, _, contributions in found:
        assert len(contributions) == preview_module.CONTRIBUTIONS
        sizes = [abs(moved) for _, _, moved in contributions]
        assert sizes == sorted(sizes, reverse=True)
        name, value, _ = contributions[0]
        assert value == pytest.approx(float(dataset.matrix[row, ranker.feature_names.index(name)]))
