"""The outcomes of a retraining, and in which order it does its work."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from photofeed import database
from photofeed.errors import InvalidError, RetryableError
from photofeed.features.program import FeatureProgram
from photofeed.features.ranking import PROGRAM
from photofeed.models.alias_moves import RETRAINED
from photofeed.models.history import BusyError
from photofeed.models.registry import ModelRegistry
from tests.doubles.module_time import patch_time
from training import retrain as module
from training.data.sources import Sources
from training.data.window import Window
from training.errors import EmptyWindowError, LeakError, OneClassError, TooFewSlatesError
from training.evaluation.evaluate import MODEL
from training.promotion.gates import Finding
from training.promotion.result import Promotion
from training.ranker.parameters import TrainingParameters
from training.retrain import Outcome, Retraining, retrain

WINDOW = Window(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 8, tzinfo=UTC))
PARAMETERS = TrainingParameters(rounds=5)
SETTINGS: Any = SimpleNamespace(gates_file=None, model_name="ranker", state_dir=Path("nowhere"))


@dataclass
class World:
    """What the stages of a retraining do, and what was called in which order."""

    passes: bool = True
    former: str | None = "6"
    champion_features: FeatureProgram | None = None
    learned: FeatureProgram | None = None
    fails: dict[str, Exception] = field(default_factory=dict)
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def _call(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, *arguments))
        if name in self.fails:
            raise self.fails[name]

    def load_gates(self, path: object) -> None:
        self._call("gates", path)

    @contextmanager
    def only_one(self, _: object, lock: int, model: str, _work: str) -> Iterator[None]:
        self._call("lock", lock, model)
        yield

    @contextmanager
    def sources(self, _: object) -> Iterator[Any]:
        yield SimpleNamespace(manifest="manifest")

    def champion_program(self, _registry: object, _folder: object, manifest: str) -> FeatureProgram | None:
        assert manifest == "manifest"
        return self.champion_features

    def train_and_register(
        self, _: object, _sources: object, window: Window, parameters: object, observer: Any, *, program: FeatureProgram
    ) -> Any:
        observer.progress(1, 2)
        self.learned = program
        self._call("train", "sources", window, parameters)
        evaluation = SimpleNamespace(rankers={MODEL: {"ndcg_10": 0.7}})
        return SimpleNamespace(version="7", run_id="run", evaluation=evaluation)

    def set_challenger(self, _: object, version: str) -> None:
        self._call("challenge", version)

    def promote(self, _: object, version: str, *, now: datetime, why: str, move_alias: bool) -> Promotion:
        self._call("promote", version, now, why, move_alias)
        findings = [Finding("floor", True, ""), Finding("drift", self.passes, "")]
        evidence: Any = None
        return Promotion(version, self.former, findings, evidence, "me", moved=move_alias and self.passes)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    for name in ("load_gates", "only_one", "train_and_register", "champion_program", "set_challenger", "promote"):
        monkeypatch.setattr(module, name, getattr(made, name))
    monkeypatch.setattr(Sources, "open", made.sources)
    monkeypatch.setattr(ModelRegistry, "connect", lambda _: nullcontext())
    return made


def _retrain(*, promote_too: bool) -> Retraining:
    return retrain(SETTINGS, WINDOW, PARAMETERS, promote_too=promote_too)


@pytest.mark.parametrize("fails", [{}, {"train": EmptyWindowError("no slates")}])
def test_a_retraining_tells_its_seconds(
    world: World, monkeypatch: pytest.MonkeyPatch, fails: dict[str, Exception]
) -> None:
    world.fails = fails
    patch_time(monkeypatch, module, monotonic=itertools.count(100.0, 7.0).__next__)
    assert _retrain(promote_too=True).seconds == 7.0


def test_a_version_that_passes_is_promoted_if_that_is_requested(world: World) -> None:
    done = _retrain(promote_too=True)
    assert (done.outcome, done.version, done.run_id, done.champion) == (Outcome.PROMOTED, "7", "run", "7")
    assert (done.ndcg_10, done.failed_gates, done.reason) == (0.7, (), "")
    assert world.calls == [
        ("gates", None),
        ("lock", database.RETRAINING, "ranker"),
        ("train", "sources", WINDOW, PARAMETERS),
        ("challenge", "7"),
        ("promote", "7", WINDOW.end, RETRAINED, True),
    ]


@pytest.mark.parametrize("features", [None, PROGRAM.select(["aspect", "follows"])])
def test_a_retraining_keeps_the_features_of_the_champion(world: World, features: FeatureProgram | None) -> None:
    world.champion_features = features
    _retrain(promote_too=False)
    assert world.learned == (features or PROGRAM)


def test_a_version_that_passes_stays_challenger_if_no_promotion_is_requested(world: World) -> None:
    done = _retrain(promote_too=False)
    assert (done.outcome, done.champion) == (Outcome.CHALLENGER, "6")
    assert world.calls[-1][-1] is False


@pytest.mark.parametrize(("former", "champion"), [("6", "6"), (None, "")])
@pytest.mark.parametrize("promote_too", [True, False])
def test_a_version_that_fails_its_gates_is_refused(
    world: World, former: str | None, champion: str, promote_too: bool
) -> None:
    world.passes, world.former = False, former
    done = _retrain(promote_too=promote_too)
    assert (done.outcome, done.champion, done.failed_gates) == (Outcome.REFUSED, champion, ("drift",))


@pytest.mark.parametrize(
    ("stage", "error", "outcome"),
    [
        ("gates", InvalidError("line 2"), Outcome.FAILED),
        ("lock", BusyError("another one"), Outcome.TRY_AGAIN),
        ("train", RetryableError("MLflow is down"), Outcome.TRY_AGAIN),
        ("train", EmptyWindowError("no slate"), Outcome.NOTHING_TO_LEARN),
        ("train", TooFewSlatesError("3 slates"), Outcome.NOTHING_TO_LEARN),
        ("train", OneClassError("one label"), Outcome.NOTHING_TO_LEARN),
        ("train", LeakError("post_likes"), Outcome.FAILED),
        ("challenge", BusyError("a promotion"), Outcome.TRY_AGAIN),
        ("promote", RetryableError("S3 is down"), Outcome.TRY_AGAIN),
    ],
)
def test_an_expected_failure_is_an_outcome_with_its_reason(
    world: World, stage: str, error: Exception, outcome: Outcome
) -> None:
    world.fails[stage] = error
    done = _retrain(promote_too=True)
    assert (done.outcome, done.reason) == (outcome, str(error))
    assert (done.version, done.champion, done.ndcg_10) == ("", "", None)
    assert world.calls[-1][0] == stage  # and nothing is done after it


def test_an_unexpected_failure_is_not_hidden(world: World) -> None:
    world.fails["train"] = ZeroDivisionError("a fault")
    with pytest.raises(ZeroDivisionError):
        _retrain(promote_too=True)


def test_exit_codes_are_those_that_the_command_documents() -> None:
    assert {outcome.name: outcome.exit_code for outcome in Outcome} == {
        "PROMOTED": 0,
        "CHALLENGER": 0,
        "FAILED": 1,
        "REFUSED": 3,
        "NOTHING_TO_LEARN": 4,
        "TRY_AGAIN": 75,
    }


def test_the_json_has_null_for_what_was_not_reached() -> None:
    plain = Retraining(Outcome.TRY_AGAIN, 1.26, "busy").to_json()
    assert plain == {
        "outcome": "try_again",
        "version": None,
        "runId": None,
        "champion": None,
        "ndcg10": None,
        "failedGates": (),
        "reason": "busy",
        "seconds": 1.3,
    }
    done = Retraining(Outcome.PROMOTED, 2.0, version="7", run_id="run", champion="7", ndcg_10=0.7).to_json()
    assert (done["outcome"], done["version"], done["runId"], done["champion"], done["ndcg10"], done["reason"]) == (
        "promoted",
        "7",
        "run",
        "7",
        0.7,
        None,
    )
