"""PostgreSQL: connection pools, migrations and the transactional outbox."""

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

from psycopg import AsyncConnection, Connection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from photofeed.events import Envelope
from photofeed.settings import Settings
from photofeed.topics import Topic

AsyncDatabase: TypeAlias = AsyncConnectionPool[AsyncConnection[DictRow]]
Database: TypeAlias = ConnectionPool[Connection[DictRow]]

OUTBOX_CHANNEL = "outbox"
WAIT_SECONDS = 3.0  # of a request for a connection: without PostgreSQL there is nothing to answer but that

# Numbers of the advisory locks, all of them, so that no two are the same.
MIGRATION_LOCK, RELAY_LEADER, FEATURES_LEADER, TIMELINES, REPLAY = 73012, 73013, 73014, 73015, 73016
MODEL_MOVES, RETRAINING = 73021, 73022  # one each for every model


def async_pool(settings: Settings, *, size: int = 10) -> AsyncDatabase:
    """A pool for the API; open it inside the event loop. Rows are dicts, statements time out after 10 s."""
    return AsyncConnectionPool(
        settings.database_url.get_secret_value(),
        min_size=1,
        max_size=size,
        open=False,
        timeout=WAIT_SECONDS,
        kwargs={
            "row_factory": dict_row,
            "options": "-c statement_timeout=10000 -c timezone=UTC",
        },
        connection_class=AsyncConnection[DictRow],
    )


def pool(settings: Settings, *, size: int = 2) -> Database:
    """A pool for workers and commands, opened at once. Rows are dicts."""
    return ConnectionPool(
        settings.database_url.get_secret_value(),
        min_size=1,
        max_size=size,
        open=True,
        kwargs={"row_factory": dict_row, "options": "-c statement_timeout=60000 -c timezone=UTC"},
        connection_class=Connection[DictRow],
    )


def connect(settings: Settings) -> Connection[DictRow]:
    """One connection outside any pool, in autocommit mode: for session locks and LISTEN."""
    return Connection[DictRow].connect(
        settings.database_url.get_secret_value(), autocommit=True, row_factory=dict_row, options="-c timezone=UTC"
    )


def wait_to_lead(connection: Connection[DictRow], role: int, stop: threading.Event) -> bool:
    """Wait until this connection alone holds a role, for as long as it stays open; False if told to stop before.

    For work that only one process may do at a time: the others stand by and take over when it ends.
    """
    while not stop.is_set():
        if try_to_lead(connection, role):
            return True
        stop.wait(1.0)
    return False


def try_to_lead(connection: Connection[DictRow], role: int) -> bool:
    """Take a role if nobody holds it, for as long as the connection stays open; whether it is held now."""
    row = connection.execute("select pg_try_advisory_lock(%s) as won", (role,)).fetchone()
    return row is not None and bool(row["won"])


def try_to_lead_now(connection: Connection[DictRow], role: int) -> bool:
    """Take a role if nobody holds it, until the transaction ends; whether it is held now."""
    row = connection.execute("select pg_try_advisory_xact_lock(%s) as won", (role,)).fetchone()
    return row is not None and bool(row["won"])


def migrate(settings: Settings) -> None:
    """Bring the schema to the newest version; two processes that try at once take turns."""
    from alembic import command  # noqa: PLC0415  slow to import, only needed here
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy import create_engine, text  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    engine = create_engine(settings.sqlalchemy_url)
    try:
        with engine.connect() as connection:
            connection.execute(text(f"select pg_advisory_lock({MIGRATION_LOCK})"))
            connection.commit()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
            connection.execute(text(f"select pg_advisory_unlock({MIGRATION_LOCK})"))
            connection.commit()
    finally:
        engine.dispose()


_INSERT_OUTBOX = "insert into outbox (topic, key, envelope) values (%s, %s, %s)"


def _outbox_rows(messages: Iterable[tuple[Topic, Envelope]]) -> list[tuple[Any, ...]]:
    return [(topic.name, envelope.key, envelope.encode()) for topic, envelope in messages]


async def write_outbox(connection: AsyncConnection[DictRow], messages: Iterable[tuple[Topic, Envelope]]) -> None:
    """Add messages to the outbox within the caller's transaction: published if and only if it commits."""
    async with connection.cursor() as cursor:
        await cursor.executemany(_INSERT_OUTBOX, _outbox_rows(messages))


def write_outbox_sync(connection: Connection[DictRow], messages: Iterable[tuple[Topic, Envelope]]) -> None:
    """`write_outbox` for a worker's connection."""
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT_OUTBOX, _outbox_rows(messages))
