"""The append-only history of model aliases: which version an alias had when, who moved it, and why.

A process that moves an alias holds the model's lock until the move is recorded. Every server that reads aliases takes
the lock to record changes that are missing in the history: those were made in MLflow itself.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from psycopg import Connection
from psycopg.errors import LockNotAvailable
from psycopg.rows import DictRow, class_row

from photofeed import database
from photofeed.errors import ConflictError
from photofeed.settings import Settings

AliasChanges: TypeAlias = Mapping[str, tuple[str | None, str | None]]  # alias -> (former, version)

OUTSIDE = "outside photofeed"
UNEXPLAINED = "moved in MLflow"
_NOTING_SECONDS = 3  # servers hold the lock for a moment when they note a move; only longer work keeps others out


class BusyError(ConflictError):
    """Another process does the same work at the moment."""

    code = "busy"


@dataclass(frozen=True, slots=True)
class Move:
    """An alias of `model` moved from version `former` to `version`; None stands for no version."""

    at: datetime
    model: str
    alias: str
    version: str | None
    former: str | None
    actor: str
    reason: str


@contextmanager
def only_one(settings: Settings, lock: int, model: str, work: str) -> Iterator[Connection[DictRow]]:
    """Hold one of the locks of `photofeed.database` for this model while the block runs; yields the connection.

    Raises:
        BusyError: another process holds it, for longer than a server needs to note a move.
    """
    with database.connect(settings) as connection:
        if not _won_in_time(connection, lock, model):
            raise BusyError(f"{work} of {model} is already running elsewhere: try again when it has finished")
        yield connection


def record(connection: Connection[DictRow], model: str, changes: AliasChanges, actor: str, why: str) -> None:
    """Record moves, in the caller's transaction if there is one."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into model_moves (model, alias, former, version, actor, reason) values (%s, %s, %s, %s, %s, %s)",
            [(model, alias, former, version, actor, why) for alias, (former, version) in changes.items()],
        )


def note_outside_moves(settings: Settings, model: str, aliases: Mapping[str, str]) -> dict[str, str | None] | None:
    """Record every difference between `aliases`, all aliases of the model now, and the history.

    Returns the recorded changes, alias -> version; None if another process is moving aliases: try again later.
    """
    with database.connect(settings) as connection:
        if not _won(connection, database.MODEL_MOVES, model):
            return None
        known = recorded_aliases(connection, model)
        changed = {
            alias: (known.get(alias), aliases.get(alias))
            for alias in sorted(aliases.keys() | known.keys())
            if known.get(alias) != aliases.get(alias)
        }
        record(connection, model, changed, OUTSIDE, UNEXPLAINED)
        return {alias: version for alias, (_, version) in changed.items()}


def recorded_aliases(connection: Connection[DictRow], model: str) -> dict[str, str]:
    """Alias -> version according to the history."""
    newest = "select distinct on (alias) alias, version from model_moves where model = %s order by alias, id desc"
    return {row["alias"]: row["version"] for row in connection.execute(newest, (model,)) if row["version"] is not None}


def moves(settings: Settings, model: str, alias: str | None = None, limit: int = 100) -> list[Move]:
    """The latest moves, newest first, of one alias or of all."""
    with database.connect(settings) as connection:
        return _newest(connection, model, alias, limit)


def versions_of(connection: Connection[DictRow], model: str, alias: str) -> list[str]:
    """Every version that an alias had, the latest first, each once."""
    query = """
        select version from (
            select version, max(id) as id from (
                select version, id from model_moves where model = %(model)s and alias = %(alias)s
                union all select former, id - 0.5 from model_moves where model = %(model)s and alias = %(alias)s
            ) as each where version is not null group by version
        ) as latest order by id desc
    """
    return [row["version"] for row in connection.execute(query, {"model": model, "alias": alias})]


def _newest(connection: Connection[DictRow], model: str, alias: str | None, limit: int) -> list[Move]:
    query = """
        select at, model, alias, version, former, actor, reason from model_moves
        where model = %(model)s and (%(alias)s::text is null or alias = %(alias)s) order by id desc limit %(limit)s
    """
    with connection.cursor(row_factory=class_row(Move)) as cursor:
        return cursor.execute(query, {"model": model, "alias": alias, "limit": limit}).fetchall()


def _won(connection: Connection[DictRow], lock: int, model: str) -> bool:
    row = connection.execute("select pg_try_advisory_lock(%s, hashtext(%s)) as won", (lock, model)).fetchone()
    return bool(row and row["won"])


def _won_in_time(connection: Connection[DictRow], lock: int, model: str) -> bool:
    """Whether the lock could be had within _NOTING_SECONDS."""
    try:
        with connection.transaction():
            connection.execute("select set_config('lock_timeout', %s, true)", (f"{_NOTING_SECONDS}s",))
            connection.execute("select pg_advisory_lock(%s, hashtext(%s))", (lock, model))
    except LockNotAvailable:
        return False
    return True
