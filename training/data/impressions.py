"""Impressions: the engagement log as one row per user, post and slate, with what the viewer did."""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from photofeed.action_weights import QUICK_SKIP_SECONDS, UNDONE_BY
from photofeed.events import ENDED_BY_OTHER, Action
from photofeed.features.program import FeatureProgram
from photofeed.features.ranking import PROGRAM
from photofeed.offline_store.tables import ENGAGEMENT, FEED_SERVED
from photofeed.times import MICROSECONDS
from training.data.labels import ACTION_VALUES, LEAVING_SECONDS
from training.data.raw_logs import RawLogs
from training.data.served_log import read_served
from training.data.window import Window
from training.errors import EmptyWindowError


@dataclass(frozen=True, slots=True)
class Impressions:
    """One row per user, post and slate, ordered by the start of the slate, then slate, then position.

    Attributes:
        slates: (rows,) the number of the slate, from 0.
        slate_start_us: (slates,) the earliest impression of the slate, microseconds since 1970.
        known_us: (rows,) the feature cutoff in microseconds: the request time from the served log, or 1 µs before the
            slate's first impression if the log lacks the post. Not the time of the impression: the action that the
            label records may precede it.
        user_ids, post_ids, creator_ids: (rows,).
        topic_ids: (rows,) 0 where the post has no topic.
        positions: (rows,) the position in the slate.
        outcomes: labelled action -> (rows,), whether the viewer did it to the post in this slate, or to its author.
        skipped: (rows,) whether the viewer looked at the post for less than QUICK_SKIP_SECONDS.
        served: (rows, features) the features as served, in the order of the program. A row is NaN where the log lacks
            any of them.
        complete: (rows,) whether the log has all features of the row.
    """

    slates: NDArray[np.int32]
    slate_start_us: NDArray[np.int64]
    known_us: NDArray[np.int64]
    user_ids: NDArray[np.int64]
    post_ids: NDArray[np.int64]
    creator_ids: NDArray[np.int64]
    topic_ids: NDArray[np.int64]
    positions: NDArray[np.int32]
    outcomes: dict[Action, NDArray[np.bool_]]
    skipped: NDArray[np.bool_]
    served: NDArray[np.float32]
    complete: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.slates)

    def take(self, rows: NDArray[np.bool_]) -> Self:
        """The impressions where the mask is true."""
        by_row = (one.name for one in fields(self) if one.name not in ("slate_start_us", "outcomes"))
        columns: dict[str, Any] = {name: getattr(self, name)[rows] for name in by_row}
        return replace(self, **columns, outcomes={action: done[rows] for action, done in self.outcomes.items()})


def read_impressions(
    logs: RawLogs, window: Window, *, with_features: bool = False, program: FeatureProgram = PROGRAM
) -> Impressions:
    """The impressions of the slates that started in `window`, from the engagement log and the served log.

    The features of the program, as served, are read only `with_features`. Without it no row is `complete`.

    An event that the log holds twice counts once. Actions count for the slate that they happened in, also after the end
    of the window.

    Raises:
        EmptyWindowError: no slate started in the window.
        RetryableError: object storage cannot be reached.
    """
    parts, pages = (logs.parts(table, window) for table in (ENGAGEMENT, FEED_SERVED))
    if not parts:
        raise EmptyWindowError(f"the engagement log is empty for {window}")
    bounds = {"first": _microseconds(window.start), "end": _microseconds(window.end)}
    with logs.duckdb() as connection:
        log = connection.read_parquet([str(part) for part in parts], hive_partitioning=False, union_by_name=True)
        connection.register("log", log)
        connection.execute(_SLATES, bounds)
        shown = connection.sql("select slate_id, user_id, slate_start_us from slates order by slate").to_arrow_table()
        found = connection.sql(_SEEN).to_arrow_table()
    if not len(found):
        raise EmptyWindowError(f"no slate started from {window}: the log has impressions of other times only")
    seen: dict[str, NDArray[Any]] = {name: found[name].to_numpy() for name in found.column_names}
    del found  # frees its memory before the matrix is allocated
    slates, post_ids, started_us = seen["slate"], seen["post_id"], shown["slate_start_us"].to_numpy()
    matrix = logs.matrix(len(slates), len(program))
    served = read_served(pages, shown, slates, post_ids, matrix, program if with_features else None)
    known_us, unknown = served.ranked_us, np.flatnonzero(served.ranked_us == 0)
    known_us[unknown] = started_us[slates[unknown]] - 1
    return Impressions(
        slates=slates,
        slate_start_us=started_us,
        known_us=known_us,
        user_ids=shown["user_id"].to_numpy()[slates],
        post_ids=post_ids,
        creator_ids=seen["creator_id"],
        topic_ids=seen["topic_id"],
        positions=seen["position"],
        outcomes={action: seen[action.value] for action in ACTION_VALUES},
        skipped=seen["skipped"],
        served=served.matrix,
        complete=served.complete,
    )


def _microseconds(moment: datetime) -> int:
    return round(moment.timestamp() * MICROSECONDS)


def outcome_sql(action: Action) -> str:
    """SQL over the events of one impression: whether `action` was done, and not undone before the end of the slate."""
    value = ACTION_VALUES[action]
    if value.seconds:
        return f"coalesce(sum(dwell_ms) filter (action = '{action}'), 0) >= {value.seconds * 1000}"
    if action in UNDONE_BY:  # the later of the two counts
        did, undid = (f"max(occurred_at) filter (action = '{each}')" for each in (action, UNDONE_BY[action]))
        return f"coalesce({did} > coalesce({undid}, '-infinity'::timestamptz), false)"
    return f"coalesce(bool_or(action = '{action}'), false)"


_OUTCOMES = ", ".join(
    f'{outcome_sql(action)} as "{action}"' for action, value in ACTION_VALUES.items() if not value.of_author
)
# Actions on authors, with what takes them back.
_LEAVING = {Action.MUTE: Action.UNMUTE, Action.UNFOLLOW: Action.FOLLOW}
_LEFT = ", ".join(
    f"arg_max(action, occurred_at) filter (action in ('{action}', '{undo}')) = '{action}' as \"{action}\""
    for action, undo in _LEAVING.items()
)
_LEFT_NAMES = ", ".join(f'coalesce("{action}", false) as "{action}"' for action in _LEAVING)
_LEAVING_ACTIONS = ", ".join(f"'{each}'" for pair in _LEAVING.items() for each in pair)
_LOOKED = f"sum(dwell_ms) filter (action = '{Action.DWELL}')"
_SUMMED = ", ".join(f"'{action}'" for action, value in ACTION_VALUES.items() if value.seconds)
_COLUMNS = "slate_id, user_id, post_id, creator_id, topic_id, action, position, dwell_ms, occurred_at"
_SHOWN = f"filter (action = '{Action.IMPRESSION}')"

_SLATES = f"""
create temp table slates as
select (row_number() over (order by slate_start_us, slate_id, user_id) - 1)::integer as slate, *
from (
    select slate_id, user_id, epoch_us(min(occurred_at)) as slate_start_us from log
    where action = '{Action.IMPRESSION}' and slate_id is not null and post_id is not null group by slate_id, user_id
) where slate_start_us >= $first and slate_start_us < $end
"""  # noqa: S608  made of our own names only

# A duplicate event changes only sums. Ids are therefore compared only for the actions that are summed.
_SEEN = f"""
with events as (
    select {_COLUMNS} from log where action not in ({_SUMMED})
    union all select distinct on (id) {_COLUMNS} from log where action in ({_SUMMED})
), seen as (
    select slate, post_id, any_value(creator_id) {_SHOWN} as creator_id,
        coalesce(any_value(topic_id) {_SHOWN}, 0) as topic_id,
        coalesce(arg_min(position, occurred_at) {_SHOWN}, 0)::integer as position,
        coalesce({_LOOKED} < {QUICK_SKIP_SECONDS * 1000}, false) as skipped, {_OUTCOMES}
    from events join slates using (slate_id, user_id)
    where post_id is not null
    group by slate, post_id having bool_or(action = '{Action.IMPRESSION}')
), leaving as (
    select user_id, creator_id, action, occurred_at, epoch_us(occurred_at) as at_us from log
    where action in ({_LEAVING_ACTIONS}) and post_id is null and source is distinct from '{ENDED_BY_OTHER}'
), left_authors as (
    select slate, creator_id, {_LEFT}
    from leaving join slates on slates.user_id = leaving.user_id
        and at_us between slate_start_us and slate_start_us + {round(LEAVING_SECONDS * MICROSECONDS)}
    group by slate, creator_id
)
select seen.*, {_LEFT_NAMES}
from seen left join left_authors using (slate, creator_id)
order by slate, position, post_id
"""  # noqa: S608  made of our own names only
