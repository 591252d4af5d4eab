"""What was shown, where, and what people did with it: engagement and served log as one row per impression."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from photofeed.events import Action
from photofeed.features.ranking import FEATURE_NAMES
from training.errors import EmptyWindowError
from training.labels import ACTION_VALUES
from training.window import Window


@dataclass(frozen=True, slots=True)
class Impressions:
    """One row per user, post and slate, ordered by the slates' start, then slate, then position. All arrays (rows,).

    `slate_start_us` is the slate's earliest impression, `ranked_us` the moment that its features were read for, both
    microseconds since 1970; the latter is 0 where the served log does not know the post in this slate. `topic_ids` is 0
    where there is none; `outcomes` says of each labelled action whether the viewer did it to the post in this slate.
    `served` holds the features as served, (rows, features) in the order of FEATURE_NAMES; a row of NaN where the log
    lacks any of them, of which `complete`, (rows,) bool, tells.
    """

    slates: NDArray[np.int64]
    slate_start_us: NDArray[np.int64]
    user_ids: NDArray[np.int64]
    post_ids: NDArray[np.int64]
    creator_ids: NDArray[np.int64]
    topic_ids: NDArray[np.int64]
    positions: NDArray[np.int32]
    ranked_us: NDArray[np.int64]
    outcomes: dict[Action, NDArray[np.bool_]]
    served: NDArray[np.float32]
    complete: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.slates)

    @property
    def known_us(self) -> NDArray[np.int64]:
        """Until when things were known to whoever ranked the slate, (rows,).

        The moment of ranking or, where that is not known, just before the slate's first impression. Not the
        impression's own time: the like to be foretold may come before it.
        """
        return np.where(self.ranked_us > 0, self.ranked_us, self.slate_start_us - 1)

    def take(self, rows: NDArray[np.bool_]) -> Self:
        """The impressions where the mask is true."""
        columns = {one.name: getattr(self, one.name) for one in fields(self)}
        outcomes = {action: done[rows] for action, done in self.outcomes.items()}
        return type(self)(**{n: column[rows] for n, column in columns.items() if n != "outcomes"}, outcomes=outcomes)


def read_impressions(
    parts: Sequence[Path], served_parts: Sequence[Path], window: Window, *, with_features: bool = False
) -> Impressions:
    """The impressions of the slates that started in `window`, from Parquet parts of engagement and served log.

    The features as served are read only `with_features`; without, no row is `complete`.

    An event that the log holds twice counts once. Actions count for the slate they happened in, to its end, even past
    the window's.

    Raises:
        EmptyWindowError: there are none.
    """
    import duckdb  # noqa: PLC0415  only the commands that build datasets need it

    if not parts:
        raise EmptyWindowError(f"the engagement log is empty for {window}")
    with duckdb.connect() as connection:
        bounds = {"first": _microseconds(window.start), "end": _microseconds(window.end)}
        events = connection.read_parquet([str(part) for part in parts], hive_partitioning=False, union_by_name=True)
        connection.register("log", events)
        connection.register("no_pages", _SERVED.empty_table())
        pages = [str(part) for part in served_parts]
        if pages:
            connection.register("pages", connection.read_parquet(pages, hive_partitioning=False, union_by_name=True))
        served = "no_pages union all by name select * from pages" if pages else "no_pages"
        nothing = "null::float[] as features, null::varchar as feature_names"
        wanted = "features, feature_names" if with_features else nothing
        query = _QUERY.format(served=served, wanted=wanted)
        found: Any = connection.sql(query, params=bounds).to_arrow_table()
    if not len(found):
        raise EmptyWindowError(f"no slate was seen from {window}; the log holds impressions of other times only")
    columns: dict[str, NDArray[Any]] = {
        name: found[name].to_numpy() for name in found.column_names if name not in ("features", "feature_names")
    }
    matrix, complete = _served(found["feature_names"].combine_chunks(), found["features"].combine_chunks())
    return Impressions(
        slates=columns["slate"].astype(np.int64),
        slate_start_us=columns["slate_start_us"],
        user_ids=columns["user_id"],
        post_ids=columns["post_id"],
        creator_ids=columns["creator_id"],
        topic_ids=columns["topic_id"],
        positions=columns["position"].astype(np.int32),
        ranked_us=columns["ranked_us"],
        outcomes={action: columns[action.value].astype(np.bool_) for action in ACTION_VALUES},
        served=matrix,
        complete=complete,
    )


def _served(names: pa.Array, features: pa.Array) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The features in today's order, and which rows have all of them; those that were served besides are left out."""
    matrix = np.full((len(names), len(FEATURE_NAMES)), np.nan, dtype=np.float32)
    complete = np.zeros(len(names), np.bool_)
    for order in names.unique().drop_null().to_pylist():
        served = order.split(",")
        if set(served) >= set(FEATURE_NAMES):
            rows = pc.equal(names, order).fill_null(False).to_numpy(zero_copy_only=False)
            values = features.filter(pa.array(rows)).flatten().fill_null(np.nan).to_numpy(zero_copy_only=False)
            matrix[rows] = values.reshape(-1, len(served))[:, [served.index(name) for name in FEATURE_NAMES]]
            complete |= rows
    return matrix, complete


def _microseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)


def outcome_sql(action: Action) -> str:
    """SQL that says whether `action` stands at the end of a slate, over the events of one impression."""
    value = ACTION_VALUES[action]
    if value.seconds:
        return f"coalesce(sum(dwell_ms) filter (action = '{action}'), 0) >= {value.seconds * 1000}"
    if value.undone_by:
        both = f"action in ('{action}', '{value.undone_by}')"
        return f"coalesce(arg_max(action, occurred_at) filter ({both}) = '{action}', false)"
    return f"bool_or(action = '{action}')"


_OUTCOMES = ", ".join(f'{outcome_sql(action)} as "{action}"' for action in ACTION_VALUES)
_DONE = ", ".join(f'coalesce("{action}", false) as "{action}"' for action in ACTION_VALUES)

_SERVED = pa.schema(
    [
        *[("slate_id", pa.string()), ("user_id", pa.int64()), ("post_id", pa.int64())],
        *[(moment, pa.timestamp("us", tz="UTC")) for moment in ("served_at", "ranked_at")],
        *[("feature_names", pa.list_(pa.string())), ("features", pa.list_(pa.float32()))],
    ]
)

_QUERY = f"""
with events as (
    select distinct on (id) * from log where slate_id is not null and post_id is not null
), seen as (
    select slate_id, user_id, post_id, min(occurred_at) as seen_at, arg_min(position, occurred_at) as position,
        any_value(creator_id) as creator_id, any_value(topic_id) as topic_id
    from events where action = '{Action.IMPRESSION}' group by slate_id, user_id, post_id
), slates as (
    select slate_id, user_id, epoch_us(min(seen_at)) as slate_start_us from seen group by slate_id, user_id
), done as (
    select slate_id, user_id, post_id, {_OUTCOMES}
    from events where action <> '{Action.IMPRESSION}' group by slate_id, user_id, post_id
)
, served as (
    select distinct on (slate_id, user_id, post_id) slate_id, user_id, post_id, epoch_us(ranked_at) as ranked_us,
        features,
        case when len(features) = len(feature_names) then array_to_string(feature_names, ',') end as feature_names
    from (select * from {{served}}) where ranked_at is not null order by served_at
)
select dense_rank() over (order by slate_start_us, slate_id, user_id) - 1 as slate, slate_start_us,
    user_id, post_id, creator_id, coalesce(topic_id, 0) as topic_id, coalesce(position, 0) as position, {_DONE},
    coalesce(ranked_us, 0) as ranked_us, {{wanted}}
from seen join slates using (slate_id, user_id) left join done using (slate_id, user_id, post_id)
    left join served using (slate_id, user_id, post_id)
where slate_start_us >= $first and slate_start_us < $end
order by slate, position, post_id
"""  # noqa: S608  made of our own names only
