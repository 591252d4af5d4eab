"""The report of an A/B experiment: engagement per slate by arm, lift with intervals, and the sample ratio check.

Users are assigned to arms, so each user's engagement per slate is one observation. CUPED removes the variance that the
user's earlier engagement explains (Deng et al., WSDM 2013).
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.action_weights import ENGAGEMENT_ACTIONS
from photofeed.arrays import FloatArray
from photofeed.experiments import Experiment
from photofeed.offline_store.tables import ENGAGEMENT, FEED_SERVED
from training.data.raw_logs import RawLogs
from training.data.window import Window
from training.errors import EmptyWindowError
from training.statistics.intervals import Interval

NORMAL_95 = 1.959964
SRM_ALARM = 0.001  # p-value; Fabijan et al., KDD 2019
MIN_PEOPLE = 2


@dataclass(frozen=True, slots=True)
class Observations:
    """One row per user. All arrays (rows,).

    Attributes:
        arms: the index of the arm in the experiment.
        engagement: likes, comments, saves and shares per slate of the experiment.
        before: the same before the user's first slate of the experiment; NaN if there were no earlier slates.
        slates: the number of slates of the experiment.
    """

    arms: NDArray[np.int64]
    engagement: FloatArray
    before: FloatArray
    slates: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ArmResult:
    """One arm: users, slates, the mean engagement per slate, and the lift over the control.

    `lift` is the difference of the means and `adjusted_lift` the difference with CUPED. The relative lift is the
    adjusted lift divided by the mean of the control.
    """

    arm: str
    people: int
    slates: int
    engagement: Interval
    lift: Interval | None = None
    adjusted_lift: Interval | None = None
    relative_lift: float | None = None


@dataclass(frozen=True, slots=True)
class ExperimentReport:
    """The arms, the share of the variance that CUPED removed, and the p-value of the sample ratio check."""

    experiment: str
    arms: tuple[ArmResult, ...]
    variance_removed: float
    sample_ratio_p: float

    @property
    def sample_ratio_alarm(self) -> bool:
        """Whether the sizes of the arms do not match the declared shares. The lifts are then not reliable."""
        return self.sample_ratio_p < SRM_ALARM

    def to_json(self) -> dict[str, Any]:
        """The report as JSON."""
        return asdict(self) | {"sample_ratio_alarm": self.sample_ratio_alarm}


def report(experiment: Experiment, observations: Observations) -> ExperimentReport:
    """Compare every arm with the first one, the control.

    Raises:
        EmptyWindowError: an arm has fewer than two users.
    """
    counts = np.bincount(observations.arms, minlength=len(experiment.arms))
    if counts.min() < MIN_PEOPLE:
        few = experiment.arms[int(counts.argmin())].name
        raise EmptyWindowError(f"arm {few!r} of {experiment.name} has {counts.min()} people: too few to compare")
    adjusted, removed = cuped(observations.engagement, observations.before)
    control = observations.arms == 0
    results = []
    for number, arm in enumerate(experiment.arms):
        members = observations.arms == number
        lift = _difference(observations.engagement[members], observations.engagement[control]) if number else None
        better = _difference(adjusted[members], adjusted[control]) if number else None
        base = float(observations.engagement[control].mean())
        results.append(
            ArmResult(
                arm.name,
                int(counts[number]),
                int(observations.slates[members].sum()),
                _mean(observations.engagement[members]),
                lift,
                better,
                better.value / base if better and base else None,
            )
        )
    return ExperimentReport(experiment.name, tuple(results), removed, _sample_ratio(experiment, counts))


def cuped(values: FloatArray, before: FloatArray) -> tuple[FloatArray, float]:
    """The values without the part that `before` predicts, and the share of their variance that this removes.

    Users without earlier slates get the mean of the others, so that their values do not change.
    """
    known = ~np.isnan(before)
    if known.sum() < MIN_PEOPLE or np.nanvar(before) == 0:
        return values, 0.0
    past = np.where(known, before, np.nanmean(before))
    slope = float(np.cov(values, past)[0, 1] / np.var(past, ddof=1))
    adjusted = values - slope * (past - past.mean())
    variance = float(values.var())
    return adjusted, 1 - float(adjusted.var()) / variance if variance else 0.0


def read_observations(logs: RawLogs, experiment: Experiment, window: Window) -> Observations:
    """What the users of an experiment did on slates served in `window`, and before their first such slate.

    Raises:
        EmptyWindowError: no slate of the experiment was served in the window.
        RetryableError: object storage cannot be reached.
    """
    import duckdb  # noqa: PLC0415

    tables = {name: [str(part) for part in logs.parts(name, window)] for name in (FEED_SERVED, ENGAGEMENT)}
    empty = EmptyWindowError(f"no slate of {experiment.name} was served from {window}")
    if not all(tables.values()):
        raise empty
    with duckdb.connect() as connection:
        for name, parts in tables.items():
            connection.register(name, connection.read_parquet(parts, hive_partitioning=False, union_by_name=True))
        columns = connection.execute("select column_name from (describe feed_served)").fetchall()
        if ("experiment",) not in columns:
            raise empty
        bounds = {"experiment": experiment.name, "first": window.start, "end": window.end}
        found: dict[str, NDArray[Any]] = connection.execute(_QUERY, bounds).fetchnumpy()
    names = [arm.name for arm in experiment.arms]
    known = np.isin(found["arm"].astype(str), names)
    if not known.any():
        raise empty
    rows = {
        name: np.ma.filled(values[known], np.nan) if name == "before" else values[known]
        for name, values in found.items()
    }
    return Observations(
        arms=np.array([names.index(arm) for arm in rows["arm"].tolist()]),
        engagement=rows["engagement"].astype(np.float64),
        before=rows["before"].astype(np.float64),
        slates=rows["slates"].astype(np.int64),
    )


def _mean(values: FloatArray) -> Interval:
    mean, error = float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
    return Interval(mean, mean - NORMAL_95 * error, mean + NORMAL_95 * error)


def _difference(values: FloatArray, control: FloatArray) -> Interval:
    difference = float(values.mean() - control.mean())
    error = float(np.sqrt(values.var(ddof=1) / len(values) + control.var(ddof=1) / len(control)))
    return Interval(difference, difference - NORMAL_95 * error, difference + NORMAL_95 * error)


def _sample_ratio(experiment: Experiment, counts: NDArray[np.int64]) -> float:
    """The p-value of these counts under the declared shares: Pearson's chi-square test."""
    from scipy.stats import chisquare  # noqa: PLC0415

    shares = np.array([arm.share for arm in experiment.arms])
    return float(chisquare(counts, counts.sum() * shares / shares.sum()).pvalue)


_ACTIONS = ", ".join(f"'{action}'" for action in ENGAGEMENT_ACTIONS)

_QUERY = f"""
with served as (
    select slate_id, user_id, min(arm) as arm, min(served_at) as served_at from feed_served
    where experiment = $experiment and served_at >= $first and served_at < $end group by slate_id, user_id
), entered as (
    select user_id, min(served_at) as entered_at from served group by user_id
), acted as (
    select distinct on (id) * from engagement where slate_id is not null
), by_slate as (
    select user_id, slate_id, min(occurred_at) as began_at, count(*) filter (action in ({_ACTIONS})) as engaged
    from acted group by user_id, slate_id
), during as (
    select user_id, min(arm) as arm, count(*) as slates, avg(coalesce(engaged, 0)) as engagement
    from served left join by_slate using (user_id, slate_id) group by user_id having count(distinct arm) = 1
), past as (
    select user_id, avg(engaged) as before from by_slate join entered using (user_id)
    where began_at < entered_at and began_at >= $first group by user_id
)
select arm, slates, engagement, before from during left join past using (user_id) order by user_id
"""  # noqa: S608  made of our own names only
