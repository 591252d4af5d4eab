"""Which version stood behind which alias when, who moved it and why: append-only, whoever moves an alias, and wherever.

Who moves aliases holds the model's lock from before the move until it is written down. Whoever looks at aliases, as
every server does, takes the lock to note what nobody has written down: that was moved in MLflow itself.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from psycopg import Connection
from psycopg.rows import DictRow, class_row

from photofeed import database
from photofeed.errors import ConflictError
from photofeed.settings import Settings

Moved: TypeAlias = Mapping[str, tuple[str | None, str | None]]  # alias -> (former, version)

OUTSIDE = "outside photofeed"
UNEXPLAINED = "moved in MLflow"


class BusyError(ConflictError):
    """Somebody else is at the same work."""

    code = "busy"


@dataclass(frozen=True, slots=True)
class Move:
    """An alias of `model` came to stand for `version` instead of `former`; None: for no version."""

    at: datetime
    model: str
    alias: str
    version: str | None
    former: str | None
    actor: str
    reason: str


@contextmanager
def only_one(settings: Settings, lock: int, model: str, work: str) -> Iterator[Connection[DictRow]]:
    """A connection that alone holds one of the locks of `photofeed.database` for this model, while the block runs.

    Raises:
        BusyError: another process holds it.
    """
    with database.connect(settings) as connection:
        if not _won(connection, lock, model):
            raise BusyError(f"{work} of {model} is already going on elsewhere: try again when it is done")
        yield connection


def record(connection: Connection[DictRow], model: str, moved: Moved, actor: str, why: str) -> None:
    """Write down moves, within the caller's transaction if there is one."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into model_moves (model, alias, former, version, actor, reason) values (%s, %s, %s, %s, %s, %s)",
            [(model, alias, former, version, actor, why) for alias, (former, version) in moved.items()],
        )


def note_outside_moves(settings: Settings, model: str, aliases: Mapping[str, str]) -> dict[str, str | None] | None:
    """Write down what the history does not know of `aliases`, every alias of the model and its version, as seen now.

    Returns what was written, alias -> version; None where somebody moves aliases at this moment: look again later.
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
    """Alias -> version, as the history has it."""
    newest = "select distinct on (alias) alias, version from model_moves where model = %s order by alias, id desc"
    return {row["alias"]: row["version"] for row in connection.execute(newest, (model,)) if row["version"] is not None}


def moves(settings: Settings, model: str, alias: str | None = None, limit: int = 100) -> list[Move]:
    """The newest moves, newest first; of one alias, or of all."""
    with database.connect(settings) as connection:
        return _newest(connection, model, alias, limit)


def newest_move(connection: Connection[DictRow], model: str, alias: str) -> Move | None:
    """The last move of an alias, None where it was never moved."""
    return next(iter(_newest(connection, model, alias, 1)), None)


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
