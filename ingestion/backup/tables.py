"""All tables of a PostgreSQL database, copied in one snapshot, and loaded into a database with the same tables.

COPY's text format, so that a backup can be restored into another major version of PostgreSQL, through the ordinary
connection: the images have no pg_dump, and managed services give no superuser.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

import psycopg
from psycopg import Connection, sql
from psycopg.rows import DictRow

from ingestion.backup.archive import Archive, NewArchive
from photofeed.errors import ConflictError, InvalidError

_BLOCK = 1 << 20
_TABLES = """
    select c.oid::bigint as id, c.relname as name,
           array(select a.attname from pg_attribute a
                 where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
                 order by a.attnum) as columns
    from pg_class c
    where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r'
      and not exists (select 1 from pg_depend d
                      where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    order by c.relname
"""
_SEQUENCES = "select sequencename as name, last_value from pg_sequences where schemaname = current_schema()"
_FOREIGN_KEYS = """
    select r.relname as table, c.conname as name, pg_get_constraintdef(c.oid) as definition
    from pg_constraint c join pg_class r on r.oid = c.conrelid
    where c.contype = 'f' and c.connamespace = current_schema()::regnamespace order by 1, 2
"""
_LOCK_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A database as it was at one moment, for as long as the connection's transaction lasts."""

    connection: Connection[DictRow]
    taken_at: datetime

    def revision(self, table: str) -> str:
        """The revision of the schema, from the table of Alembic; empty if there is none."""
        return revision(self.connection, table)

    def copy_to(self, archive: NewArchive, name: str) -> dict[str, int]:
        """Write all tables and the positions of sequences to the archive; returns rows by table."""
        counts = {}
        tables = self.connection.execute(_TABLES).fetchall()
        for table in tables:
            copy = sql.SQL("copy {} ({}) to stdout").format(sql.Identifier(table["name"]), _names(table["columns"]))
            with archive.write(_file(name, table["name"])) as file, self.connection.cursor() as cursor:
                with cursor.copy(copy) as rows:
                    for block in rows:
                        file.write(block)
                counts[table["name"]] = cursor.rowcount
        sequences = {row["name"]: row["last_value"] for row in self.connection.execute(_SEQUENCES)}
        with archive.write(_description(name)) as file:
            columns = {table["name"]: table["columns"] for table in tables}
            file.write(json.dumps({"columns": columns, "sequences": sequences}).encode())
        return counts


@contextmanager
def snapshot(connection: Connection[DictRow]) -> Iterator[Snapshot]:
    """The database of a connection, in autocommit mode, as it is now."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        _without_limits(connection)
        row = connection.execute("select now() as now").fetchone()  # the first query takes the snapshot
        assert row is not None  # noqa: S101  a select without `from` has one row
        yield Snapshot(connection, row["now"])


def revision(connection: Connection[DictRow], table: str) -> str:
    """The revision of the schema, from the table of Alembic; empty if there is none."""
    there = connection.execute("select to_regclass(%s) as name", (table,)).fetchone()
    if there is None or there["name"] is None:
        return ""
    rows = connection.execute(sql.SQL("select version_num from {}").format(sql.Identifier(table)))
    return ",".join(sorted(row["version_num"] for row in rows))


def first_filled(connection: Connection[DictRow], besides: Collection[str]) -> str | None:
    """The first table that has rows, besides these; None if no other has."""
    for table in connection.execute(_TABLES).fetchall():
        found = sql.SQL("select 1 from {} limit 1").format(sql.Identifier(table["name"]))
        if table["name"] not in besides and connection.execute(found).fetchone():
            return str(table["name"])
    return None


def load(connection: Connection[DictRow], archive: Archive, name: str) -> None:
    """Replace the rows of all tables by those of the archive, in the caller's transaction.

    Triggers do not fire, and foreign keys are checked at the end.

    Raises:
        InvalidError: the database has not the tables and columns of the backup.
        ConflictError: somebody uses the tables.
    """
    with archive.read(_description(name)) as file:
        wanted = json.loads(file.read())
    found = {table["name"]: table["columns"] for table in connection.execute(_TABLES).fetchall()}
    if different := sorted(table for table, columns in wanted["columns"].items() if found.get(table) != columns):
        raise InvalidError(
            f"the database of {name} has other columns than the backup in {', '.join(different)}: "
            "install the version that made the backup, and restore into a new database",
            code="backup_version",
        )
    _without_limits(connection)
    _lock(connection, list(found))
    keys = connection.execute(_FOREIGN_KEYS).fetchall()
    for key in keys:
        _alter(connection, key["table"], sql.SQL("drop constraint {}").format(sql.Identifier(key["name"])))
    for table in found:
        _alter(connection, table, sql.SQL("disable trigger user"))
        connection.execute(sql.SQL("delete from {}").format(sql.Identifier(table)))
    for table, columns in wanted["columns"].items():
        _copy_in(connection, archive, _file(name, table), table, columns)
    for key in keys:
        definition = sql.SQL(key["definition"])
        _alter(
            connection, key["table"], sql.SQL("add constraint {} {}").format(sql.Identifier(key["name"]), definition)
        )
    for table in found:
        _alter(connection, table, sql.SQL("enable trigger user"))
    for sequence, value in wanted["sequences"].items():
        if value is not None:
            connection.execute("select setval(quote_ident(%s)::regclass, %s)", (sequence, value))


def _without_limits(connection: Connection[DictRow]) -> None:
    """Lift the limits that a role may have: copies take hours, and a snapshot waits for other copies."""
    connection.execute("set local statement_timeout = 0")
    connection.execute("set local idle_in_transaction_session_timeout = 0")


def _lock(connection: Connection[DictRow], tables: Sequence[str]) -> None:
    connection.execute(sql.SQL("set local lock_timeout = {}").format(f"{_LOCK_SECONDS}s"))
    try:
        connection.execute(sql.SQL("lock table {} in access exclusive mode").format(_names(tables)))
    except psycopg.errors.LockNotAvailable:
        raise ConflictError("the database is in use: stop the API, the workers and all clients") from None


def _copy_in(connection: Connection[DictRow], archive: Archive, file: str, table: str, columns: Sequence[str]) -> None:
    copy = sql.SQL("copy {} ({}) from stdin").format(sql.Identifier(table), _names(columns))
    with archive.read(file) as rows, connection.cursor() as cursor, cursor.copy(copy) as target:
        while block := rows.read(_BLOCK):
            target.write(block)


def _alter(connection: Connection[DictRow], table: str, change: sql.Composable) -> None:
    connection.execute(sql.SQL("alter table {} {}").format(sql.Identifier(table), change))


def _names(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _file(database: str, table: str) -> str:
    return f"tables/{database}/{quote(table, safe='')}.copy.gz"


def _description(database: str) -> str:
    return f"tables/{database}.json.gz"
