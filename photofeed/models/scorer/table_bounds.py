"""Checks every index of arrays from a file once, because the kernel reads them without bounds checks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.models.scorer.errors import TablesError
from photofeed.models.scorer.runs import run_starts
from photofeed.models.scorer.table_arrays import (
    DTYPES,
    MAX_CATEGORIES,
    MAX_INDEX_BITS,
    MIN_SEARCH_BITS,
    OR_WIDTH,
    RANKS_PER_COLUMN,
    TableArrays,
)

MAX_SEARCH_BITS = 24
MAX_PLANES = 2**24


def check_bounds(features: int, arrays: TableArrays) -> None:
    """Raise TablesError unless all arrays have their types and every index is within the array it points into."""
    for name, dtype in DTYPES.items():
        array = getattr(arrays, name)
        if array.dtype != dtype or array.ndim != 1 or not array.flags.carray:
            raise TablesError(f"{name}: not a vector of {dtype}")
    _check_numeric(features, arrays)
    _check_categorical(features, arrays)
    _check_trees(arrays)


def _check_numeric(features: int, arrays: TableArrays) -> None:
    numeric, columns, conditions = arrays.numeric_features, arrays.columns, arrays.numeric_conditions
    _within("numeric feature", numeric["feature"], features)
    _within("search bits", numeric["search_bits"] - MIN_SEARCH_BITS, MAX_SEARCH_BITS)
    _runs("thresholds", numeric["first_threshold"], 1 << numeric["search_bits"], len(arrays.thresholds))
    _runs("columns", numeric["first_column"], numeric["end_column"] - numeric["first_column"], len(columns))
    _within("rank offset", columns["rank_offset"], 1 << MAX_SEARCH_BITS)
    _within("missing code", columns["missing_code"], RANKS_PER_COLUMN + 1)
    _within("condition's column", conditions["column"], len(columns))
    _within("condition's rank", conditions["rank"], RANKS_PER_COLUMN)
    _within("condition's plane", conditions["plane"], MAX_PLANES)


def _check_categorical(features: int, arrays: TableArrays) -> None:
    categorical, conditions = arrays.categorical_features, arrays.categorical_conditions
    _within("categorical feature", categorical["feature"], features)
    _runs("category codes", categorical["first_code"], categorical["values"], len(arrays.category_codes))
    _within("category count", categorical["codes"] - 1, MAX_CATEGORIES)
    _one_after_another("one-hot planes", categorical["first_one_hot"], categorical["codes"], arrays.one_hot_count)
    for feature in categorical:
        of_feature = arrays.category_codes[feature["first_code"] :][: feature["values"]]
        _within("category code", of_feature, feature["codes"])
    lengths = conditions["end"] - conditions["first"]
    _one_after_another("category planes", conditions["first"], lengths, len(arrays.category_planes))
    _multiples("category planes", lengths)
    if not np.isin(conditions["first_one_hot"], categorical["first_one_hot"]).all():
        raise TablesError("a categorical condition belongs to no feature")
    codes = categorical["codes"][np.searchsorted(categorical["first_one_hot"], conditions["first_one_hot"])]
    if (arrays.category_planes >= np.repeat(codes, lengths)).any():
        raise TablesError("a categorical condition lists categories that its feature does not have")
    _within("condition's plane", conditions["plane"], MAX_PLANES)


def _check_trees(arrays: TableArrays) -> None:
    splits, trees, starts = arrays.splits, arrays.trees, arrays.index_starts
    for kind, count in (
        ("numeric", len(arrays.numeric_conditions)),
        ("categorical", len(arrays.categorical_conditions)),
    ):
        first, end = trees[f"first_{kind}"], trees[f"end_{kind}"]
        _one_after_another(f"{kind} conditions", first, end - first, count)
    _runs("splits", trees["first_split"], trees["end_split"] - trees["first_split"], len(splits))
    _within("slot", splits["slot"], arrays.slot_count - 1)  # the left child's slot is the next one
    _within("right child's slot", splits["right_slot"], arrays.slot_count)
    _within("split's plane", splits["plane"], arrays.answer_count)
    _within("index bits", trees["bits"], MAX_INDEX_BITS + 1)
    _runs("index starts", trees["first_bit"], trees["bits"], len(starts) - 1)
    _runs("index terms", starts[:-1], np.diff(starts), len(arrays.index_terms))
    _multiples("index terms", np.diff(starts))
    _within("index term", arrays.index_terms, arrays.slot_count)
    _runs("leaf values", trees["first_leaf"], 1 << trees["bits"], len(arrays.leaf_values))


def _within(what: str, values: NDArray[Any], end: int) -> None:
    if values.size and (values.min() < 0 or values.max() >= end):
        raise TablesError(f"{what} out of range: {values.min()} to {values.max()}, must be in 0 to {end - 1}")


def _runs(what: str, first: NDArray[Any], lengths: NDArray[Any], end: int) -> None:
    if (first < 0).any() or (lengths < 0).any() or (first.astype(np.int64) + lengths > end).any():
        raise TablesError(f"{what}: a run is not within 0 to {end}")


def _one_after_another(what: str, first: NDArray[Any], lengths: NDArray[Any], end: int) -> None:
    if (lengths < 0).any() or not np.array_equal(run_starts(lengths), [*first, end]):
        raise TablesError(f"{what}: the runs do not follow one another up to {end}")


def _multiples(what: str, lengths: NDArray[Any]) -> None:
    if (lengths % OR_WIDTH).any():
        raise TablesError(f"{what}: a run is not padded to a multiple of {OR_WIDTH}")
