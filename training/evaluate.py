"""How well a ranker orders the slates of a dataset, beside the orders that need no model, with intervals."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training import baselines
from training.calibration import calibration_error, engagement_chance, log_loss
from training.dataset import Dataset
from training.intervals import Estimate, FloatArray, Interval, Resampler
from training.metrics import (
    auc_estimate,
    average_precision,
    distinct_of_top,
    exposure,
    gini,
    mean_of_top,
    ndcg,
    rank_slates,
)
from training.segments import SEGMENTS

if TYPE_CHECKING:
    import pandas as pd

CUTOFFS = (5, 10, 30)
TOP = 10  # places that coverage, diversity, freshness and popularity look at
RANDOM_DRAWS = 10
MODEL = "model"
EVERYTHING = "all"

Metrics = dict[str, float]
Estimates = dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One metric of one ranker on one segment; of a difference, `ranker` is what the model is compared with."""

    ranker: str
    segment: str
    metric: str
    interval: Interval


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Metrics of several rankers on the same impressions.

    Attributes:
        measurements: every metric of every ranker, overall (segment `all`) and by segment.
        differences: the model less each other ranker, paired: the same people are in both.
    """

    measurements: tuple[Measurement, ...]
    differences: tuple[Measurement, ...]

    @property
    def rankers(self) -> dict[str, Metrics]:
        """Ranker -> metric -> value, over everything."""
        found: dict[str, Metrics] = {}
        for each in self.measurements:
            if each.segment == EVERYTHING:
                found.setdefault(each.ranker, {})[each.metric] = each.interval.value
        return found

    def difference(self, rival: str, metric: str, segment: str = EVERYTHING) -> Interval:
        """How much better the model's `metric` is than that of `rival`."""
        wanted = (rival, segment, metric)
        return next(d.interval for d in self.differences if (d.ranker, d.segment, d.metric) == wanted)

    def flat(self) -> Metrics:
        """All of it by name: `[ranker_][segment_]metric`, the model's own without its name, `_low` and `_high` bounds.

        Differences are called `over_<ranker>_[segment_]metric`.
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

    def frame(self) -> "pd.DataFrame":
        """A row for each measurement: ranker, segment, metric, value, low, high."""
        return _frame(self.measurements)

    def differences_frame(self) -> "pd.DataFrame":
        """A row for each difference between the model and another ranker, in the same columns."""
        return _frame(self.differences)


def measure(dataset: Dataset, scores: FloatArray) -> Metrics:
    """Every metric of one ranker (scores, one per row) over everything; see `estimates` for their names."""
    return {name: estimate.value for name, estimate in estimates(dataset, scores).items()}


def evaluate(dataset: Dataset, rankers: Mapping[str, FloatArray], *, seed: int = 0) -> Evaluation:
    """Measure `rankers` (name -> scores, one per row) and every baseline; some impression must be engaged with.

    The ranker called MODEL is compared with every other. The same seed gives the same intervals.
    """
    owners = dataset.user_ids[np.cumsum(dataset.group_sizes) - 1]
    resampler = Resampler.of(owners, seed=seed)
    named = {**rankers, **{name: baselines.baseline_scores(dataset, name) for name in baselines.ORDERS}}
    found = {name: _by_segment(dataset, scores) for name, scores in named.items()}
    found[baselines.RANDOM] = _of_random(dataset)
    measurements = [
        Measurement(ranker, *place, resampler.interval(estimate))
        for ranker, by_place in found.items()
        for place, estimate in by_place.items()
    ]
    differences = [
        Measurement(rival, *place, resampler.interval(found[MODEL][place].minus(estimate)))
        for rival, by_place in found.items()
        if rival != MODEL and MODEL in found
        for place, estimate in by_place.items()
    ]
    return Evaluation(tuple(measurements), tuple(differences))


def estimates(dataset: Dataset, scores: FloatArray) -> Estimates:
    """Every metric over everything.

    Means over slates in which anything was engaged with: `ndcg_5`, `ndcg_10`, `ndcg_30`, `map`. Over all impressions:
    `auc`; `log_loss` and `ece` of the chance of engagement that the scores stand for (training.calibration). Of the
    first ten places: `author_diversity_10`, the share of different authors; `age_hours_10`, how old the posts are;
    `popularity_10`, in which share of the impressions posts were liked less; over all slates, `coverage_10`, the share
    of the posts that stands there at all, and `gini_10`, how unequally (0 to 1).
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
    for name, values in _facts(dataset).items():
        found[f"{name}_{TOP}"] = Estimate.of_mean(mean_of_top(ranked, values, TOP))
    shown = exposure(ranked, dataset.post_ids, TOP)
    unknown = np.full(count, np.nan)  # shares of a catalogue are no means over people: no interval
    found[f"coverage_{TOP}"] = Estimate(float((shown > 0).mean()), unknown)
    found[f"gini_{TOP}"] = Estimate(gini(shown), unknown)
    return found


def _by_segment(dataset: Dataset, scores: FloatArray) -> dict[tuple[str, str], Estimate]:
    found = {(EVERYTHING, metric): estimate for metric, estimate in estimates(dataset, scores).items()}
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


def _of_random(dataset: Dataset) -> dict[tuple[str, str], Estimate]:
    """The mean of several draws: one draw of chance says little of chance."""
    draws = [
        _by_segment(dataset, baselines.baseline_scores(dataset, baselines.RANDOM, seed=draw))
        for draw in range(RANDOM_DRAWS)
    ]
    return {place: Estimate.average([draw[place] for draw in draws]) for place in draws[0]}


def _facts(dataset: Dataset) -> dict[str, FloatArray]:
    """What the top of slates is asked about: name -> (rows,)."""
    age, likes = (dataset.feature_names.index(baselines.ORDERS[name][0]) for name in ("recency", "popularity"))
    liked = np.nan_to_num(dataset.matrix[:, likes])
    in_order = np.sort(liked)
    below = (np.searchsorted(in_order, liked, "left") + np.searchsorted(in_order, liked, "right")) / 2
    return {"age_hours": dataset.matrix[:, age].astype(np.float64), "popularity": below / len(dataset)}


def _name(*parts: str) -> str:
    return "_".join(part for part in parts if part and part != EVERYTHING)


def _frame(measurements: tuple[Measurement, ...]) -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415  half a second

    return pd.DataFrame(
        [
            (each.ranker, each.segment, each.metric, each.interval.value, each.interval.low, each.interval.high)
            for each in measurements
        ],
        columns=["ranker", "segment", "metric", "value", "low", "high"],
    )
