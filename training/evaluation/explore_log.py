"""Off-policy evaluation of a new model on explore slots: posts drawn with known propensities, and their rewards."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.arrays import FloatArray
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.offline_store.tables import ENGAGEMENT, FEED_SERVED
from training.data.impressions import outcome_sql
from training.data.labels import ACTION_VALUES, grades
from training.data.raw_logs import RawLogs
from training.data.window import Window
from training.statistics.off_policy import LoggedFeedback, PolicyValue, logged_value, policy_values

MIN_ROWS = 200
MIN_EFFECTIVE_ROWS = 50.0
LOGGED, MODEL_VALUE = "logged", "model"


@dataclass(frozen=True, slots=True)
class ExploreLog:
    """Posts that were drawn into explore slots and seen: features as served, (rows, features), and rewards.

    A reward is 1 if the post was engaged with in the slate that showed it, otherwise 0.
    """

    matrix: NDArray[np.float32]
    feedback: LoggedFeedback


def read_explore_log(logs: RawLogs, window: Window, names: Sequence[str] = FEATURE_NAMES) -> ExploreLog | None:
    """The explore slots that were seen in slates served in `window`. None if there are fewer than MIN_ROWS.

    Slates that were served with other features than `names` are left out.

    Raises:
        RetryableError: object storage cannot be reached.
    """
    tables = {name: [str(part) for part in logs.parts(name, window)] for name in (FEED_SERVED, ENGAGEMENT)}
    if not all(tables.values()):
        return None
    with logs.duckdb() as connection:
        for name, parts in tables.items():
            connection.register(name, connection.read_parquet(parts, hive_partitioning=False, union_by_name=True))
        bounds = {"first": window.start, "end": window.end, "names": list(names)}
        columns: dict[str, NDArray[Any]] = connection.execute(_QUERY, bounds).fetchnumpy()
    if len(columns["propensity"]) < MIN_ROWS:
        return None
    outcomes = {action: np.ma.filled(columns[action.value], False).astype(np.bool_) for action in _ON_POSTS}
    engaged = (grades(outcomes) > 0).astype(np.float64)
    _, slates = np.unique(columns["slate_id"], return_inverse=True)
    matrix = np.stack(columns["features"].tolist()).astype(np.float32)
    return ExploreLog(matrix, LoggedFeedback(engaged, columns["propensity"].astype(np.float64), slates))


def explore_value(log: ExploreLog, scores: FloatArray) -> dict[str, PolicyValue] | None:
    """The reward per seen post: `logged`, and `model` as if the slots had been drawn by `scores`, (rows,).

    Explore draws posts with probabilities proportional to exp(score / standard deviation of scores), see
    serving/feed/rerankers/explore_slots.py. The log has only the drawn posts. The new probabilities are therefore known
    up to a factor per slate, which is assumed to be equal for all slates; SNIPS is the estimator that cancels it.
    None if the effective sample size is below MIN_EFFECTIVE_ROWS.
    """
    spread = float(np.nanstd(scores)) or 1.0
    known = np.nan_to_num(scores, nan=float(np.nanmin(scores)))
    value = policy_values(log.feedback, np.exp((known - known.max()) / spread))["snips"]
    if value.effective_sample_size < MIN_EFFECTIVE_ROWS:
        return None
    return {LOGGED: logged_value(log.feedback), MODEL_VALUE: value}


_ON_POSTS = [action for action, value in ACTION_VALUES.items() if not value.of_author]
_DONE = ", ".join(f'{outcome_sql(action)} as "{action}"' for action in _ON_POSTS)
_NAMES = ", ".join(f'coalesce("{action}", false) as "{action}"' for action in _ON_POSTS)

_QUERY = f"""
with drawn as (
    select distinct on (slate_id, user_id, post_id) slate_id, user_id, post_id, propensity, features from feed_served
    where source = 'explore' and propensity > 0 and propensity < 1
        and feature_names = $names and len(features) = len($names) and served_at >= $first and served_at < $end
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
