"""Refuses datasets with a feature that reveals the label, or with infinite feature values."""

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import Dataset
from training.data.matrix_on_disk import pieces, release_pages
from training.errors import FeaturesError, LeakError
from training.statistics.metrics import auc

# No honest feature alone ranks 97 of 100 pairs of impressions correctly. A copy of the outcome does.
LEAK_AUC = 0.97
MIN_ROWS_OF_A_CLASS = 20  # with fewer, a high AUC is likely by chance
MAX_ROWS, ROWS_AT_ONCE = 50_000, 5_000


def check_features(dataset: Dataset) -> None:
    """Check that every feature may be learned from. NaN means a missing value and is allowed.

    Raises:
        FeaturesError: a feature has infinite values; the message names it.
        LeakError: a feature alone predicts the label; the message names every such feature.
    """
    infinite = np.zeros(len(dataset.feature_names), dtype=np.int64)
    for piece in pieces(dataset.matrix):
        infinite += np.isinf(piece).sum(axis=0)
    if infinite.any():
        found = ", ".join(f"{dataset.feature_names[i]} in {infinite[i]} rows" for i in np.flatnonzero(infinite))
        raise FeaturesError(f"infinite values: {found}")
    leaks = leaking_features(dataset)
    if leaks:
        found = ", ".join(f"{name} (AUC {value:.3f})" for name, value in leaks.items())
        raise LeakError(f"features that reveal the label: {found}. Do they count events after the ranking?")


def leaking_features(dataset: Dataset) -> dict[str, float]:
    """The features that alone separate engaged rows from others: name -> AUC, in the better direction.

    Large datasets are sampled: every n-th slate.
    """
    rows = _sample(dataset)
    labels = dataset.labels[rows]
    engaged = int((labels > 0).sum())
    if min(engaged, len(labels) - engaged) < MIN_ROWS_OF_A_CLASS:
        return {}
    sampled = []
    for some in np.array_split(rows, -(-len(rows) // ROWS_AT_ONCE)):
        sampled.append(dataset.matrix[some])
        release_pages(dataset.matrix)  # the sampled rows touch most pages
    columns = np.concatenate(sampled).T
    values = {
        name: auc(labels, column.astype(np.float64))
        for name, column in zip(dataset.feature_names, columns, strict=True)
    }
    best = {name: max(value, 1 - value) for name, value in values.items()}
    return {name: value for name, value in best.items() if value >= LEAK_AUC}


def _sample(dataset: Dataset) -> NDArray[np.intp]:
    if len(dataset) <= MAX_ROWS:
        return np.arange(len(dataset))
    every = -(-len(dataset) // MAX_ROWS)
    slates = np.repeat(np.arange(dataset.slates), dataset.group_sizes)
    return np.flatnonzero(slates % every == 0)
