"""Moves of the model's aliases, and rollback: one at a time, each recorded with who made it and why."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from psycopg import Connection
from psycopg.rows import DictRow

from photofeed import database
from photofeed.errors import ConflictError, PermanentError
from photofeed.models import history as model_history
from photofeed.models.registry import CHALLENGER, CHAMPION, PREVIOUS, ModelRegistry
from photofeed.models.servable import servable_scorer
from photofeed.process_actor import actor
from photofeed.settings import Settings

log = structlog.get_logger(__name__)

ROLLED_BACK, RETRAINED = "rolled back", "retrained"


class ChampionMovedError(ConflictError):
    """The champion changed while a version was compared with it."""

    code = "champion_moved"


class NoPreviousError(ConflictError):
    """There is no version to roll back to."""

    code = "no_previous"


def roll_back(settings: Settings, why: str = ROLLED_BACK, by: str | None = None) -> tuple[str | None, str]:
    """Make the newest former champion that servers can rank with the champion. A second rollback reverts the first.

    The history decides, not the alias `previous`: a champion that was set in MLflow itself is replaced by the one
    before it, and a champion whose version was deleted by the newest one that is left. Versions that servers refuse
    are skipped, and never become `previous`.

    Args:
        settings: of the model.
        why: for the history.
        by: who does it, for the history; the user of this process if None.

    Returns the former champion, None if the alias was gone, and the new one.

    Raises:
        NoPreviousError: there is no earlier champion that servers can rank with.
        BusyError: another promotion or rollback of the model is running.
        ChampionMovedError: the champion was moved in MLflow meanwhile.
        RetryableError: MLflow or object storage does not answer; the champion has not changed.
    """
    with locked_aliases(settings, by) as aliases:
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
        BusyError, RetryableError: see `roll_back`.
    """
    with locked_aliases(settings) as aliases:
        registry = aliases.registry
        aliases.move({CHALLENGER: (registry.current_version(CHALLENGER), version)}, why)


@dataclass(frozen=True, slots=True)
class Aliases:
    """The aliases of the model, while its lock is held. A move is recorded and made, or neither."""

    model: str
    registry: ModelRegistry
    connection: Connection[DictRow]
    models_folder: Path
    actor: str

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
            model_history.record(self.connection, self.model, moves, self.actor, why)
            for alias, (_, version) in moves.items():
                if version is None:
                    self.registry.delete_alias(alias)
                else:
                    self.registry.set_alias(alias, version)


@contextmanager
def locked_aliases(settings: Settings, by: str | None = None) -> Iterator[Aliases]:
    """Hold the lock of the model's aliases: no other photofeed process moves them during the block.

    Raises:
        BusyError: another process holds it.
    """
    work = "a promotion or rollback"
    with (
        model_history.only_one(settings, database.MODEL_MOVES, settings.model_name, work) as connection,
        ModelRegistry.connect(settings) as registry,
    ):
        yield Aliases(settings.model_name, registry, connection, settings.state_dir / "models", by or actor())
