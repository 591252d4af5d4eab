"""What those who run photofeed see and do: systems, workers, the registered model, and dead letters.

All methods block, for as long as the systems take; requests call them in threads.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from photofeed import database
from photofeed.database import RELAY_LEADER
from photofeed.dead_letters import DeadLetter, DeadLetters
from photofeed.doctor.finding import Finding
from photofeed.errors import NotFoundError
from photofeed.kafka_groups import GroupState, group_states
from photofeed.models.alias_moves import ROLLED_BACK, roll_back
from photofeed.models.history import Move, moves
from photofeed.models.registry import GateReport, ModelRegistry
from photofeed.settings import Settings

_OUTBOX = """
select (select count(*) from outbox)::int as waiting,
       exists (select from pg_locks where locktype = 'advisory' and granted and objsubid = 1 and classid = 0
               and objid = %s and database = (select oid from pg_database where datname = current_database())) as led
"""


@dataclass(frozen=True, slots=True)
class OutboxState:
    """The outbox: messages that wait in PostgreSQL, and whether a relay is there to publish them."""

    waiting: int
    has_relay: bool


@dataclass(frozen=True, slots=True)
class Operations:
    """Reads the systems of the settings, and changes the champion and dead letters."""

    settings: Settings
    registry: ModelRegistry
    letters: DeadLetters

    def systems(self) -> list[Finding]:
        """What `photofeed doctor` finds."""
        from photofeed.doctor.checkup import examine  # noqa: PLC0415  imports Kafka's admin client

        return list(examine(self.settings))

    def workers(self) -> list[GroupState]:
        """The consumer groups of the workers.

        Raises:
            UnavailableError: Kafka does not answer.
        """
        return group_states(self.settings)

    def outbox(self) -> OutboxState:
        """The outbox.

        Raises:
            psycopg.Error: PostgreSQL does not answer.
        """
        with database.connect(self.settings) as connection:
            row = connection.execute(_OUTBOX, (RELAY_LEADER,)).fetchone()
        return OutboxState(row["waiting"], row["led"]) if row else OutboxState(0, has_relay=False)

    def gates(self, version: str) -> GateReport | None:
        """What the gates said about a version; None if it was deleted.

        Raises:
            RetryableError: MLflow does not answer.
        """
        try:
            return self.registry.gates(version)
        except NotFoundError:
            return None

    def moves(self, limit: int) -> list[Move]:
        """The latest moves of the model's aliases, newest first."""
        return moves(self.settings, self.settings.model_name, limit=limit)

    def roll_back(self, by: str, reason: str) -> tuple[str | None, str]:
        """Make the former champion the champion again, as `photofeed rollback` does; see `roll_back` there."""
        return roll_back(self.settings, why=reason or ROLLED_BACK, by=by)

    def waiting_letters(self) -> Sequence[DeadLetter]:
        """Dead letters that have not been replayed, oldest first.

        Raises:
            UnavailableError: Kafka does not answer.
        """
        return self.letters.waiting()

    def replay(self, letter_id: str, by: str) -> None:
        """Replay a dead letter.

        Raises:
            NotFoundError: it does not exist, or was replayed.
            UnavailableError: Kafka does not answer.
        """
        self.letters.replay_waiting(self.settings, by, letter_id=letter_id)
