"""What was shown, where, and what people did with it: the engagement log as one row per impression."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.events import Action
from training.errors import EmptyWindowError
from training.labels import ACTION_VALUES
from training.window import Window


@dataclass(frozen=True, slots=True)
class Impressions:
    """One row per user, post and slate, ordered by the slates' start, then slate, then position. All arrays (rows,).

    `slate_start_us` is the slate's earliest impression, microseconds since 1970; `topic_ids` is 0 where there is none;
    `outcomes` says of each labelled action whether the viewer did it to the post in this slate.
    """

    slates: NDArray[np.int64]
    slate_start_us: NDArray[np.int64]
    user_ids: NDArray[np.int64]
    post_ids: NDArray[np.int64]
    creator_ids: NDArray[np.int64]
    topic_ids: NDArray[np.int64]
    positions: NDArray[np.int32]
    outcomes: dict[Action, NDArray[np.bool_]]

    def __len__(self) -> int:
        return len(self.slates)


def read_impressions(parts: Sequence[Path], window: Window) -> Impressions:
    """The impressions of the slates that started in `window`, from Parquet parts of the engagement log.

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
        columns: dict[str, NDArray[Any]] = connection.execute(_QUERY, bounds).fetchnumpy()
    if not len(columns["slate"]):
        raise EmptyWindowError(f"no slate was seen from {window}; the log holds impressions of other times only")
    return Impressions(
        slates=columns["slate"].astype(np.int64),
        slate_start_us=columns["slate_start_us"],
        user_ids=columns["user_id"],
        post_ids=columns["post_id"],
        creator_ids=columns["creator_id"],
        topic_ids=columns["topic_id"],
        positions=columns["position"].astype(np.int32),
        outcomes={action: columns[action.value].astype(np.bool_) for action in ACTION_VALUES},
    )


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
select dense_rank() over (order by slate_start_us, slate_id, user_id) - 1 as slate, slate_start_us,
    user_id, post_id, creator_id, coalesce(topic_id, 0) as topic_id, coalesce(position, 0) as position, {_DONE}
from seen join slates using (slate_id, user_id) left join done using (slate_id, user_id, post_id)
where slate_start_us >= $first and slate_start_us < $end
order by slate, position, post_id
"""  # noqa: S608  made of our own names only
