"""What a ranker must beat: orders that need no model."""

from collections.abc import Mapping

import numpy as np

from training.dataset import Dataset
from training.errors import FeaturesError
from training.intervals import FloatArray

# baseline -> the feature it ranks by, and whether more of it comes first
ORDERS: Mapping[str, tuple[str, bool]] = {
    "recency": ("post_age_hours", False),
    "popularity": ("post_likes_24h", True),
}
RANDOM = "random"
NAMES = (*ORDERS, RANDOM)


def baseline_scores(dataset: Dataset, name: str, *, seed: int = 0) -> FloatArray:
    """The scores, (rows,), that a baseline gives to a dataset's impressions; `seed` only counts for `random`.

    Raises:
        FeaturesError: the dataset lacks the feature that the baseline ranks by.
    """
    if name == RANDOM:
        return np.random.default_rng(seed).random(len(dataset))
    feature, more_is_better = ORDERS[name]
    if feature not in dataset.feature_names:
        raise FeaturesError(f"{name} ranks by {feature}, which the dataset lacks")
    values = dataset.matrix[:, dataset.feature_names.index(feature)].astype(np.float64)
    return values if more_is_better else -values
