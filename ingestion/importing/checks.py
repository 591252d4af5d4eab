"""Which rows of an import are refused, and why: one SQL expression per column."""

from datetime import datetime

from ingestion.importing.tables import LONGEST_ID, MOST_TAGS, Column, Kind, Table
from photofeed.offline_store.contracts import EARLIEST

_LONGEST_TAG = 80
_MOST_SECONDS = 1e11  # beyond any date; keeps the conversion of numbers in its range


def typed_sql(table: Table, now: datetime) -> str:
    """A query of `raw_<table>`: `row`, each column with its type, and `reason`, null for rows that keep the rules.

    Times are microseconds since 1970. Nothing later than `now` is accepted.
    """
    columns = ", ".join(f"{_value(column)} as {column.name}" for column in table.columns)
    reasons = [
        f"when {condition} then '{reason}'" for column in table.columns for condition, reason in _refused(column, now)
    ]
    return f'select "row", {columns}, case {" ".join(reasons)} end as reason from raw_{table.name}'  # noqa: S608


def _text(column: Column) -> str:
    return f"nullif(trim({column.name}), '')"


def _value(column: Column) -> str:
    text = _text(column)
    match column.kind:
        case Kind.TIME:
            return _microseconds(text)
        case Kind.NUMBER:
            return f"try_cast({text} as bigint)"
        case Kind.CHOICE:
            return f"lower({text})"
        case Kind.TAGS:
            return (
                f"list_filter(list_transform(string_split({text}, '|'), lambda tag: trim(tag)), lambda tag: tag <> '')"
            )
        case _:
            return text


def _microseconds(text: str) -> str:
    """A time as microseconds since 1970; null if it is none."""
    moment, seconds = f"try_cast({text} as timestamptz)", f"try_cast({text} as double)"
    return f"""coalesce(
        case when isfinite({moment}) then epoch_us({moment}) end,
        case when abs({seconds}) < {_MOST_SECONDS} then round({seconds} * 1e6)::bigint end)"""


def _refused(column: Column, now: datetime) -> list[tuple[str, str]]:
    """Conditions under which a row is refused for this column, each with its reason."""
    text, value, name = _text(column), _value(column), column.name
    found = [(f"{text} is null", f"{name}: missing")] if column.required else []
    match column.kind:
        case Kind.ID:
            found.append((f"length({text}) > {LONGEST_ID}", f"{name}: longer than {LONGEST_ID} characters"))
        case Kind.TEXT:
            found.append((f"length({text}) > {column.high}", f"{name}: longer than {column.high} characters"))
        case Kind.TAGS:
            found += [
                (f"len({value}) > {MOST_TAGS}", f"{name}: more than {MOST_TAGS}"),
                (f"len(list_filter({value}, lambda tag: length(tag) > {_LONGEST_TAG})) > 0", f"{name}: too long"),
            ]
        case Kind.TIME:
            first, last = (round(moment.timestamp() * 1e6) for moment in (EARLIEST, now))
            found += [
                (f"{text} is not null and {value} is null", f"{name}: not a time"),
                (f"{value} > {last}", f"{name}: in the future"),
                (f"{value} < {first}", f"{name}: before {EARLIEST.year}"),
            ]
        case Kind.NUMBER:
            whole = f"coalesce(try_cast({text} as double) = {value}::double, false)"
            found += [
                (f"{text} is not null and not {whole}", f"{name}: not a whole number"),
                (f"{value} not between 0 and {column.high}", f"{name}: not from 0 to {column.high}"),
            ]
        case Kind.CHOICE:
            words = ", ".join(f"'{word}'" for word in column.among)
            found.append((f"{value} not in ({words})", f"{name}: not among the words of the schema"))
    if column.kind in (Kind.ID, Kind.TEXT, Kind.TAGS):
        found.append((f"contains({text}, chr(0))", f"{name}: has a NUL character"))
    return found
