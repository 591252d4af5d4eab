"""Which aliases a promotion moves, in which order, and what it records. MLflow and PostgreSQL are replaced by lists."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from photofeed.models import alias_moves, history
from photofeed.models.alias_moves import (
    ROLLED_BACK,
    Aliases,
    ChampionMovedError,
    NoPreviousError,
    roll_back,
    set_challenger,
)
from photofeed.models.registry import CHALLENGER, CHAMPION, PREVIOUS, NoContractError
from photofeed.process_actor import actor
from training.data.sources import Sources
from training.promotion import promote as module
from training.promotion.evidence import Evidence
from training.promotion.gates import Finding
from training.promotion.promote import PASSED, promote
from training.promotion.result import Promotion

NOW = datetime(2026, 3, 20, tzinfo=UTC)
SETTINGS: Any = SimpleNamespace(gates_file=None, model_name="ranker")


@dataclass
class World:
    """MLflow's aliases, the recorded history, and the evidence and findings of the next promotion."""

    evidence: Evidence
    aliases: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=lambda: [Finding("floor", True, "0.7")])
    champions: list[str] = field(default_factory=list)  # of the history, the latest first
    unfit: set[str] = field(default_factory=set)  # versions without a contract, or deleted
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    description: str | None = "NDCG@10 0.7"
    artifacts: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, Any] = field(default_factory=dict)

    # the registry
    def current_version(self, alias: str) -> str | None:
        return self.aliases.get(alias)

    def fetch(self, version: str, _: Path) -> None:
        if version in self.unfit:
            raise NoContractError(f"ranker version {version} has no contract")

    def delete_alias(self, alias: str) -> None:
        self.calls.append(("delete", alias))
        del self.aliases[alias]

    def set_alias(self, alias: str, version: str) -> None:
        self.calls.append(("move", alias, version))
        self.aliases[alias] = version

    # MLflow's client
    def set_model_version_tag(self, name: str, version: str, key: str, value: str) -> None:
        assert (name, version) == ("ranker", "2")
        self.tags[key] = value

    def get_model_version(self, name: str, version: str) -> Any:
        assert (name, version) == ("ranker", "2")
        return SimpleNamespace(description=self.description)

    def get_run(self, run_id: str) -> Any:
        return SimpleNamespace(info=SimpleNamespace(experiment_id=f"of-{run_id}"))

    def update_model_version(self, name: str, version: str, description: str) -> None:
        assert (name, version) == ("ranker", "2")
        self.description = description

    def log_dict(self, run_id: str, content: dict[str, Any], path: str) -> None:
        assert run_id == "run"
        self.artifacts[path] = content

    def log_text(self, run_id: str, content: str, path: str) -> None:
        assert run_id == "run"
        self.artifacts[path] = content

    # the history
    def record(self, _: object, model: str, moved: Any, who: str, why: str) -> None:
        assert (model, who) == ("ranker", actor())
        self.calls.append(("record", dict(moved), why))

    # what promote asks for
    @contextmanager
    def locked(self, _: object, by: str | None = None) -> Iterator[Any]:
        registry: Any = self
        connection: Any = SimpleNamespace(transaction=nullcontext)
        yield Aliases("ranker", registry, connection, Path("models"), by or actor())

    def gather(
        self, _settings: object, _sources: object, _registry: object, version: str, now: datetime, **more: Any
    ) -> Evidence:
        self.asked = {"version": version, "now": now, **more}
        return replace(self.evidence, now=now, champion=self.aliases.get(CHAMPION))

    def load_gates(self, _: object) -> Any:
        window = SimpleNamespace(longest_days=5.0)
        return SimpleNamespace(evaluation_window=window, skew_rows=17, check=lambda _: self.findings)


@pytest.fixture
def world(evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(replace(evidence, bundle=replace(evidence.bundle, version="2")))
    for moves in (module, alias_moves):
        monkeypatch.setattr(moves, "locked_aliases", made.locked)
    monkeypatch.setattr(module, "mlflow_client", lambda _: nullcontext(made))
    monkeypatch.setattr(module, "gather_evidence", made.gather)
    monkeypatch.setattr(module, "load_gates", made.load_gates)
    monkeypatch.setattr(Sources, "open", lambda _: nullcontext())
    monkeypatch.setattr(history, "record", made.record)
    monkeypatch.setattr(history, "versions_of", lambda *_: made.champions)
    monkeypatch.setattr(alias_moves, "servable_scorer", lambda *_: None)
    return made


def _promote(**options: Any) -> Promotion:
    return promote(SETTINGS, "2", now=NOW, **options)


def test_the_former_champion_becomes_previous_and_the_champion_moves_last(world: World) -> None:
    world.aliases = {CHAMPION: "1", PREVIOUS: "0"}
    done = _promote()
    assert (done.moved, done.former, done.version, done.passed) == (True, "1", "2", True)
    assert world.calls == [
        ("record", {PREVIOUS: ("0", "1"), CHAMPION: ("1", "2")}, PASSED),
        ("move", PREVIOUS, "1"),
        ("move", CHAMPION, "2"),
    ]
    assert world.tags == {"gates": "passed", "gates_at": "2026-03-20T00:00:00+00:00", "gates_beside": "1"}


def test_the_first_champion_has_no_previous(world: World) -> None:
    assert _promote(why="retrained").moved
    assert world.calls == [("record", {CHAMPION: (None, "2")}, "retrained"), ("move", CHAMPION, "2")]
    assert world.tags["gates_beside"] == "no champion"


def test_gates_and_time_are_those_of_the_caller(world: World) -> None:
    _promote()
    assert world.asked == {"version": "2", "now": NOW, "longest_days": 5.0, "skew_rows": 17}
    assert set(world.artifacts) == {f"promotions/2026-03-20T00:00:00+00:00.{kind}" for kind in ("json", "md")}
    assert world.artifacts["promotions/2026-03-20T00:00:00+00:00.json"]["version"] == "2"
    before = datetime.now(UTC)
    promote(SETTINGS, "2")
    assert before <= world.asked["now"] <= datetime.now(UTC)


def test_a_version_that_fails_one_gate_moves_nothing(world: World) -> None:
    world.aliases = {CHAMPION: "1"}
    world.findings.append(Finding("drift", False, "62%"))
    done = _promote()
    assert (done.moved, done.passed, done.failed) == (False, False, ("drift",))
    assert world.calls == []
    assert world.tags["gates"] == "failed: drift"
    assert world.description is not None
    assert world.description.startswith("NDCG@10 0.7\n\nGates: failed: drift: 62%, on 2026-03-20 00:00 UTC beside 1 ([")
    assert "forced" not in world.tags
    assert world.artifacts  # the report of a refusal is kept, too


def test_a_forced_promotion_records_who_and_why(world: World) -> None:
    world.findings.append(Finding("drift", False, "62%"))
    done = _promote(force="rehearsal")
    assert (done.moved, done.passed, done.forced) == (True, False, "rehearsal")
    assert world.calls[0][-1] == "forced: rehearsal"
    assert world.tags["forced"] == f"2026-03-20T00:00:00+00:00 {actor()}: rehearsal"
    assert world.description is not None
    assert "; forced: rehearsal ([report](" in world.description


def test_force_that_was_not_needed_is_no_reason_of_the_move(world: World) -> None:
    assert _promote(force="rehearsal").moved
    assert world.calls[0][-1] == PASSED
    assert world.description is not None
    assert "forced" not in world.description


@pytest.mark.parametrize("passes", [True, False])
def test_without_moving_aliases_only_the_report_is_written(world: World, passes: bool) -> None:
    world.findings = [Finding("floor", passes, "")]
    done = _promote(move_alias=False, force="rehearsal")
    assert (done.moved, done.forced) == (False, None)
    assert world.calls == []
    assert world.artifacts


def test_a_champion_that_is_promoted_again_moves_nothing(world: World) -> None:
    world.aliases = {CHAMPION: "2", PREVIOUS: "1"}
    assert _promote().moved
    assert world.calls == []


def test_a_champion_that_changed_meanwhile_stops_the_promotion(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.aliases = {CHAMPION: "1"}
    monkeypatch.setattr(module, "gather_evidence", lambda *_, **__: replace(world.evidence, champion="0"))
    with pytest.raises(ChampionMovedError, match="changed from version 0 to version 1"):
        _promote()
    assert world.calls == []


def test_a_rollback_swaps_champion_and_previous(world: World) -> None:
    world.aliases, world.champions = {CHAMPION: "2", PREVIOUS: "1"}, ["2", "1"]
    assert roll_back(SETTINGS) == ("2", "1")
    assert world.calls == [
        ("record", {PREVIOUS: ("1", "2"), CHAMPION: ("2", "1")}, ROLLED_BACK),
        ("move", PREVIOUS, "2"),
        ("move", CHAMPION, "1"),
    ]


@pytest.mark.parametrize("aliases", [{}, {CHAMPION: "2"}, {CHAMPION: "2", PREVIOUS: "2"}])
def test_a_rollback_needs_an_earlier_champion(world: World, aliases: dict[str, str]) -> None:
    world.aliases, world.champions = dict(aliases), list(aliases.values())[:1]
    with pytest.raises(NoPreviousError, match="ranker has no earlier champion"):
        roll_back(SETTINGS)
    assert world.calls == []


def test_a_champion_set_in_mlflow_gives_way_to_the_one_before_it(world: World) -> None:
    world.aliases, world.champions = {CHAMPION: "9", PREVIOUS: "1"}, ["2", "1"]  # nobody has recorded the move yet
    assert roll_back(SETTINGS) == ("9", "2")


def test_a_version_that_servers_refuse_never_becomes_previous_nor_champion_again(world: World) -> None:
    world.aliases, world.champions, world.unfit = {CHAMPION: "4", PREVIOUS: "2"}, ["4", "3", "2", "1"], {"4", "3"}
    assert roll_back(SETTINGS) == ("4", "2")
    assert world.aliases == {CHAMPION: "2", PREVIOUS: "1"}
    world.champions = ["2", "4", "3", "1"]
    assert roll_back(SETTINGS) == ("2", "1")


def test_previous_is_taken_away_if_no_other_version_can_rank(world: World) -> None:
    world.aliases, world.champions, world.unfit = {CHAMPION: "4", PREVIOUS: "1"}, ["4", "1"], {"4"}
    assert roll_back(SETTINGS) == ("4", "1")
    assert world.aliases == {CHAMPION: "1"}


def test_a_rollback_repairs_a_champion_that_was_deleted_in_mlflow(world: World) -> None:
    world.aliases, world.champions, world.unfit = {PREVIOUS: "1"}, ["3", "2", "1"], {"3"}
    assert roll_back(SETTINGS) == (None, "2")
    assert world.aliases == {CHAMPION: "2", PREVIOUS: "1"}


def test_without_a_history_the_alias_previous_is_what_there_is(world: World) -> None:
    world.aliases = {CHAMPION: "2", PREVIOUS: "1"}
    assert roll_back(SETTINGS) == ("2", "1")


def test_a_champion_that_servers_refuse_does_not_become_previous_by_a_promotion(world: World) -> None:
    world.aliases, world.champions, world.unfit = {CHAMPION: "4", PREVIOUS: "1"}, ["4", "1"], {"4"}
    assert _promote().moved
    assert world.aliases == {CHAMPION: "2", PREVIOUS: "1"}


def test_a_challenger_replaces_the_one_before(world: World) -> None:
    world.aliases = {CHALLENGER: "1"}
    set_challenger(SETTINGS, "2", "a test")
    assert world.calls == [("record", {CHALLENGER: ("1", "2")}, "a test"), ("move", CHALLENGER, "2")]


def test_a_promotion_is_accepted_if_every_gate_passed_or_a_reason_was_given(evidence: Evidence) -> None:
    passed, failed = Finding("a", True, ""), Finding("b", False, "")
    promotion = Promotion("2", None, [passed, failed], evidence, "me")
    assert (promotion.passed, promotion.accepted) == (False, False)
    assert replace(promotion, forced="").accepted is False
    assert replace(promotion, forced="why").accepted
    assert replace(promotion, findings=[passed]).accepted
