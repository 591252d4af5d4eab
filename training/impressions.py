"""What was shown, where, and what people did with it: the engagement log as one row per impression."""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from photofeed.events import Action
from photofeed.offline_store.tables import ENGAGEMENT, FEED_SERVED
from training.errors import EmptyWindowError
from training.labels import ACTION_VALUES
from training.raw_logs import RawLogs
from training.served_log import read_served
from training.window import Window


@dataclass(frozen=True, slots=True)
class Impressions:
    """One row per user, post and slate, ordered by the slates' start, then slate, then position. All arrays (rows,).

    But `slate_start_us`, by the number of the slate: its earliest impression, microseconds since 1970. `known_us` is
    until when things were known to whoever ranked the slate: the moment that the features were read for or, where the
    served log does not know the post in this slate, just before the slate's first impression. Not the impression's own
    time: the like to be foretold may come before it.

    `topic_ids` is 0 where there is none; `outcomes` says of each labelled action whether the viewer did it to the post
    in this slate. `served` holds the features as served, (rows, features) in the order of FEATURE_NAMES; a row of NaN
    where the log lacks any of them, of which `complete`, (rows,) bool, tells.
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
    served: NDArray[np.float32]
    complete: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.slates)

    def take(self, rows: NDArray[np.bool_]) -> Self:
        """The impressions where the mask is true."""
        by_row = (one.name for one in fields(self) if one.name not in ("slate_start_us", "outcomes"))
        columns: dict[str, Any] = {name: getattr(self, name)[rows] for name in by_row}
        return replace(self, **columns, outcomes={action: done[rows] for action, done in self.outcomes.items()})


def read_impressions(logs: RawLogs, window: Window, *, with_features: bool = False) -> Impressions:
    """The impressions of the slates that started in `window`, from engagement and served log.

    The features as served are read only `with_features`; without, no row is `complete`.

    An event that the log holds twice counts once. Actions count for the slate they happened in, to its end, even past
    the window's.

    Raises:
        EmptyWindowError: there are none.
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
        raise EmptyWindowError(f"no slate was seen from {window}; the log holds impressions of other times only")
    seen: dict[str, NDArray[Any]] = {name: found[name].to_numpy() for name in found.column_names}
    del found  # its memory, before that of the matrix
    slates, post_ids, started_us = seen["slate"], seen["post_id"], shown["slate_start_us"].to_numpy()
    served = read_served(pages, shown, slates, post_ids, logs.matrix(len(slates)), features=with_features)
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
        served=served.matrix,
        complete=served.complete,
    )


def _microseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)


def outcome_sql(action: Action) -> str:
    """SQL that says whether `action` stands at the end of a slate, over the events of one impression."""
    value = ACTION_VALUES[action]
    if value.seconds:
        return f"coalesce(sum(dwell_ms) filter (action = '{action}'), 0) >= {value.seconds * 1000}"
    if value.undone_by:
        did, undid = (f"max(occurred_at) filter (action = '{each}')" for each in (action, value.undone_by))
        return f"coalesce({did} > coalesce({undid}, '-infinity'::timestamptz), false)"
    return f"coalesce(bool_or(action = '{action}'), false)"


_OUTCOMES = ", ".join(f'{outcome_sql(action)} as "{action}"' for action in ACTION_VALUES)
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

# An event that came twice changes nothing but a sum, so only of what is summed up the ids are compared.
_SEEN = f"""
with events as (
    select {_COLUMNS} from log where action not in ({_SUMMED})
    union all select distinct on (id) {_COLUMNS} from log where action in ({_SUMMED})
)
select slate, post_id, any_value(creator_id) {_SHOWN} as creator_id,
    coalesce(any_value(topic_id) {_SHOWN}, 0) as topic_id,
    coalesce(arg_min(position, occurred_at) {_SHOWN}, 0)::integer as position, {_OUTCOMES}
from events join slates using (slate_id, user_id)
where post_id is not null
group by slate, post_id having bool_or(action = '{Action.IMPRESSION}')
order by slate, position, post_id
"""  # noqa: S608  made of our own names only
