"""Entity rows: what a point-in-time join is asked for, as a frame, as SQL, or as a range of time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from photofeed.entity_keys import integer_key
from photofeed.errors import InvalidError
from photofeed.offline_store.columns import quoted
from photofeed.offline_store.point_in_time import History

if TYPE_CHECKING:
    import duckdb

MOMENT = "event_timestamp"  # of rows of a range
ROW_NUMBER = "row: number"  # a column of the table that is joined; no column of a frame is called so


@dataclass(frozen=True, slots=True)
class EntityRows:
    """Entity rows, ready to join.

    Attributes:
        frame: the rows with the columns of the caller, then the `hidden` ones.
        keys: columns of the caller with ids of the API -> columns with the same keys as integers.
    """

    frame: pd.DataFrame
    keys: Mapping[str, str]

    @property
    def hidden(self) -> list[str]:
        """The columns that the caller did not give."""
        return [ROW_NUMBER, *self.keys.values()]

    def joined_by(self, keys: Mapping[str, str]) -> dict[str, str]:
        """Columns of a history -> columns of the frame, with integers in place of the ids of the API."""
        return {here: self.keys.get(there, there) for here, there in keys.items()}


def entity_rows(frame: pd.DataFrame, histories: Mapping[str, History]) -> EntityRows:
    """Check a caller's frame against the histories (view -> history) that it is to be joined with.

    Keys may be integers, or the ids of the API as text.

    Raises:
        InvalidError: a key is missing or is no id, or a column has the name of a feature; the message names it.
    """
    for view, history in histories.items():
        lacking = [key for key in history.keys.values() if key not in frame.columns]
        if lacking:
            has = ", ".join(map(str, frame.columns))
            raise InvalidError(f"entity_df lacks {', '.join(lacking)}, by which {view} is joined; it has {has}")
        if taken := [name for name in history.features if name in frame.columns]:
            raise InvalidError(
                f"entity_df has a column {', '.join(taken)}, like a feature of {view}: rename it, or ask for "
                "full_feature_names=True"
            )
    wanted = dict.fromkeys(key for history in histories.values() for key in history.keys.values())
    texts = {key: f"key: {key}" for key in wanted if pd.api.types.infer_dtype(frame[key], skipna=True) == "string"}
    decoded = {texts[key]: _integers(key, frame[key]) for key in texts}
    return EntityRows(frame.assign(**{ROW_NUMBER: range(len(frame))}, **decoded), texts)


def rows_of_range(
    connection: "duckdb.DuckDBPyConnection",
    histories: Mapping[str, History],
    start: datetime | None,
    end: datetime | None,
) -> pd.DataFrame:
    """The entities and times of every row of the histories from `start` to `end`, both included; `end` None is now.

    Raises:
        InvalidError: `start` is missing, or the histories are about different entities.
    """
    if start is None:
        raise InvalidError("give entity_df, or start_date and end_date")
    keys = {view: tuple(sorted(history.keys.values())) for view, history in histories.items()}
    if len(set(keys.values())) > 1:
        each = "; ".join(f"{view} by {', '.join(names)}" for view, names in keys.items())
        raise InvalidError(f"without entity_df all features must be of the same entities: {each}")
    bounds = [_utc(start), _utc(end or datetime.now(UTC))]
    parts = [
        f"select {_columns(history.keys)}{quoted(history.event_time)}::timestamptz as {quoted(MOMENT)} "  # noqa: S608
        f"from {history.rows} where {quoted(MOMENT)} between $first and $last"
        for history in histories.values()
    ]
    query = f"{' union '.join(parts)} order by all"
    found: pd.DataFrame = connection.execute(query, {"first": bounds[0], "last": bounds[1]}).fetch_df()
    return found


def tables_named(sql: str, known: Iterable[str]) -> list[str]:
    """Those of the known tables whose name is in a query."""
    words = set("".join(letter if letter.isalnum() or letter == "_" else " " for letter in sql).split())
    return [name for name in known if name in words]


def _columns(keys: Mapping[str, str]) -> str:
    return "".join(f"{quoted(here)} as {quoted(there)}, " for here, there in keys.items())


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _integers(column: str, texts: Any) -> Any:
    """The keys as 64-bit integers; missing ones stay missing."""
    known = {text: integer_key(column, text) for text in texts.dropna().unique()}
    # not by Series.map, which makes floats of integers beside missing values
    return pd.array([known.get(text) for text in texts], dtype="Int64")
