"""A training row sees of each entity the newest of what was known at its moment, and nothing else."""

from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from feast import Entity, Field, ValueType
from feast.types import Float64
from hypothesis import given, settings
from hypothesis import strategies as st

from photofeed.offline_store.point_in_time import History, point_in_time_query
from tests.lake_features import pushed_view

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIVES = timedelta(minutes=6)
minutes = st.integers(0, 12)
keys = st.one_of(st.none(), st.integers(0, 1))
# of few keys and moments, so that most cases have ties, repetitions and rows that were outdated when they came
happenings = st.tuples(keys, keys, minutes, st.one_of(st.none(), st.integers(-2, 9)))


def at(minute: int | None) -> datetime | None:
    return None if minute is None else NOON + timedelta(minutes=minute)


def frame(rows: list[Any], *columns: str) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(columns))
    for column in table.columns:
        moment = column in {"at", "born"}
        table[column] = pd.to_datetime(table[column], utc=True) if moment else table[column].astype("Int64")
    return table


def answer(query: str, **tables: pd.DataFrame) -> pa.Table:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for name, table in tables.items():
            connection.register(name, table)
        return connection.sql(query).to_arrow_table()


def join(asked: pd.DataFrame, rows: pd.DataFrame, lives: timedelta | None, hide_late: bool = True) -> list[int | None]:
    """The value that each of the rows asked for sees, in their order."""
    keys = {column: f"of_{column}" for column in ("user", "post") if column in rows}
    history = History("rows", "at", "born", keys, {"seen": "value"}, lives)
    query = point_in_time_query("asked", "at", [history], hide_late)
    found = answer(query, asked=asked.rename_axis("row").reset_index(), rows=rows).sort_by("row")
    assert found.column_names == ["row", *asked.columns, "seen"]
    assert found["row"].to_pylist() == list(range(len(asked)))
    values: list[int | None] = found["seen"].to_pylist()
    return values


def brute_force(asked: Any, rows: list[Any], lives: timedelta | None, hide_late: bool) -> list[int | None]:
    """As Feast has it: what had happened, was known and still lives; of that the newest, and the last created."""

    def sees(user: int | None, post: int | None, now: int) -> int | None:
        seen = [
            (happened, -np.inf if born is None else born, value)
            for has_user, has_post, happened, born, value in rows
            if (has_user, has_post) == (user, post)
            and None not in (user, post)
            and happened <= now
            and (not hide_late or (born is not None and born <= now))
            and (lives is None or timedelta(minutes=now - happened) <= lives)
        ]
        return max(seen)[-1] if seen else None

    return [sees(*row) for row in asked]


@settings(max_examples=60, deadline=None)
@given(
    happened=st.lists(happenings, max_size=40),
    repeated=st.integers(0, 5),
    asked=st.lists(st.tuples(keys, keys, minutes), min_size=1, max_size=25),
    lives=st.sampled_from([None, LIVES]),
    hide_late=st.booleans(),
)
def test_every_row_sees_the_newest_of_what_was_known(
    happened: list[Any], repeated: int, asked: list[Any], lives: timedelta | None, hide_late: bool
) -> None:
    moments = [(user, post, when, None if late is None else when + late) for user, post, when, late in happened]
    # rows alike in all but their values have no order: the value tells the rest of the row
    known = [(*row, number) for number, row in enumerate(dict.fromkeys(moments))]
    known += known[:repeated]
    rows = frame(
        [(user, post, at(when), at(born), value) for user, post, when, born, value in known],
        *("user", "post", "at", "born", "value"),
    )
    rows_asked = frame([(user, post, at(when)) for user, post, when in asked], "of_user", "of_post", "at")
    assert join(rows_asked, rows, lives, hide_late) == brute_force(asked, known, lives, hide_late)


def test_a_row_that_was_outdated_when_it_came_is_not_seen() -> None:
    rows = frame([(1, at(5), at(5), 50), (1, at(3), at(8), 30), (1, at(6), at(9), 60)], "user", "at", "born", "value")
    asked = frame([(1, at(minute)) for minute in (4, 7, 8, 9)], "of_user", "at")
    assert join(asked, rows, None) == [None, 50, 50, 60]


def test_a_hot_key_is_answered_row_by_row() -> None:
    random = np.random.default_rng(5)
    count = 20_000  # joined row by row these would be 400 million
    when, late = np.sort(random.permutation(1_000_000)[:count]), random.integers(0, 500, count)
    rows = pd.DataFrame(
        {
            "user": np.ones(count, np.int64),
            "at": pd.to_datetime(NOON) + pd.to_timedelta(when, unit="s"),
            "born": pd.to_datetime(NOON) + pd.to_timedelta(when + late, unit="s"),
            "value": np.arange(count),
        }
    )
    now = random.integers(0, 1_000_000, count)
    asked = pd.DataFrame(
        {"of_user": np.ones(count, np.int64), "at": pd.to_datetime(NOON) + pd.to_timedelta(now, unit="s")}
    )
    # in order of becoming known the newest so far; events have moments of their own
    order = np.argsort(when + late, kind="stable")
    newest = np.maximum.accumulate(order)
    place = np.searchsorted((when + late)[order], now, side="right") - 1
    expected = [int(newest[index]) if index >= 0 else None for index in place]
    assert join(asked, rows.sample(frac=1, random_state=1), None) == expected


def test_views_are_joined_beside_each_other_and_columns_of_one_name_stay_apart() -> None:
    asked = frame([(1, at(9)), (2, at(9))], "of_user", "at").assign(known=["a", "b"])
    rows = frame([(1, at(1), at(1), 7)], "user", "at", "born", "value")
    keys = {"user": "of_user"}
    histories = [
        History("rows", "at", "born", keys, {"first__value": "value"}),
        History("rows", "at", None, keys, {"second__value": "value"}, timedelta(minutes=2)),
    ]
    query = point_in_time_query("asked", "at", histories, hide_late=True)
    found = answer(query, asked=asked, rows=rows).sort_by("of_user")
    assert found.drop_columns(["at"]).to_pylist() == [
        {"of_user": 1, "known": "a", "first__value": 7, "second__value": None},
        {"of_user": 2, "known": "b", "first__value": None, "second__value": None},
    ]


def test_a_row_of_counters_is_not_seen_at_the_very_time_of_its_event() -> None:
    """It counts the event of that time: an entity row that was made of the same event would see its own label."""
    rows = frame([(1, at(0), at(0), 5), (1, at(3), at(3), 6)], "user", "at", "born", "value")
    asked = frame([(1, at(3)), (1, at(4))], "of_user", "at")

    def sees(after: bool) -> list[int | None]:
        history = History("rows", "at", "born", {"user": "of_user"}, {"seen": "value"}, after=after)
        found = answer(point_in_time_query("asked", "at", [history], hide_late=True), asked=asked, rows=rows)
        values: list[int | None] = found.sort_by("at")["seen"].to_pylist()
        return values

    assert sees(after=False) == [6, 6]
    assert sees(after=True) == [5, 6]


def test_views_with_counters_are_joined_from_before_the_time_and_others_at_it() -> None:
    post = Entity(name="post", join_keys=["post_id"], value_type=ValueType.INT64)
    for tags, after in (({"counts": "like=1"}, True), ({}, False)):
        field = Field(name="likes", dtype=Float64, tags=tags)
        view = pushed_view("post_stats", "s3://lake/post_stats", [post], field)
        assert History.of(view, "rows", ["post_stats:likes"], full_names=False).after == after
