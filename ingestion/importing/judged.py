"""Rows that are taken and rows that are refused: types, then references, then duplicates."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ingestion.importing.checks import typed_sql
from ingestion.importing.tables import ACTIONS, FOLLOWS, IMPRESSIONS, ITEMS, USERS, Table

if TYPE_CHECKING:
    import duckdb

_DUPLICATE = "a duplicate of an earlier row"
_FETCHED_AT_ONCE = 50_000

# What makes a row of a table a duplicate of an earlier one.
_KEYS = {
    USERS.name: "user_id",
    ITEMS.name: "item_id",
    FOLLOWS.name: "follower_id, followee_id",
    IMPRESSIONS.name: "user_id, coalesce(id, slate_id || ':' || item_id)",
    ACTIONS.name: "user_id, action, coalesce(id, concat_ws(':', item_id, occurred_at, slate_id))",
}
_OWN_REASONS = {
    FOLLOWS.name: "case when t.follower_id = t.followee_id then 'followee_id: a person cannot follow themselves' end",
    ACTIONS.name: """case when t.action = 'dwell' and t.dwell_ms is null then 'dwell_ms: missing'
        when t.action <> 'dwell' and t.dwell_ms is not null then 'dwell_ms: only dwell has it' end""",
}


def convert(connection: "duckdb.DuckDBPyConnection", table: Table, now: datetime) -> None:
    """Make `typed_<table>` of `raw_<table>`: values with their types, and the reason of rows that break a rule."""
    connection.execute(f"create view typed_{table.name} as {typed_sql(table, now)}")


def judge(connection: "duckdb.DuckDBPyConnection", table: Table) -> None:
    """Make `judged_<table>` of `typed_<table>`: also refused are rows that refer to nothing, and duplicates.

    `known_users` and `known_items` (external, id) have what may be referred to, and `judged_users` what will be.
    """
    joins, missing = "", [_OWN_REASONS.get(table.name, "null")]
    for column in table.columns:
        if column.refers:
            alias = f"{column.name}_known"
            joins += f" left join known_{column.refers} {alias} on {alias}.external = t.{column.name}"
            lost = f"t.{column.name} is not null and {alias}.id is null"
            missing.append(f"case when {lost} then '{column.name}: not among the {column.refers}' end")
    connection.execute(
        f"""create table judged_{table.name} as
        select *, hash({_KEYS[table.name]}) as key
        from (select t.* exclude (reason), coalesce(t.reason, {", ".join(missing)}) as reason
            from typed_{table.name} t {joins})"""  # noqa: S608  made of the tables' own names
    )
    _refuse_duplicates(connection, table)


def _refuse_duplicates(connection: "duckdb.DuckDBPyConnection", table: Table) -> None:
    """Refuse rows of `judged_<table>` that repeat an earlier one. Only rows of equal hashes are compared."""
    connection.execute(
        f"""update judged_{table.name} set reason = '{_DUPLICATE}' where "row" in (
            select "row" from (
                select "row", row_number() over (partition by {_KEYS[table.name]} order by "row") as copy
                from judged_{table.name} where reason is null and key in (
                    select key from judged_{table.name} where reason is null group by key having count(*) > 1))
            where copy > 1)"""  # noqa: S608  made of the tables' own names
    )


def refuse_deleted(connection: "duckdb.DuckDBPyConnection") -> None:
    """Refuse people of `judged_users` that could not be added: they deleted their account."""
    connection.execute(
        """update judged_users set reason = 'user_id: this person has deleted their account'
        where reason is null and not exists (select 1 from known_users k where k.external = user_id)"""
    )


def mentioned(connection: "duckdb.DuckDBPyConnection", kind: str, tables: list[Table]) -> Iterator[list[str]]:
    """The distinct ids of `users` or `items` that rows of these tables have, refused ones too, in lists."""
    columns = [
        f"select trim({column.name}) as external from raw_{table.name}"  # noqa: S608
        for table in tables
        for column in table.columns
        if column.refers == kind or (table.name == kind and column is table.columns[0])
    ]
    if not columns:
        return
    found = connection.cursor().execute(" union ".join(columns))
    while rows := found.fetchmany(_FETCHED_AT_ONCE):
        yield [external for (external,) in rows if external]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many rows of a table were taken, how many refused, and how many for each reason."""

    table: str
    taken: int
    reasons: dict[str, int]

    @property
    def refused(self) -> int:
        """The number of refused rows."""
        return sum(self.reasons.values())


def verdict(connection: "duckdb.DuckDBPyConnection", table: Table, report: Path) -> Verdict:
    """Count the rows of `judged_<table>`, and write those that were refused to `refused-<table>.csv` in `report`.

    The file has `row` (from 1, without the header), `reason`, and the columns as they were read. Lines that are no rows
    are in it with their number in the file, and the line itself in the first column.
    """
    name = table.name
    refused = f"""select "row", reason, {", ".join(f"raw.{column} as {column}" for column in table.names)}
        from judged_{name} join raw_{name} raw using ("row") where reason is not null
        union all by name select "row", reason, line as {table.names[0]} from lines_{name} order by "row", reason"""  # noqa: S608
    file = report / f"refused-{name}.csv"
    file.unlink(missing_ok=True)
    counts = f"""select reason, sum(n)::bigint from (
            select reason, count(*) as n from judged_{name} where reason is not null group by reason
            union all select reason, count(*) from lines_{name} group by reason)
        group by reason order by 2 desc, 1"""  # noqa: S608
    reasons: dict[str, int] = dict(connection.execute(counts).fetchall())
    if reasons:
        path = str(file).replace("'", "''")
        connection.execute(f"copy ({refused}) to '{path}' (header)")
    (taken,) = connection.execute(f"select count(*) from judged_{name} where reason is null").fetchone() or (0,)  # noqa: S608
    return Verdict(name, taken, reasons)
