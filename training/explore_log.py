"""What explore slots tell of a model before anyone sees it: posts drawn with a known chance, and what came of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.features.ranking import FEATURE_NAMES
from photofeed.offline_store.tables import ENGAGEMENT, FEED_SERVED
from training.impressions import outcome_sql
from training.intervals import FloatArray
from training.labels import ACTION_VALUES, grades
from training.off_policy import LoggedFeedback, PolicyValue, logged_value, policy_values
from training.raw_logs import RawLogs
from training.window import Window

FEWEST_ROWS = 200
FEWEST_EFFECTIVE_ROWS = 50.0
LOGGED, MODEL_VALUE = "logged", "model"


@dataclass(frozen=True, slots=True)
class ExploreLog:
    """Posts that were drawn into explore slots and seen: features as served, (rows, features), and what they earned.

    A reward is 1 for a post that was engaged with in the slate that showed it, else 0.
    """

    matrix: NDArray[np.float32]
    feedback: LoggedFeedback


def read_explore_log(logs: RawLogs, window: Window) -> ExploreLog | None:
    """The explore slots seen in slates that were served in `window`; None where there are fewer than FEWEST_ROWS.

    Slates of other features than this release computes are left out.

    Raises:
        RetryableError: object storage cannot be reached.
    """
    tables = {name: [str(part) for part in logs.parts(name, window)] for name in (FEED_SERVED, ENGAGEMENT)}
    if not all(tables.values()):
        return None
    with logs.duckdb() as connection:
        for name, parts in tables.items():
            connection.register(name, connection.read_parquet(parts, hive_partitioning=False, union_by_name=True))
        bounds: dict[str, datetime | int] = {
            "first": window.start,
            "end": window.end,
            "features": len(FEATURE_NAMES),
        }
        columns: dict[str, NDArray[Any]] = connection.execute(_QUERY, bounds).fetchnumpy()
    if len(columns["propensity"]) < FEWEST_ROWS:
        return None
    outcomes = {action: np.ma.filled(columns[action.value], False).astype(np.bool_) for action in ACTION_VALUES}
    engaged = (grades(outcomes) > 0).astype(np.float64)
    _, slates = np.unique(columns["slate_id"], return_inverse=True)
    matrix = np.stack(columns["features"].tolist()).astype(np.float32)
    return ExploreLog(matrix, LoggedFeedback(engaged, columns["propensity"].astype(np.float64), slates))


def explore_value(log: ExploreLog, scores: FloatArray) -> dict[str, PolicyValue] | None:
    """What explore slots earned per seen post, `logged`, and what they would if drawn by `scores`, (rows,): `model`.

    Explore draws posts with chances that rise with exp(score / spread of scores) (serving's explore slots). The log
    holds the posts drawn, not the ones passed over, so the new chances are known up to a factor for each slate; it is
    taken to be the same for all, which only SNIPS can do with. None where fewer than FEWEST_EFFECTIVE_ROWS bear on it.
    """
    spread = float(np.nanstd(scores)) or 1.0
    known = np.nan_to_num(scores, nan=float(np.nanmin(scores)))
    value = policy_values(log.feedback, np.exp((known - known.max()) / spread))["snips"]
    if value.effective_sample_size < FEWEST_EFFECTIVE_ROWS:
        return None
    return {LOGGED: logged_value(log.feedback), MODEL_VALUE: value}


_DONE = ", ".join(f'{outcome_sql(action)} as "{action}"' for action in ACTION_VALUES)
_NAMES = ", ".join(f'coalesce("{action}", false) as "{action}"' for action in ACTION_VALUES)

_QUERY = f"""
with drawn as (
    select distinct on (slate_id, user_id, post_id) slate_id, user_id, post_id, propensity, features from feed_served
    where source = 'explore' and propensity > 0 and propensity < 1 and len(features) = $features
        and served_at >= $first and served_at < $end
), events as (
    select distinct on (id) * from engagement where slate_id is not null and post_id is not null
), seen as (
    select distinct slate_id, user_id, post_id from events where action = 'impression'
), done as (
    select slate_id, user_id, post_id, {_DONE} from events where action <> 'impression'
    group by slate_id, user_id, post_id
)
select slate_id, propensity, features, {_NAMES}
from drawn join seen using (slate_id, user_id, post_id) left join done using (slate_id, user_id, post_id)
order by slate_id, post_id
"""  # noqa: S608  made of our own names only
