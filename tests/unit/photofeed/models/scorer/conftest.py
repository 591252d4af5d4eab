"""One trained ranker, and rows for it."""

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from photofeed.models.scorer import BitslicedScorer, build_tables

FEATURES = 6
CATEGORICAL = [4, 5]


def make_features(rows: int, seed: int) -> NDArray[np.float32]:
    """Four floats and two categories, a tenth of them missing."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(rows, FEATURES)).astype(np.float32)
    matrix[:, 1] = np.round(matrix[:, 1] * 4)
    matrix[:, 4] = random.integers(0, 12, rows)
    matrix[:, 5] = random.integers(0, 400, rows)
    matrix[random.random(matrix.shape) < 0.1] = np.nan
    return matrix


@pytest.fixture(scope="session")
def features() -> NDArray[np.float32]:
    return make_features(1200, seed=1)


@pytest.fixture(scope="session")
def ranker_text(features: NDArray[np.float32]) -> str:
    """A regression model of 20 trees with float and categorical splits."""
    filled = np.nan_to_num(features)
    target = filled[:, 0] * filled[:, 1] + np.sin(filled[:, 4]) + np.cos(filled[:, 5])
    data = lightgbm.Dataset(features, target, categorical_feature=CATEGORICAL)
    parameters = {"objective": "regression", "num_leaves": 31, "min_data_in_leaf": 3, "verbose": -1, "num_threads": 1}
    text: str = lightgbm.train(parameters, data, 20).model_to_string()
    return text


@pytest.fixture(scope="session")
def ranker(ranker_text: str) -> BitslicedScorer:
    return BitslicedScorer(build_tables(ranker_text))
