"""From a model text to scoring tables."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from photofeed.scorer.categorical_conditions import CategoricalConditions, collect_categorical_conditions
from photofeed.scorer.layout import lay_out
from photofeed.scorer.model_text import Tree, parse_model
from photofeed.scorer.numeric_conditions import NumericConditions, collect_numeric_conditions
from photofeed.scorer.plane_numbers import number_planes
from photofeed.scorer.runs import run_starts
from photofeed.scorer.table_arrays import TableArrays
from photofeed.scorer.tables import ScoringTables


def build_tables(model_text: str) -> ScoringTables:
    """Compile a model: less than a second for 500 trees of 63 leaves.

    Raises:
        ModelTextError: the text is cut off, damaged or no LightGBM model.
        UnsupportedModelError: the kernel does not cover the model; the message says why.
    """
    model = parse_model(model_text)
    numeric = collect_numeric_conditions(model.trees)
    categorical = collect_categorical_conditions(model.trees)

    asked = _conditions_of_trees(model.trees, numeric, categorical)
    planes = number_planes(asked)
    numeric_count = len(numeric.numeric_conditions)
    numeric.numeric_conditions["plane"] = planes[:numeric_count]
    categorical.categorical_conditions["plane"] = planes[numeric_count:]

    layout = lay_out(model.trees, [planes[conditions] for conditions in asked])
    numeric_starts = _new_conditions([conditions[conditions < numeric_count] for conditions in asked])
    categorical_starts = _new_conditions(
        [conditions[conditions >= numeric_count] - numeric_count for conditions in asked]
    )
    layout.trees["first_numeric"], layout.trees["end_numeric"] = numeric_starts[:-1], numeric_starts[1:]
    layout.trees["first_categorical"], layout.trees["end_categorical"] = categorical_starts[:-1], categorical_starts[1:]
    return ScoringTables(
        model.sha256,
        model.features,
        TableArrays(
            numeric_features=numeric.numeric_features,
            thresholds=numeric.thresholds,
            columns=numeric.columns,
            categorical_features=categorical.categorical_features,
            category_codes=categorical.category_codes,
            numeric_conditions=numeric.numeric_conditions,
            categorical_conditions=categorical.categorical_conditions,
            category_planes=categorical.category_planes,
            splits=layout.splits,
            trees=layout.trees,
            index_starts=layout.index_starts,
            index_terms=layout.index_terms,
            leaf_values=layout.leaf_values,
        ),
    )


def _conditions_of_trees(
    trees: Sequence[Tree], numeric: NumericConditions, categorical: CategoricalConditions
) -> list[NDArray[np.int64]]:
    """The number of each split's condition, tree by tree; categorical ones are numbered after the numeric ones."""
    is_categorical = np.concatenate([tree.categorical for tree in trees])
    condition = np.empty(len(is_categorical), np.int64)
    condition[~is_categorical] = numeric.of_split
    condition[is_categorical] = len(numeric.numeric_conditions) + categorical.of_split
    return np.split(condition, run_starts([len(tree.feature) for tree in trees])[1:-1])


def _new_conditions(asked: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """The runs of the conditions that each tree is the first to ask: they are numbered in the order of first use."""
    seen = np.maximum.accumulate([conditions.max(initial=-1) + 1 for conditions in asked])
    return np.concatenate([np.zeros(1, np.int64), seen])
