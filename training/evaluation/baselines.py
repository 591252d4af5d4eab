"""Baselines: orders that need no model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from photofeed.arrays import FloatArray
from photofeed.features.popularity import POPULARITY_FEATURES, popularity
from training.data.dataset import Dataset
from training.errors import FeaturesError


@dataclass(frozen=True, slots=True)
class Order:
    """An order by features: `score` takes their columns, (rows,) each, and returns (rows,), higher first."""

    features: tuple[str, ...]
    score: Callable[..., FloatArray]


ORDERS: Mapping[str, Order] = {
    "recency": Order(("post_age_hours",), lambda age: -age),
    # as the feed ranks without a model, so that the rung of the fallback chain and the baseline are one thing
    "popularity": Order(POPULARITY_FEATURES, popularity),
    "engagement_rate": Order(("post_engagement_rate",), lambda rate: rate),
}
RANDOM = "random"
NAMES = (*ORDERS, RANDOM)


def baseline_scores(dataset: Dataset, name: str, *, seed: int = 0) -> FloatArray:
    """The scores, (rows,), of a baseline for the impressions of a dataset. `seed` matters for `random` only.

    Raises:
        FeaturesError: the dataset lacks a feature of the baseline.
    """
    if name == RANDOM:
        return np.random.default_rng(seed).random(len(dataset))
    order = ORDERS[name]
    for feature in order.features:
        if feature not in dataset.feature_names:
            raise FeaturesError(f"the baseline {name} ranks by {feature}, and the dataset lacks that feature")
    columns = (dataset.matrix[:, dataset.feature_names.index(feature)] for feature in order.features)
    return order.score(*(column.astype(np.float64) for column in columns))
