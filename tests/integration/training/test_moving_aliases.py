"""Promotions, rollbacks and their history on the real MLflow and PostgreSQL."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest

from photofeed import database
from photofeed.errors import NotFoundError
from photofeed.models.alias_moves import ChampionMovedError, locked_aliases, roll_back, set_challenger
from photofeed.models.history import OUTSIDE, BusyError, moves, note_outside_moves, only_one
from photofeed.models.registry import (
    CHALLENGER,
    CHAMPION,
    FORCED,
    GATES,
    GATES_AT,
    PREVIOUS,
    GateFinding,
    GateReport,
    ModelRegistry,
    NoContractError,
    report_path,
)
from photofeed.process_actor import actor

if TYPE_CHECKING:
    from tests.integration.conftest import Models

HOLDER = """
import sys
from photofeed import database
from photofeed.models.history import only_one
from photofeed.settings import Settings
with only_one(Settings(database_url=sys.argv[1]), database.MODEL_MOVES, sys.argv[2], "a promotion"):
    print("held", flush=True)
    sys.stdin.read()
"""


def _history(models: "Models") -> list[tuple[str, str | None, str | None, str]]:
    found = moves(models.settings, models.settings.model_name)
    return [(move.alias, move.former, move.version, move.actor) for move in reversed(found)]


def _move_champion(models: "Models", former: str | None, version: str) -> None:
    with locked_aliases(models.settings) as aliases:
        aliases.move_champion(former, version, "because")


def test_every_move_is_written_down_with_who_and_why(models: "Models") -> None:
    first, second = models.register(seed=1), models.register(seed=2)
    _move_champion(models, None, first)
    _move_champion(models, first, second)
    assert roll_back(models.settings) == (second, first)
    set_challenger(models.settings, second)
    assert roll_back(models.settings, by="an admin") == (first, second)
    me = actor()
    assert _history(models) == [
        (CHAMPION, None, first, me),
        (PREVIOUS, None, first, me),
        (CHAMPION, first, second, me),
        (PREVIOUS, first, second, me),
        (CHAMPION, second, first, me),
        (CHALLENGER, None, second, me),
        (PREVIOUS, second, first, "an admin"),
        (CHAMPION, first, second, "an admin"),
    ]
    why = [move.reason for move in moves(models.settings, models.settings.model_name, CHAMPION)]
    assert why == ["rolled back", "rolled back", "because", "because"]


def test_what_was_moved_or_taken_away_in_mlflow_is_noted_once(models: "Models") -> None:
    version, name = models.register(), models.settings.model_name
    _move_champion(models, None, version)
    models.point(PREVIOUS, version)
    seen = {CHAMPION: version, PREVIOUS: version}
    assert note_outside_moves(models.settings, name, seen) == {PREVIOUS: version}
    assert note_outside_moves(models.settings, name, seen) == {}
    assert note_outside_moves(models.settings, name, {PREVIOUS: version}) == {CHAMPION: None}
    assert _history(models)[1:] == [(PREVIOUS, None, version, OUTSIDE), (CHAMPION, version, None, OUTSIDE)]


def test_a_champion_that_passes_once_more_has_not_moved(models: "Models") -> None:
    version = models.register()
    _move_champion(models, None, version)
    _move_champion(models, version, version)
    assert len(_history(models)) == 1


def test_a_rollback_takes_back_a_move_that_was_made_in_mlflow(models: "Models") -> None:
    first, second, third = (models.register(seed=seed) for seed in range(3))
    _move_champion(models, None, first)
    _move_champion(models, first, second)
    models.point(CHAMPION, third)
    note_outside_moves(models.settings, models.settings.model_name, {CHAMPION: third, PREVIOUS: first})
    assert roll_back(models.settings) == (third, second)
    assert roll_back(models.settings) == (second, third)
    models.point(CHAMPION, first)  # and nobody has noted it yet
    assert roll_back(models.settings) == (first, third)


def test_nobody_rewrites_history(models: "Models") -> None:
    _move_champion(models, None, models.register())
    before = _history(models)
    with database.connect(models.settings) as connection:
        for change in ("update model_moves set actor = 'nobody'", "delete from model_moves", "truncate model_moves"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
                connection.execute(change)
    assert _history(models) == before


def test_of_two_promotions_at_once_one_wins_and_the_other_is_told(models: "Models") -> None:
    version, settings = models.register(), models.settings
    url = settings.database_url.get_secret_value()
    command = (sys.executable, "-c", HOLDER, url, settings.model_name)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:  # noqa: S603
        assert other.stdin
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BusyError, match="already running elsewhere"):
            set_challenger(settings, version)
        assert note_outside_moves(settings, settings.model_name, {CHAMPION: version}) is None
        other.stdin.close()
    assert _history(models) == []
    set_challenger(settings, version)
    with only_one(settings, database.MODEL_MOVES, "another-model", "a promotion"):
        set_challenger(settings, version)  # models do not wait for each other


def test_a_move_waits_while_a_server_notes_another(models: "Models") -> None:
    version, settings = models.register(), models.settings
    lock = (database.MODEL_MOVES, settings.model_name)
    with ThreadPoolExecutor(1) as thread, closing(database.connect(settings)) as server:
        server.execute("select pg_advisory_lock(%s, hashtext(%s))", lock)
        moving = thread.submit(set_challenger, settings, version)
        blocked = "select from pg_locks where locktype = 'advisory' and classid = %s and not granted"
        while not moving.done() and not server.execute(blocked, (database.MODEL_MOVES,)).fetchall():
            pass
        server.execute("select pg_advisory_unlock(%s, hashtext(%s))", lock)
        moving.result()
    assert [(alias, new) for alias, _, new, _ in _history(models)] == [(CHALLENGER, version)]


def test_a_champion_that_moved_meanwhile_stops_the_promotion(models: "Models") -> None:
    first, second, third = (models.register(seed=seed) for seed in range(3))
    _move_champion(models, None, first)
    with locked_aliases(models.settings) as aliases:
        models.point(CHAMPION, third)
        with pytest.raises(ChampionMovedError, match="changed from version 1 to version 3"):
            aliases.move_champion(first, second, "judged beside the first")
    with ModelRegistry.connect(models.settings) as registry:
        assert registry.aliases() == {CHAMPION: third}


def test_nothing_is_written_down_of_a_move_that_mlflow_did_not_make(models: "Models") -> None:
    with pytest.raises(NotFoundError, match=r"MLflow has no .* 99"):
        _move_champion(models, None, "99")
    assert _history(models) == []


def test_the_registry_says_what_the_gates_found(models: "Models") -> None:
    version, name = models.register(), models.settings.model_name
    run_id = models.client.get_model_version(name, version).run_id
    with ModelRegistry.connect(models.settings) as registry:
        assert registry.gates(version) == GateReport(run_id)
        at = "2026-03-20T00:00:00+00:00"
        for key, value in ((GATES, "failed: drift"), (GATES_AT, at), (FORCED, "me: a rehearsal")):
            models.client.set_model_version_tag(name, version, key, value)
        assert registry.gates(version) == GateReport(run_id, "failed: drift", at, "me: a rehearsal")
        report = {"findings": [{"gate": "drift", "passed": False, "detail": "62%"}]}
        models.client.log_dict(run_id, report, report_path(at))
        assert registry.gates(version).findings == (GateFinding("drift", False, "62%"),)
        with pytest.raises(NotFoundError, match="99"):
            registry.gates("99")


def test_a_version_that_was_copied_from_another_model_is_served(models: "Models") -> None:
    """A team registers in a model of its own, and promotes with MLflow's copy_model_version."""
    own = f"{models.settings.model_name}-of-a-team"
    models.client.create_registered_model(own)
    elsewhere = replace(models, settings=models.settings.model_copy(update={"model_name": own}))
    number = elsewhere.register()
    copied = models.client.copy_model_version(f"models:/{own}/{number}", models.settings.model_name).version
    _move_champion(models, None, copied)
    with ModelRegistry.connect(models.settings) as registry:
        bundle = registry.fetch(CHAMPION, models.settings.state_dir / "models")
    assert (bundle.version, bundle.contract.model_name) == (copied, own)

    run = models.client.create_run(models.client.get_experiment_by_name("Default").experiment_id)
    models.client.log_text(run.info.run_id, "no contract", "model/model.lgb")
    plain = models.client.create_model_version(own, f"{run.info.artifact_uri}/model", run.info.run_id).version
    copied = models.client.copy_model_version(f"models:/{own}/{plain}", models.settings.model_name).version
    with ModelRegistry.connect(models.settings) as registry, pytest.raises(NoContractError, match=f"version {copied}"):
        registry.fetch(copied, models.settings.state_dir / "models")
