"""PostgreSQL: connection pools, migrations and the transactional outbox."""

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from psycopg import AsyncConnection, Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import LockNotAvailable, ReadOnlySqlTransaction
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from photofeed.errors import RetryableError
from photofeed.events import Envelope
from photofeed.settings import Settings
from photofeed.topics import Topic
from photofeed.tracing import traceparent

if TYPE_CHECKING:
    import sqlalchemy

AsyncDatabase: TypeAlias = AsyncConnectionPool[AsyncConnection[DictRow]]
Database: TypeAlias = ConnectionPool[Connection[DictRow]]

OUTBOX_CHANNEL = "outbox"
VERSION_TABLE = "schema_version"  # in which Alembic keeps the revision of the schema
WAIT_SECONDS = 3.0  # how long a request waits for a connection before it reports that PostgreSQL does not answer

# How long a migration waits for a lock on a table, how long it lets others work then, and how often it tries.
MIGRATION_LOCK_SECONDS, MIGRATION_PAUSE_SECONDS, MIGRATION_ATTEMPTS = 1, 0.5, 200

# All advisory locks, in one place so that no two share a number.
MIGRATION_LOCK, RELAY_LEADER, FEATURES_LEADER, TIMELINES, REPLAY = 73012, 73013, 73014, 73015, 73016
ERASER_LEADER, FEATURES_WANTED, RELAYING = 73017, 73018, 73019  # RELAYING is for one transaction
MODEL_MOVES, RETRAINING = 73021, 73022  # with a second key per model


# A server that vanished closes no connection: without these, its clients wait for the kernel's 15 minutes.
_CONNECTION = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}


class _PrimaryConnection(Connection[DictRow]):
    """Closes itself when its server became a replica, so that the pool connects to the new primary."""

    def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return super().wait(gen, *arguments, **options)
        except ReadOnlySqlTransaction:
            self.close()
            raise


class _AsyncPrimaryConnection(AsyncConnection[DictRow]):
    """`_PrimaryConnection` for the API."""

    async def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return await super().wait(gen, *arguments, **options)
        except ReadOnlySqlTransaction:
            await self.close()
            raise


def async_pool(settings: Settings, *, size: int = 10) -> AsyncDatabase:
    """A pool for the API; open it inside the event loop. Rows are dicts, statements time out after 10 s.

    Behind PgBouncer the time limit is the one that it sets.
    """
    return AsyncConnectionPool(
        _conninfo(settings.database_url.get_secret_value()),
        min_size=1,
        max_size=size,
        open=False,
        timeout=WAIT_SECONDS,
        kwargs=_session(settings, statement_ms=10_000),
        configure=_set_utc_async if settings.shares_sessions else None,
        connection_class=_AsyncPrimaryConnection,
    )


def pool(settings: Settings, *, size: int = 2) -> Database:
    """A pool for workers and commands, opened immediately. Rows are dicts, statements time out after 60 s.

    Behind PgBouncer the time limit is the one that it sets.
    """
    return ConnectionPool(
        _conninfo(settings.database_url.get_secret_value()),
        min_size=1,
        max_size=size,
        open=True,
        kwargs=_session(settings, statement_ms=60_000),
        configure=_set_utc if settings.shares_sessions else None,
        connection_class=_PrimaryConnection,
    )


def connect(settings: Settings) -> Connection[DictRow]:
    """One connection outside any pool, in autocommit mode, for session locks and LISTEN. It is never PgBouncer's."""
    return Connection[DictRow].connect(
        _conninfo(settings.session_url), autocommit=True, row_factory=dict_row, options="-c timezone=UTC"
    )


def _conninfo(url: str) -> str:
    """An address, with the time limits that it does not set itself."""
    given: dict[str, Any] = conninfo_to_dict(url)
    return make_conninfo(**(_CONNECTION | given))


def _session(settings: Settings, statement_ms: int) -> dict[str, Any]:
    """Arguments of a pool's connections."""
    if settings.shares_sessions:
        # PgBouncer refuses options, and the next transaction would not find a statement prepared in this one
        return {"row_factory": dict_row, "prepare_threshold": None}
    return {"row_factory": dict_row, "options": f"-c statement_timeout={statement_ms} -c timezone=UTC"}


# PgBouncer applies the time zone of a client to each session that it gets; of other parameters it knows nothing.
_SET_UTC = "set timezone = 'UTC'"


def _set_utc(connection: Connection[DictRow]) -> None:
    connection.execute(_SET_UTC)
    connection.commit()


async def _set_utc_async(connection: AsyncConnection[DictRow]) -> None:
    await connection.execute(_SET_UTC)
    await connection.commit()


_LOCK = "select pg_try_advisory_lock(%s) as won"
_LOCK_NOW = "select pg_try_advisory_xact_lock(%s) as won"
_LOCK_NOW_SHARED = "select pg_try_advisory_xact_lock_shared(%s) as won"
_LOCK_SHARED = "select pg_try_advisory_lock_shared(%s) as won"


def wait_for_leadership(
    connection: Connection[DictRow], role: int, stop: threading.Event, *, shared: bool = False
) -> bool:
    """Wait until this connection is the leader of a role, which it stays while it is open; False if stopped before.

    For work that only one process may do at a time: the others stand by and take over when the leader ends. `shared`:
    with any number of others that share it, and none that does not.
    """
    while not stop.is_set():
        if try_leadership(connection, role, shared=shared):
            return True
        stop.wait(1.0)
    return False


def try_leadership(connection: Connection[DictRow], role: int, *, shared: bool = False) -> bool:
    """Become leader of a role, if it has none, while the connection is open; returns whether it is the leader."""
    query = _LOCK_SHARED if shared else _LOCK
    row = connection.execute(query, (role,)).fetchone()
    return row is not None and bool(row["won"])


def try_leadership_now(connection: Connection[DictRow], role: int, *, shared: bool = False) -> bool:
    """Become leader of a role, if it has none, until the transaction ends; returns whether it is the leader."""
    row = connection.execute(_LOCK_NOW_SHARED if shared else _LOCK_NOW, (role,)).fetchone()
    return row is not None and bool(row["won"])


def migrate(settings: Settings, revision: str = "head") -> None:
    """Bring the schema to a revision, by default the newest, while others read and write.

    Concurrent processes wait for each other. A statement waits MIGRATION_LOCK_SECONDS for a lock. Then the
    migration pauses and tries again, because readers and writers of the table queue behind a waiting statement.

    Raises:
        RetryableError: a table was in use in each of MIGRATION_ATTEMPTS attempts. Finished migrations are kept.
    """
    from alembic import command  # noqa: PLC0415  slow to import, only needed here
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy import create_engine, text  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    engine = create_engine(settings.sqlalchemy_url)
    try:
        with engine.connect() as connection:
            # polled: an index that is built concurrently waits for all transactions, also for one that waits for this
            while not connection.execute(text(f"select pg_try_advisory_lock({MIGRATION_LOCK})")).scalar():
                connection.commit()
                time.sleep(MIGRATION_PAUSE_SECONDS)
            connection.execute(text(f"set lock_timeout = '{MIGRATION_LOCK_SECONDS}s'"))
            connection.commit()
            config.attributes["connection"] = connection
            _retry_locked(lambda: command.upgrade(config, revision), connection)
            connection.execute(text(f"select pg_advisory_unlock({MIGRATION_LOCK})"))
            connection.commit()
    finally:
        engine.dispose()


def _retry_locked(upgrade: Callable[[], None], connection: "sqlalchemy.Connection") -> None:
    from sqlalchemy.exc import OperationalError  # noqa: PLC0415

    for _ in range(MIGRATION_ATTEMPTS):
        try:
            upgrade()
        except OperationalError as error:
            connection.rollback()
            if not isinstance(error.orig, LockNotAvailable):
                raise
            time.sleep(MIGRATION_PAUSE_SECONDS)
        else:
            connection.commit()
            return
    raise RetryableError("PostgreSQL: long transactions use a table that is to be changed. End them, and try again.")


_INSERT_OUTBOX = "insert into outbox (topic, key, envelope, traceparent) values (%s, %s, %s, %s)"


def _outbox_rows(messages: Iterable[tuple[Topic, Envelope]]) -> list[tuple[Any, ...]]:
    context = traceparent()
    return [(topic.name, envelope.key, envelope.encode(), context) for topic, envelope in messages]


async def write_outbox(connection: AsyncConnection[DictRow], messages: Iterable[tuple[Topic, Envelope]]) -> None:
    """Add messages to the outbox in the caller's transaction; they are published if and only if it commits."""
    async with connection.cursor() as cursor:
        await cursor.executemany(_INSERT_OUTBOX, _outbox_rows(messages))


def write_outbox_sync(connection: Connection[DictRow], messages: Iterable[tuple[Topic, Envelope]]) -> None:
    """`write_outbox` for a worker's connection."""
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT_OUTBOX, _outbox_rows(messages))
