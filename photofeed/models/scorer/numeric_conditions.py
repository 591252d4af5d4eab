"""The distinct numeric conditions of a model: each is evaluated once for all splits that use it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.models.scorer.model_text import DEFAULT_LEFT_BIT, MISSING_NONE, MISSING_SHIFT, Tree
from photofeed.models.scorer.runs import run_starts
from photofeed.models.scorer.table_arrays import MIN_SEARCH_BITS, NEVER_MISSING, RANKS_PER_COLUMN, record_array


@dataclass(frozen=True, slots=True)
class NumericConditions:
    """Tables of the numeric conditions in order of first use; `of_split` is the condition of each such split."""

    numeric_features: NDArray[Any]
    thresholds: NDArray[np.float32]
    columns: NDArray[Any]
    numeric_conditions: NDArray[Any]
    of_split: NDArray[np.int64]


def collect_numeric_conditions(trees: Sequence[Tree]) -> NumericConditions:
    """Rank the thresholds of each feature, and number the distinct (feature, missing rule, threshold) triples.

    Planes are assigned later.
    """
    numeric = [~tree.categorical for tree in trees]
    feature = np.concatenate([tree.feature[mask] for tree, mask in zip(trees, numeric, strict=True)])
    decision = np.concatenate([tree.decision[mask] for tree, mask in zip(trees, numeric, strict=True)])
    threshold = round_down(np.concatenate([tree.threshold[mask] for tree, mask in zip(trees, numeric, strict=True)]))

    # rank of each threshold among those of its feature, which are sorted and padded for a binary search by bits
    (feature_of, distinct_thresholds), threshold_index = _distinct(feature, threshold)
    features, first, counts = np.unique(feature_of, return_index=True, return_counts=True)
    search_bits = np.array([max(int(count).bit_length(), MIN_SEARCH_BITS) for count in counts], np.int64)
    starts = run_starts(1 << search_bits)
    thresholds = np.full(starts[-1], np.inf, np.float32)
    thresholds[np.arange(len(feature_of)) + np.repeat(starts[:-1] - first, counts)] = distinct_thresholds
    rank = threshold_index - first[np.searchsorted(features, feature)]

    # one byte column per missing rule of a feature and per 255 of its ranks
    level = np.where(decision >> MISSING_SHIFT == MISSING_NONE, NEVER_MISSING, decision >> MISSING_SHIFT)
    missing_right = (level != NEVER_MISSING) & (decision & DEFAULT_LEFT_BIT == 0)
    page, rank_in_page = np.divmod(rank, RANKS_PER_COLUMN)
    (column_feature, column_level, column_right, column_page), column = _distinct(feature, level, missing_right, page)
    (condition_column, condition_rank), condition = _distinct(column, rank_in_page)
    first_use = np.full(len(condition_column), len(condition))
    np.minimum.at(first_use, condition, np.arange(len(condition)))
    by_first_use = np.argsort(first_use)

    return NumericConditions(
        record_array(
            "numeric_features",
            feature=features,
            first_threshold=starts[:-1],
            search_bits=search_bits,
            first_column=np.searchsorted(column_feature, features),
            end_column=np.searchsorted(column_feature, features, side="right"),
        ),
        thresholds,
        record_array(
            "columns",
            rank_offset=column_page * RANKS_PER_COLUMN,
            missing_from=column_level,
            missing_code=column_right * RANKS_PER_COLUMN,
        ),
        record_array("numeric_conditions", column=condition_column[by_first_use], rank=condition_rank[by_first_use]),
        np.argsort(by_first_use)[condition],
    )


def round_down(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 that is not above each threshold, with -0 as +0.

    Every float32 is at most both, or above both.
    """
    with np.errstate(over="ignore"):
        nearest = thresholds.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest > thresholds, below, nearest) + np.float32(0)


def _distinct(*keys: NDArray[Any]) -> tuple[list[NDArray[Any]], NDArray[np.int64]]:
    """The distinct combinations of the keys, sorted, and the index of each given combination among them."""
    order = np.lexsort(keys[::-1])
    ordered = [key[order] for key in keys]
    is_new = np.ones(len(order), bool)
    is_new[1:] = np.any([key[1:] != key[:-1] for key in ordered], axis=0)
    number = np.empty(len(order), np.int64)
    number[order] = np.cumsum(is_new) - 1
    return [key[is_new] for key in ordered], number
