"""Moving `champion`: forward through the gates, back in one step, one move at a time, each of them written down."""

import getpass
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow

from photofeed import database, model_history
from photofeed.feature_store import load_manifest
from photofeed.model_contract import CHALLENGER, CHAMPION, PREVIOUS, ModelRegistry
from photofeed.object_store import S3ObjectStore
from photofeed.settings import Settings
from training.errors import ChampionMovedError, NoPreviousError
from training.gates import Candidate, Finding, check_gates
from training.tracking import mlflow_client

PASSED, ROLLED_BACK, RETRAINED = "passed the gates", "rolled back", "trained anew"


@dataclass(frozen=True, slots=True)
class Promotion:
    """What came of asking for a promotion. `moved` tells whether the version is champion now."""

    version: str
    former: str | None
    findings: Sequence[Finding]
    moved: bool
    forced: str | None = None

    @property
    def passed(self) -> bool:
        """Whether every gate was passed."""
        return all(finding.passed for finding in self.findings)


def promote(settings: Settings, version: str, *, force: str | None = None) -> Promotion:
    """Make `version` (a number or an alias) the champion if it passes all gates, or for the reason `force` gives.

    The report is kept with the run and in the version's tags; the former champion becomes `previous`.

    Raises:
        NotFoundError: no such version, or the feature repo was never applied.
        BusyError: another promotion or rollback of the model is going on.
        ChampionMovedError: the model got another champion while the version was judged beside the former.
        RetryableError: MLflow or object storage does not answer.
    """
    with _moving(settings) as aliases:
        registry = aliases.registry
        former = registry.current_version(CHAMPION)
        bundle = registry.fetch(version, settings.state_dir / "models")
        run = aliases.client.get_run(bundle.contract.run_id)
        served = load_manifest(settings, S3ObjectStore.connect(settings))
        findings = check_gates(Candidate(bundle, run.data.metrics, served))
        promotion = Promotion(bundle.version, former, findings, all(f.passed for f in findings) or bool(force), force)
        _record(aliases.client, settings.model_name, bundle.contract.run_id, promotion)
        if promotion.moved:
            aliases.move_champion(former, bundle.version, PASSED if promotion.passed else f"forced: {force}")
    return promotion


def roll_back(settings: Settings, why: str = ROLLED_BACK) -> tuple[str, str]:
    """Swap `champion` and `previous`, so that a second rollback takes the first back.

    Returns the version that was champion and the one that is.

    Raises:
        NoPreviousError: nothing was promoted before the champion.
        BusyError, ChampionMovedError, RetryableError: see `promote`.
    """
    with _moving(settings) as aliases:
        registry = aliases.registry
        champion, previous = registry.current_version(CHAMPION), registry.current_version(PREVIOUS)
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
        moves: dict[str, tuple[str | None, str]] = {}
        if former is not None and former != version:
            moves[PREVIOUS] = (self.registry.current_version(PREVIOUS), former)
        self.move(moves | {CHAMPION: (former, version)}, why)

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


def _record(client: Any, name: str, run_id: str, promotion: Promotion) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    client.log_dict(run_id, {"at": now, **asdict(promotion)}, f"promotions/{now}.json")
    failed = ", ".join(finding.gate for finding in promotion.findings if not finding.passed)
    client.set_model_version_tag(name, promotion.version, "gates", f"failed: {failed}" if failed else "passed")
    if promotion.forced:
        client.set_model_version_tag(name, promotion.version, "forced", f"{now} {promotion.forced}")
