"""Metrics of rankers on the slates of a dataset, beside the baselines, with confidence intervals."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from photofeed.arrays import FloatArray
from training.data.dataset import Dataset
from training.evaluation import baselines
from training.evaluation.segments import SEGMENTS
from training.statistics.calibration import calibration_error, engagement_chance, log_loss
from training.statistics.intervals import Estimate, Interval, Resampler
from training.statistics.metrics import (
    auc_estimate,
    average_precision,
    distinct_of_top,
    exposure,
    gini,
    has_contrast,
    mean_of_top,
    ndcg,
    rank_slates,
)

if TYPE_CHECKING:
    import pandas as pd

CUTOFFS = (5, 10, 30)
TOP = 10  # ranks that coverage, diversity, age and popularity use
RANDOM_DRAWS = 10
MODEL = "model"
# What tells a good version from a bad one: of the model, and the difference of NDCG@10 to each other ranker.
HEADLINE = ("ndcg_10", "ndcg_10_low", "ndcg_10_high", "ndcg_5", "map", "auc", "log_loss", "ece", "coverage_10")
OVERALL = "all"

Metrics = dict[str, float]
Estimates = dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One metric of one ranker on one segment. For a difference, `ranker` is what the model is compared with."""

    ranker: str
    segment: str
    metric: str
    interval: Interval


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Metrics of several rankers on the same impressions.

    Attributes:
        measurements: every metric of every ranker, overall (segment `all`) and by segment.
        differences: the model minus each other ranker, paired: both are measured on the same users.
        slates: segment -> the number of slates with a contrast within it: what its NDCG is the mean of.
    """

    measurements: tuple[Measurement, ...]
    differences: tuple[Measurement, ...]
    slates: Mapping[str, int] = field(default_factory=dict)

    @property
    def rankers(self) -> dict[str, Metrics]:
        """Ranker -> metric -> value over all slates."""
        found: dict[str, Metrics] = {}
        for each in self.measurements:
            if each.segment == OVERALL:
                found.setdefault(each.ranker, {})[each.metric] = each.interval.value
        return found

    def to_json(self) -> dict[str, Any]:
        """Rankers, and what the model is ahead of each of them by, with 95 % intervals: ranker -> metric -> bounds."""
        return {"rankers": _bounds(self.measurements), "modelMinusRanker": _bounds(self.differences)}

    def difference(self, rival: str, metric: str, segment: str = OVERALL) -> Interval:
        """The `metric` of the model minus that of `rival`."""
        wanted = (rival, segment, metric)
        return next(d.interval for d in self.differences if (d.ranker, d.segment, d.metric) == wanted)

    def flat(self) -> Metrics:
        """All values by name: `[ranker_][segment_]metric`, with `_low` and `_high` for the bounds.

        The model's own metrics have no ranker name. Differences are called `over_<ranker>_[segment_]metric`.
        """
        named = {
            _name("" if each.ranker == MODEL else each.ranker, each.segment, each.metric): each.interval
            for each in self.measurements
        }
        named |= {_name(f"over_{each.ranker}", each.segment, each.metric): each.interval for each in self.differences}
        bounds = {
            f"{name}{suffix}": value
            for name, interval in named.items()
            for suffix, value in (("", interval.value), ("_low", interval.low), ("_high", interval.high))
        }
        return {name: value for name, value in bounds.items() if not np.isnan(value)}

    def headline(self) -> Metrics:
        """The few values to compare versions by, named as in `flat`: about fifteen."""
        flat = self.flat()
        names = [*HEADLINE, *(f"over_{ranker}_ndcg_10" for ranker in self.rankers if ranker != MODEL)]
        return {name: flat[name] for name in names if name in flat}

    def frame(self) -> "pd.DataFrame":
        """One row per measurement: ranker, segment, metric, value, low, high."""
        return _frame(self.measurements)

    def differences_frame(self) -> "pd.DataFrame":
        """One row per difference between the model and another ranker, with the same columns."""
        return _frame(self.differences)


def measure(dataset: Dataset, scores: FloatArray) -> Metrics:
    """Every metric of one ranker (scores, one per row) over all slates. See `estimates` for the names."""
    return {name: estimate.value for name, estimate in estimates(dataset, scores).items()}


def evaluate(dataset: Dataset, rankers: Mapping[str, FloatArray], *, seed: int = 0) -> Evaluation:
    """Measure `rankers` (name -> scores, one per row) and every baseline. At least one row must be engaged with.

    The ranker called MODEL is compared with every other one. The same seed gives the same intervals.
    """
    owners = dataset.user_ids[np.cumsum(dataset.group_sizes) - 1]
    resampler = Resampler.of(owners, seed=seed)
    named = {**rankers, **{name: baselines.baseline_scores(dataset, name) for name in baselines.ORDERS}}
    found = {name: _by_segment(dataset, scores) for name, scores in named.items()}
    found[baselines.RANDOM] = _random_ranker(dataset)
    measurements = [
        Measurement(ranker, *key, resampler.interval(estimate))
        for ranker, by_key in found.items()
        for key, estimate in by_key.items()
    ]
    differences = [
        Measurement(rival, *key, resampler.interval(found[MODEL][key].minus(estimate)))
        for rival, by_key in found.items()
        if rival != MODEL and MODEL in found
        for key, estimate in by_key.items()
    ]
    return Evaluation(tuple(measurements), tuple(differences), _telling_slates(dataset))


def estimates(dataset: Dataset, scores: FloatArray) -> Estimates:
    """Every metric over all slates.

    - `ndcg_5`, `ndcg_10`, `ndcg_30`, `map`: means over the slates with a contrast: posts of different grades or, for
      `map`, with and without engagement. Every order of the posts of another slate is perfect.
    - `auc`: over all impressions. `log_loss` and `ece`: of the predicted chance of engagement (see calibration).
    - The first ten ranks of each slate: `author_diversity_10`, the share of different authors; `age_hours_10`, the mean
      age of the posts; `popularity_10`, the mean percentile of their engagement rate (0 to 1).
    - The first ten ranks over all slates: `coverage_10`, the share of the posts that are there at least once, and
      `gini_10`, how unequal their exposure is (0 to 1).
    """
    slates, count = np.repeat(np.arange(dataset.slates), dataset.group_sizes), dataset.slates
    engaged = dataset.labels > 0
    ranked = rank_slates(dataset.labels, scores, dataset.group_sizes)
    chance = engagement_chance(engaged, scores, slates)
    rows = dataset.group_sizes.astype(np.float64)
    found = {f"ndcg_{k}": Estimate.of_mean(ndcg(ranked, k)) for k in CUTOFFS}
    found["map"] = Estimate.of_mean(average_precision(ranked))
    found["auc"] = auc_estimate(dataset.labels, scores, slates, count)
    loss = np.bincount(slates, weights=log_loss(engaged, chance), minlength=count)
    found["log_loss"] = Estimate.of_mean(loss / rows, rows)
    found["ece"] = calibration_error(engaged, chance, slates, count)
    found[f"author_diversity_{TOP}"] = Estimate.of_mean(distinct_of_top(ranked, dataset.creator_ids, TOP))
    for name, values in _post_properties(dataset).items():
        found[f"{name}_{TOP}"] = Estimate.of_mean(mean_of_top(ranked, values, TOP))
    shown = exposure(ranked, dataset.post_ids, TOP)
    unknown = np.full(count, np.nan)  # shares of a catalogue are not means over users: no interval
    found[f"coverage_{TOP}"] = Estimate(float((shown > 0).mean()), unknown)
    found[f"gini_{TOP}"] = Estimate(gini(shown), unknown)
    return found


def _by_segment(dataset: Dataset, scores: FloatArray) -> dict[tuple[str, str], Estimate]:
    found = {(OVERALL, metric): estimate for metric, estimate in estimates(dataset, scores).items()}
    slates = np.repeat(np.arange(dataset.slates), dataset.group_sizes)
    for segment in SEGMENTS:
        rows = segment.rows(dataset)
        labels, its_scores = dataset.labels[rows], scores[rows]
        if not (labels > 0).any():
            continue
        sizes = np.bincount(slates[rows], minlength=dataset.slates).astype(np.int32)
        ranked = rank_slates(labels, its_scores, sizes)
        found[segment.name, "ndcg_10"] = Estimate.of_mean(ndcg(ranked, 10))
        found[segment.name, "auc"] = auc_estimate(labels, its_scores, slates[rows], dataset.slates)
    return found


def _telling_slates(dataset: Dataset) -> dict[str, int]:
    slates = np.repeat(np.arange(dataset.slates), dataset.group_sizes)
    rows = {OVERALL: np.ones(len(dataset), np.bool_)} | {one.name: one.rows(dataset) for one in SEGMENTS}
    return {
        name: int(has_contrast(dataset.labels[its], slates[its], dataset.slates).sum()) for name, its in rows.items()
    }


def _random_ranker(dataset: Dataset) -> dict[tuple[str, str], Estimate]:
    """The mean of several random rankers: a single one is too noisy as a baseline."""
    draws = [
        _by_segment(dataset, baselines.baseline_scores(dataset, baselines.RANDOM, seed=draw))
        for draw in range(RANDOM_DRAWS)
    ]
    return {key: Estimate.average([draw[key] for draw in draws]) for key in draws[0]}


def _post_properties(dataset: Dataset) -> dict[str, FloatArray]:
    """Properties of posts that are averaged over the first ranks: name -> (rows,)."""
    age, rate = (dataset.feature_names.index(name) for name in ("post_age_hours", "post_engagement_rate"))
    liked = np.nan_to_num(dataset.matrix[:, rate])
    in_order = np.sort(liked)
    below = (np.searchsorted(in_order, liked, "left") + np.searchsorted(in_order, liked, "right")) / 2
    return {"age_hours": dataset.matrix[:, age].astype(np.float64), "popularity": below / len(dataset)}


def _name(*parts: str) -> str:
    return "_".join(part for part in parts if part and part != OVERALL)


def _bounds(measurements: tuple[Measurement, ...]) -> dict[str, dict[str, dict[str, float | None]]]:
    """The overall measurements: ranker -> metric -> value, low and high; None where they are unknown."""
    found: dict[str, dict[str, dict[str, float | None]]] = {}
    for each in measurements:
        if each.segment == OVERALL:
            bounds = asdict(each.interval)
            plain = {name: None if np.isnan(value) else float(value) for name, value in bounds.items()}
            found.setdefault(each.ranker, {})[each.metric] = plain
    return found


def _frame(measurements: tuple[Measurement, ...]) -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415  half a second

    return pd.DataFrame(
        [
            (each.ranker, each.segment, each.metric, each.interval.value, each.interval.low, each.interval.high)
            for each in measurements
        ],
        columns=["ranker", "segment", "metric", "value", "low", "high"],
    )
