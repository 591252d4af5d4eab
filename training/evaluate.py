"""How well a ranker orders the slates of a dataset, beside the orders that need no model."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training import baselines
from training.dataset import Dataset
from training.metrics import FloatArray, auc, average_precision, ndcg, rank_slates

CUTOFFS = (5, 10, 30)
RANDOM_DRAWS = 10
MODEL = "model"

Metrics = dict[str, float]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Metrics of several rankers on the same impressions: ranker -> metric -> value."""

    rankers: Mapping[str, Metrics]

    def flat(self) -> Metrics:
        """All of it as `metric` for the model itself and `ranker_metric` for what it is compared with."""
        return {
            metric if ranker == MODEL else f"{ranker}_{metric}": value
            for ranker, metrics in self.rankers.items()
            for metric, value in metrics.items()
        }


def measure(dataset: Dataset, scores: FloatArray) -> Metrics:
    """`ndcg_5`, `ndcg_10`, `ndcg_30`, `map` (means over slates in which anything was engaged with) and `auc`."""
    ranked = rank_slates(dataset.labels, scores, dataset.group_sizes)
    by_cutoff = {f"ndcg_{k}": float(np.nanmean(ndcg(ranked, k))) for k in CUTOFFS}
    return {**by_cutoff, "map": float(np.nanmean(average_precision(ranked))), "auc": auc(dataset.labels, scores)}


def evaluate(dataset: Dataset, rankers: Mapping[str, FloatArray]) -> Evaluation:
    """Measure `rankers` (name -> scores, one per row) and every baseline; some impression must be engaged with."""
    measured = {name: measure(dataset, scores) for name, scores in rankers.items()}
    for name in baselines.ORDERS:
        measured[name] = measure(dataset, baselines.baseline_scores(dataset, name))
    draws = [
        measure(dataset, baselines.baseline_scores(dataset, baselines.RANDOM, seed=s)) for s in range(RANDOM_DRAWS)
    ]
    measured[baselines.RANDOM] = {metric: float(np.mean([draw[metric] for draw in draws])) for metric in draws[0]}
    return Evaluation(measured)
