"""LightGBM forests of a given size for benchmarks."""

from collections.abc import Sequence

import lightgbm
import numpy as np
from numpy.typing import NDArray


def train_forest(
    matrix: NDArray[np.float32],
    label: NDArray[np.float64],
    trees: int,
    leaves: int,
    *,
    names: Sequence[str] = (),
    categories: Sequence[int] = (),
) -> str:
    """The text of a regression model.

    Args:
        matrix: float32 (rows, features).
        label: float64 (rows,).
        trees: number of trees.
        leaves: most leaves of a tree.
        names: names of the features, if the model must have them.
        categories: columns that are categories.
    """
    data = lightgbm.Dataset(
        matrix,
        label,
        feature_name=list(names) or "auto",
        categorical_feature=list(categories) or "auto",
    )
    parameters = {
        "objective": "regression",
        "num_leaves": leaves,
        "learning_rate": 0.05,
        "verbose": -1,
        "num_threads": 1,
    }
    text: str = lightgbm.train(parameters, data, trees).model_to_string()
    return text
