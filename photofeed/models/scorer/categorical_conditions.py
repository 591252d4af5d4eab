"""The distinct categorical conditions of a model: each is evaluated once for all splits that use it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.models.scorer.errors import UnsupportedModelError
from photofeed.models.scorer.model_text import Tree, categories_in
from photofeed.models.scorer.runs import pad_runs, run_starts
from photofeed.models.scorer.table_arrays import MAX_CATEGORIES, OR_WIDTH, record_array


@dataclass(frozen=True, slots=True)
class CategoricalConditions:
    """Tables of the categorical conditions in order of first use; `of_split` is the condition of each such split."""

    categorical_features: NDArray[Any]
    category_codes: NDArray[np.int32]
    categorical_conditions: NDArray[Any]
    category_planes: NDArray[np.uint16]
    of_split: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Coding:
    """Codes of one feature's categories: from 1 for those that splits name, 0 for all others."""

    first_one_hot: int
    codes: int
    code_of: NDArray[np.int32]

    def right_codes(self, left: NDArray[np.int64]) -> tuple[NDArray[np.int32], int]:
        """Codes to OR for "goes right", and -1 to invert the result: the shorter side of the split."""
        left_codes = self.code_of[left]
        if 2 * len(left_codes) <= self.codes:
            return left_codes, -1
        return np.setdiff1d(np.arange(self.codes, dtype=np.int32), left_codes), 0


def collect_categorical_conditions(trees: Sequence[Tree]) -> CategoricalConditions:
    """Assign codes to the categories that splits name, and number the distinct (feature, category set) pairs.

    Planes are assigned later.

    Raises:
        UnsupportedModelError: splits name more than 65,535 categories of one feature.
    """
    used = [
        (int(tree.feature[split]), tree.category_set(split))
        for tree in trees
        for split in np.flatnonzero(tree.categorical).tolist()
    ]
    number = {condition: index for index, condition in enumerate(dict.fromkeys(used))}
    conditions = [(feature, categories_in(category_set)) for feature, category_set in number]
    codings = _code_categories(conditions)

    rights = [codings[feature].right_codes(left) for feature, left in conditions]
    lengths = np.array([len(codes) for codes, _ in rights], np.int64)
    category_planes, starts = pad_runs(_joined([codes for codes, _ in rights]), lengths, OR_WIDTH)
    code_lengths = [len(coding.code_of) for coding in codings.values()]
    return CategoricalConditions(
        record_array(
            "categorical_features",
            feature=list(codings),
            first_code=run_starts(code_lengths)[:-1],
            values=code_lengths,
            first_one_hot=[coding.first_one_hot for coding in codings.values()],
            codes=[coding.codes for coding in codings.values()],
        ),
        _joined([coding.code_of for coding in codings.values()]),
        record_array(
            "categorical_conditions",
            first=starts[:-1],
            end=starts[1:],
            first_one_hot=[codings[feature].first_one_hot for feature, _ in conditions],
            invert=[invert for _, invert in rights],
        ),
        category_planes.astype(np.uint16),
        np.array([number[condition] for condition in used], np.int64),
    )


def _code_categories(conditions: Sequence[tuple[int, NDArray[np.int64]]]) -> dict[int, _Coding]:
    named: dict[int, list[NDArray[np.int64]]] = {}
    for feature, left in conditions:
        named.setdefault(feature, []).append(left)
    codings: dict[int, _Coding] = {}
    first_one_hot = 0
    for feature, lefts in named.items():
        categories = np.unique(np.concatenate(lefts))
        codes = len(categories) + 1
        if codes > MAX_CATEGORIES:
            raise UnsupportedModelError(f"feature {feature}: splits name {len(categories)} categories")
        code_of = np.zeros(int(categories.max(initial=-1)) + 1, np.int32)
        code_of[categories] = np.arange(1, codes)
        codings[feature] = _Coding(first_one_hot, codes, code_of)
        first_one_hot += codes
    return codings


def _joined(runs: Sequence[NDArray[np.int32]]) -> NDArray[np.int32]:
    return np.concatenate([np.empty(0, np.int32), *runs])
