"""Moving `champion`: forward through the gates, back in one step, one move at a time, each of them written down."""

import getpass
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow

from photofeed import database, model_history
from photofeed.model_contract import CHALLENGER, CHAMPION, PREVIOUS, ModelRegistry
from photofeed.settings import Settings
from training import gate_report
from training.errors import ChampionMovedError, NoPreviousError
from training.evidence import gather
from training.gate_file import load_gates
from training.promotion import Promotion
from training.sources import Sources
from training.tracking import mlflow_client

PASSED, ROLLED_BACK, RETRAINED = "passed the gates", "rolled back", "trained anew"


def promote(
    settings: Settings,
    version: str,
    *,
    force: str | None = None,
    now: datetime | None = None,
    why: str = PASSED,
    moves: bool = True,
) -> Promotion:
    """Make `version` (a number or an alias) the champion if it passes all gates, or for the reason `force` gives.

    The gates are judged anew, beside the champion of this moment, as of `now`; the report is kept with the run and in
    the version's tags; the former champion becomes `previous`. `moves=False` only judges.

    Raises:
        InvalidError: the file of gates is wrong.
        NotFoundError: no such version, or the feature repo was never applied.
        DamagedModelError: the version's files are not those that were registered; no reason forces that.
        BusyError: another promotion or rollback of the model is going on.
        ChampionMovedError: the model got another champion while the version was judged beside the former.
        RetryableError: MLflow or object storage does not answer; the champion is who it was.
    """
    gates = load_gates(settings.gates_file)
    with _moving(settings) as aliases, Sources.open(settings) as sources:
        evidence = gather(
            settings,
            sources,
            aliases.registry,
            version,
            now or datetime.now(UTC),
            longest_days=gates.judged.longest_days,
            skew_rows=gates.skew_rows,
        )
        promotion = Promotion(
            version=evidence.bundle.version,
            former=evidence.champion,
            findings=gates.check(evidence),
            evidence=evidence,
            actor=actor(),
            forced=force if moves else None,
        )
        _record(aliases.client, settings.model_name, promotion)
        if not (moves and promotion.accepted):
            return promotion
        aliases.move_champion(evidence.champion, promotion.version, why if promotion.passed else f"forced: {force}")
    return replace(promotion, moved=True)


def roll_back(settings: Settings, why: str = ROLLED_BACK) -> tuple[str, str]:
    """Swap `champion` and `previous`, so that a second rollback takes the first back.

    A champion that was moved in MLflow itself gives way to the one before it: `previous` knows nothing of such moves.

    Returns the version that was champion and the one that is.

    Raises:
        NoPreviousError: nothing was promoted before the champion.
        BusyError, ChampionMovedError, RetryableError: see `promote`.
    """
    with _moving(settings) as aliases:
        registry = aliases.registry
        champion = registry.current_version(CHAMPION)
        previous = aliases.moved_away_outside(champion) or registry.current_version(PREVIOUS)
        if champion is None or previous is None:
            raise NoPreviousError(f"{settings.model_name} has no {PREVIOUS} version to roll back to")
        aliases.move_champion(champion, previous, why)
    return champion, previous


def challenge(settings: Settings, version: str, why: str = RETRAINED) -> None:
    """Make a version number the challenger: servers load it beside the champion.

    Raises:
        BusyError, RetryableError: see `promote`.
    """
    with _moving(settings) as aliases:
        registry = aliases.registry
        aliases.move({CHALLENGER: (registry.current_version(CHALLENGER), version)}, why)


def actor() -> str:
    """Who runs this process, for the history."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


@dataclass(frozen=True, slots=True)
class _Aliases:
    """The aliases of the model, for whoever holds its lock: moved and written down, or neither."""

    model: str
    client: Any
    registry: ModelRegistry
    connection: Connection[DictRow]

    def move_champion(self, former: str | None, version: str, why: str) -> None:
        """Make `version` champion and `former` the previous one; `champion` moves last."""
        now = self.registry.current_version(CHAMPION)
        if now != former:
            raise ChampionMovedError(
                f"version {now} became champion of {self.model} meanwhile, not {former} any more: nothing was moved; "
                "ask again, so that the gates compare with it"
            )
        if former == version:
            return  # judged once more: nothing moves
        moves: dict[str, tuple[str | None, str]] = {}
        if former is not None:
            moves[PREVIOUS] = (self.registry.current_version(PREVIOUS), former)
        self.move(moves | {CHAMPION: (former, version)}, why)

    def moved_away_outside(self, champion: str | None) -> str | None:
        """Whom `champion` took the place of in MLflow itself; None where it did not come to stand there so."""
        known = model_history.recorded_aliases(self.connection, self.model).get(CHAMPION)
        if known != champion:  # moved so lately that no server has noted it
            return known
        newest = model_history.newest_move(self.connection, self.model, CHAMPION)
        return newest.former if newest and newest.actor == model_history.OUTSIDE else None

    def move(self, moves: Mapping[str, tuple[str | None, str]], why: str) -> None:
        """Move aliases, alias -> (former, version), in their order; nothing is written down if MLflow fails."""
        with self.connection.transaction():
            model_history.record(self.connection, self.model, moves, actor(), why)
            for alias, (_, version) in moves.items():
                self.client.set_registered_model_alias(self.model, alias, version)


@contextmanager
def _moving(settings: Settings) -> Iterator[_Aliases]:
    """Nobody else moves an alias of the model by this program while the block runs."""
    work = "a promotion or rollback"
    with (
        model_history.only_one(settings, database.MODEL_MOVES, settings.model_name, work) as connection,
        mlflow_client(settings) as client,
        ModelRegistry.connect(settings) as registry,
    ):
        yield _Aliases(settings.model_name, client, registry, connection)


def _record(client: Any, name: str, promotion: Promotion) -> None:
    """Keep the report with the run, what it came to with the version."""
    run_id, at = promotion.evidence.bundle.contract.run_id, promotion.evidence.now.isoformat(timespec="seconds")
    client.log_dict(run_id, gate_report.as_json(promotion), f"promotions/{at}.json")
    client.log_text(run_id, gate_report.as_markdown(promotion), f"promotions/{at}.md")
    outcome = "passed" if promotion.passed else f"failed: {', '.join(promotion.failed)}"
    tags = {"gates": outcome, "gates_at": at, "gates_beside": promotion.former or "no champion"}
    if promotion.forced:
        tags["forced"] = f"{at} {promotion.actor}: {promotion.forced}"
    for key, value in tags.items():
        client.set_model_version_tag(name, promotion.version, key, value)
