"""Moves of the alias `champion`: promotion through the gates, and rollback. One at a time; each one is recorded."""

import getpass
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from psycopg import Connection
from psycopg.rows import DictRow

from photofeed import database
from photofeed.errors import PermanentError
from photofeed.models import history as model_history
from photofeed.models.registry import CHALLENGER, CHAMPION, PREVIOUS, ModelRegistry
from photofeed.models.servable import servable_scorer
from photofeed.settings import Settings
from training.data.sources import Sources
from training.errors import ChampionMovedError, NoPreviousError
from training.promotion import gate_report
from training.promotion.evidence import gather_evidence
from training.promotion.gate_file import load_gates
from training.promotion.result import Promotion
from training.registry.description import with_verdict
from training.registry.tracking import mlflow_client

log = structlog.get_logger(__name__)

PASSED, ROLLED_BACK, RETRAINED = "passed the gates", "rolled back", "retrained"


def promote(
    settings: Settings,
    version: str,
    *,
    force: str | None = None,
    now: datetime | None = None,
    why: str = PASSED,
    move_alias: bool = True,
) -> Promotion:
    """Make `version` (a number or an alias) the champion if it passes all gates, or for the reason in `force`.

    The gates evaluate the version and the current champion again, as of `now`. The report is stored with the run and in
    the tags of the version. The former champion becomes `previous`. With `move_alias=False` the gates are checked and
    no alias moves.

    Raises:
        InvalidError: the gates file is invalid.
        NotFoundError: no such version, or the feature repo was never applied.
        DamagedModelError: the files of the version differ from those that were registered; `force` does not help.
        BusyError: another promotion or rollback of the model is running.
        ChampionMovedError: the champion changed during the evaluation.
        RetryableError: MLflow or object storage does not answer; the champion has not changed.
    """
    gates = load_gates(settings.gates_file)
    with _locked_aliases(settings) as aliases, Sources.open(settings) as sources:
        evidence = gather_evidence(
            settings,
            sources,
            aliases.registry,
            version,
            now or datetime.now(UTC),
            longest_days=gates.evaluation_window.longest_days,
            skew_rows=gates.skew_rows,
        )
        promotion = Promotion(
            version=evidence.bundle.version,
            former=evidence.champion,
            findings=gates.check(evidence),
            evidence=evidence,
            actor=actor(),
            forced=force if move_alias else None,
        )
        _record(aliases.client, settings.model_name, promotion)
        if not (move_alias and promotion.accepted):
            return promotion
        aliases.move_champion(evidence.champion, promotion.version, why if promotion.passed else f"forced: {force}")
    return replace(promotion, moved=True)


def roll_back(settings: Settings, why: str = ROLLED_BACK) -> tuple[str | None, str]:
    """Make the newest former champion that servers can rank with the champion. A second rollback reverts the first.

    The history decides, not the alias `previous`: a champion that was set in MLflow itself is replaced by the one
    before it, and a champion whose version was deleted by the newest one that is left. Versions that servers refuse
    are skipped, and never become `previous`.

    Returns the former champion, None if the alias was gone, and the new one.

    Raises:
        NoPreviousError: there is no earlier champion that servers can rank with.
        BusyError, ChampionMovedError, RetryableError: see `promote`.
    """
    with _locked_aliases(settings) as aliases:
        champion = aliases.registry.current_version(CHAMPION)
        target = next((version for version in aliases.former_champions() if version != champion), None)
        if target is None:
            raise NoPreviousError(
                f"{settings.model_name} has no earlier champion that servers can rank with: see "
                "`photofeed models history`"
            )
        aliases.move_champion(champion, target, why)
    return champion, target


def set_challenger(settings: Settings, version: str, why: str = RETRAINED) -> None:
    """Make a version number the challenger. Servers load it in addition to the champion.

    Raises:
        BusyError, RetryableError: see `promote`.
    """
    with _locked_aliases(settings) as aliases:
        registry = aliases.registry
        aliases.move({CHALLENGER: (registry.current_version(CHALLENGER), version)}, why)


def actor() -> str:
    """The user and host of this process, for the history."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


@dataclass(frozen=True, slots=True)
class _Aliases:
    """The aliases of the model, while its lock is held. A move is recorded and made, or neither."""

    model: str
    client: Any
    registry: ModelRegistry
    connection: Connection[DictRow]
    models_folder: Path

    def move_champion(self, former: str | None, version: str, why: str) -> None:
        """Make `version` the champion and `former` the previous one. `champion` moves last."""
        now = self.registry.current_version(CHAMPION)
        if now != former:
            raise ChampionMovedError(
                f"the champion of {self.model} changed from version {former} to version {now} during this command. No "
                "alias was moved: run it again to compare with the new champion"
            )
        if former == version:
            return  # the champion was evaluated again
        before, now_before = self.registry.current_version(PREVIOUS), self._previous_of(former, version)
        moves: dict[str, tuple[str | None, str | None]] = {}
        if before != now_before:
            moves[PREVIOUS] = (before, now_before)
        self.move(moves | {CHAMPION: (former, version)}, why)

    def former_champions(self) -> Iterator[str]:
        """Versions that were champion, newest first, each once, if they still exist and servers can rank with them.

        The alias `previous` comes last: it is all there is if the history was lost.
        """
        noted = model_history.versions_of(self.connection, self.model, CHAMPION)
        seen = dict.fromkeys([*noted, self.registry.current_version(PREVIOUS)])
        return (version for version in seen if version is not None and self._can_rank(version))

    def _previous_of(self, former: str | None, version: str) -> str | None:
        """What `previous` is once `version` is champion instead of `former`; None for nothing."""
        if former is not None and self._can_rank(former):
            return former
        return next((one for one in self.former_champions() if one not in {former, version}), None)

    def _can_rank(self, version: str) -> bool:
        """Whether servers of this release can rank with a version.

        Raises:
            RetryableError: MLflow or its storage does not answer.
        """
        try:
            bundle = self.registry.fetch(version, self.models_folder)
            servable_scorer(bundle)
        except PermanentError as error:
            log.warning("version passed over", version=version, reason=str(error))
            return False
        return True

    def move(self, moves: Mapping[str, tuple[str | None, str | None]], why: str) -> None:
        """Move aliases, alias -> (former, version or None), in this order. Nothing is recorded if MLflow fails."""
        with self.connection.transaction():
            model_history.record(self.connection, self.model, moves, actor(), why)
            for alias, (_, version) in moves.items():
                if version is None:
                    self.client.delete_registered_model_alias(self.model, alias)
                else:
                    self.client.set_registered_model_alias(self.model, alias, version)


@contextmanager
def _locked_aliases(settings: Settings) -> Iterator[_Aliases]:
    """Hold the lock of the model's aliases: no other photofeed process moves them during the block."""
    work = "a promotion or rollback"
    with (
        model_history.only_one(settings, database.MODEL_MOVES, settings.model_name, work) as connection,
        mlflow_client(settings) as client,
        ModelRegistry.connect(settings) as registry,
    ):
        folder = settings.state_dir / "models"
        yield _Aliases(settings.model_name, client, registry, connection, folder)


def _record(client: Any, name: str, promotion: Promotion) -> None:
    """Store the report with the run, and the outcome in the tags and the description of the version."""
    run_id, at = promotion.evidence.bundle.contract.run_id, promotion.evidence.now.isoformat(timespec="seconds")
    client.log_dict(run_id, gate_report.as_json(promotion), f"promotions/{at}.json")
    client.log_text(run_id, gate_report.as_markdown(promotion), f"promotions/{at}.md")
    outcome = "passed" if promotion.passed else f"failed: {', '.join(promotion.failed)}"
    tags = {"gates": outcome, "gates_at": at, "gates_beside": promotion.former or "no champion"}
    if promotion.forced:
        tags["forced"] = f"{at} {promotion.actor}: {promotion.forced}"
    for key, value in tags.items():
        client.set_model_version_tag(name, promotion.version, key, value)
    version = client.get_model_version(name, promotion.version)
    experiment = client.get_run(run_id).info.experiment_id
    page = f"#/experiments/{experiment}/runs/{run_id}/artifacts/promotions/{at}.md"
    reasons = "; ".join(f"{one.gate}: {one.detail}" for one in promotion.findings if not one.passed)
    verdict = f"failed: {reasons}" if reasons else "passed"
    verdict += f", on {promotion.evidence.now:%Y-%m-%d %H:%M} UTC beside {tags['gates_beside']}"
    verdict += f"; forced: {promotion.forced}" if promotion.forced and not promotion.passed else ""
    described = with_verdict(version.description or "", f"{verdict} ([report]({page})).")
    client.update_model_version(name, promotion.version, described)
