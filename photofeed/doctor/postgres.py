"""PostgreSQL: version, role, encoding, schema and clock."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from photofeed import database
from photofeed.doctor.clocks import clock
from photofeed.doctor.finding import Finding, first_line, ok, warning, wrong
from photofeed.settings import Settings

OLDEST_MAJOR = 15
"""The oldest major version that PostgreSQL's makers still mend. The tests run on 18."""

_MIGRATIONS = Path(database.__file__).with_name("migrations") / "versions"
_FACTS = """
    select current_setting('server_version_num')::int / 10000 as major, current_setting('server_encoding') as encoding,
           pg_is_in_recovery() as standby, current_setting('max_connections')::int as connections,
           extract(epoch from clock_timestamp())::float8 as seconds
"""
_UNLIMITED = "0"
FEWEST_CONNECTIONS = 100
"""One API process holds up to 20 connections, each worker up to 3, MLflow 10."""


def newest_revision() -> str:
    """The revision of the newest migration of this version of photofeed."""
    return max(file.name.partition("_")[0] for file in _MIGRATIONS.glob("[0-9]*_*.py"))


def postgres(settings: Settings, now: Callable[[], float] = time.time) -> Iterator[Finding]:
    """Check PostgreSQL."""
    try:
        with closing(database.connect(settings)) as connection:
            before = now()
            facts = connection.execute(_FACTS).fetchone()
            after = now()
            assert facts is not None  # noqa: S101  a select without `from` has one row
            yield from _server(facts)
            yield from clock("postgres", facts["seconds"], before, after)
            yield from _schema(connection)
        if settings.shares_sessions:
            with database.pool(settings, size=1) as pool, pool.connection() as pooled:
                row = pooled.execute("select current_setting('statement_timeout') as most").fetchone()
            yield from pooler(row["most"] if row else _UNLIMITED)
    except psycopg.Error as error:
        yield wrong("postgres.connection", first_line(error), "start the server, or correct PHOTOFEED_DATABASE_URL")


def pooler(longest: str) -> Iterator[Finding]:
    """Check the time limit of statements behind PgBouncer, as PostgreSQL shows it."""
    if longest == _UNLIMITED:
        yield warning(
            "postgres.pooler",
            "statements through PgBouncer have no time limit",
            "add connect_query='set statement_timeout = 60000' to the database in PgBouncer's configuration",
        )
    else:
        yield ok("postgres.pooler", f"statements through PgBouncer end after {longest}")


def _server(facts: dict[str, Any]) -> Iterator[Finding]:
    if facts["major"] < OLDEST_MAJOR:
        yield wrong("postgres.version", f"version {facts['major']}", f"upgrade to {OLDEST_MAJOR} or later")
    else:
        yield ok("postgres.version", f"version {facts['major']}")
    if facts["standby"]:
        yield wrong("postgres.role", "a standby, which refuses writes", "point PHOTOFEED_DATABASE_URL to the primary")
    if facts["encoding"] != "UTF8":
        yield wrong("postgres.encoding", f"encoding {facts['encoding']}", "create the database with encoding UTF8")
    if facts["connections"] < FEWEST_CONNECTIONS:
        yield warning(
            "postgres.connections",
            f"max_connections is {facts['connections']}",
            f"set at least {FEWEST_CONNECTIONS}, or count: 20 per API process, 3 per worker, 10 for MLflow",
        )


def _schema(connection: "psycopg.Connection[Any]") -> Iterator[Finding]:
    newest, table = newest_revision(), sql.Identifier(database.VERSION_TABLE)
    row = connection.execute("select to_regclass(%s) is not null as migrated", (database.VERSION_TABLE,)).fetchone()
    if row is None or not row["migrated"]:
        yield wrong("postgres.schema", "the database is empty", "run `photofeed setup`")
        return
    rows = connection.execute(sql.SQL("select version_num from {}").format(table))
    revisions = sorted(row["version_num"] for row in rows)
    applied = revisions[0] if len(revisions) == 1 else None
    if applied == newest:
        yield ok("postgres.schema", f"revision {newest}")
    elif applied is None or applied < newest:
        found = ", ".join(revisions) or "none"
        yield wrong("postgres.schema", f"revision {found}, this version needs {newest}", "run `photofeed setup`")
    else:
        yield wrong(
            "postgres.schema",
            f"revision {applied} is newer than {newest}, the newest that this version knows",
            "run the version of photofeed that migrated it, or a later one",
        )
