"""Refuses datasets whose features already tell the label, or hold what is no measurement."""

import numpy as np
from numpy.typing import NDArray

from training.dataset import Dataset
from training.errors import FeaturesError, LeakError
from training.matrix_on_disk import let_go, pieces
from training.metrics import auc

# No honest feature tells by itself who will engage in 97 of 100 pairs; a copy of what happened does.
MOST_TELLING = 0.97
FEWEST_OF_A_KIND = 20  # fewer engagements are told apart by chance
MOST_ROWS, ROWS_AT_ONCE = 50_000, 5_000


def check_features(dataset: Dataset) -> None:
    """Nothing, if every feature may be learned from. NaN is a missing value, and fine.

    Raises:
        FeaturesError: a feature is infinite somewhere; the message names it.
        LeakError: a feature alone tells what was engaged with; the message names every such feature.
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
        raise LeakError(f"features that know the label: {found}; is what happened afterwards counted in them?")


def leaking_features(dataset: Dataset) -> dict[str, float]:
    """The features that alone tell engaged rows from others, and how well: name -> AUC, in either direction.

    Large datasets are judged by slates spread evenly over them.
    """
    rows = _sample(dataset)
    labels = dataset.labels[rows]
    engaged = int((labels > 0).sum())
    if min(engaged, len(labels) - engaged) < FEWEST_OF_A_KIND:
        return {}
    sampled = []
    for some in np.array_split(rows, -(-len(rows) // ROWS_AT_ONCE)):
        sampled.append(dataset.matrix[some])
        let_go(dataset.matrix)  # spread as they are, their pages are most of it
    columns = np.concatenate(sampled).T
    values = {
        name: auc(labels, column.astype(np.float64))
        for name, column in zip(dataset.feature_names, columns, strict=True)
    }
    telling = {name: max(value, 1 - value) for name, value in values.items()}
    return {name: value for name, value in telling.items() if value >= MOST_TELLING}


def _sample(dataset: Dataset) -> NDArray[np.intp]:
    if len(dataset) <= MOST_ROWS:
        return np.arange(len(dataset))
    every = -(-len(dataset) // MOST_ROWS)
    slates = np.repeat(np.arange(dataset.slates), dataset.group_sizes)
    return np.flatnonzero(slates % every == 0)
