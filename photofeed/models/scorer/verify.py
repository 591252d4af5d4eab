"""Verifies that a scorer equals Booster.predict exactly, on rows that are hard for the model."""

import numpy as np
from numpy.typing import NDArray

from photofeed.models.scorer.errors import ScorerMismatchError
from photofeed.models.scorer.model_text import Model, categories_in, parse_model
from photofeed.models.scorer.numeric_conditions import round_down
from photofeed.models.scorer.scorer import BoosterScorer, Scorer

SHARE_OF_EDGES = 0.25  # of the values of a row
EDGES = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-35, -1e-35, 2e-35, 1e-45, 3.4e38, -0.5, -1.0, -3e9, 3e9], np.float32
)


def verify_exact(scorer: Scorer, booster_text: str, rows: int, seed: int = 0) -> None:
    """Compare the scores of `rows` hard rows with `Booster.predict(raw_score=True)`, bit for bit.

    A BoosterScorer is the reference itself and passes without a check, even if only LightGBM can read the model.

    Raises:
        ScorerMismatchError: they differ; it names the first row that does.
        ModelTextError: the text is truncated, damaged or not a LightGBM model.
        UnsupportedModelError: the model is of a kind for which no rows can be made.
    """
    if isinstance(scorer, BoosterScorer):
        return
    matrix = hard_rows(parse_model(booster_text), rows, seed)
    expected, got = BoosterScorer(booster_text).score(matrix), scorer.score(matrix)
    different = np.flatnonzero(expected.view(np.int64) != got.view(np.int64))
    if different.size:
        row = int(different[0])
        raise ScorerMismatchError(row, float(expected[row]), float(got[row]))


def hard_rows(model: Model, rows: int, seed: int) -> NDArray[np.float32]:
    """Rows with values near the splits of a model: (rows, features) float32.

    Most values are a threshold of their feature or the float32 next to it, or a category that a split names or a number
    next to it. The others are NaN, infinities, zeros, tiny and huge numbers.
    """
    random = np.random.default_rng(seed)
    matrix = random.choice(EDGES, (rows, model.features))
    for feature, candidates in _split_values(model).items():
        values = random.choice(candidates, rows)
        plain = random.random(rows) >= SHARE_OF_EDGES
        matrix[plain, feature] = values[plain]
    return matrix


def _split_values(model: Model) -> dict[int, NDArray[np.float32]]:
    """Per feature that splits test, the values at and next to their thresholds and categories."""
    candidates: dict[int, list[NDArray[np.float32]]] = {}
    for tree in model.trees:
        at = round_down(tree.threshold)
        beside = np.stack([at, np.nextafter(at, np.float32(np.inf)), np.nextafter(at, np.float32(-np.inf))], axis=1)
        for split, feature in enumerate(tree.feature.tolist()):
            if tree.categorical[split]:
                named = categories_in(tree.category_set(split))
                values = np.concatenate([named, named + 1, named - 1, named + 0.5]).astype(np.float32)
            else:
                values = beside[split]
            candidates.setdefault(feature, []).append(values)
    return {feature: np.unique(np.concatenate(values)) for feature, values in candidates.items()}
