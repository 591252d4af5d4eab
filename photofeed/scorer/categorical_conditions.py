"""The distinct categorical conditions of a model: each is evaluated once, for all the splits that ask it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.scorer.errors import UnsupportedModelError
from photofeed.scorer.model_text import Tree, categories_in
from photofeed.scorer.runs import pad_runs
from photofeed.scorer.table_arrays import DTYPES, MAX_CATEGORIES, OR_WIDTH, record_array


@dataclass(frozen=True, slots=True)
class CategoricalConditions:
    """Tables of the categorical conditions; `of_split` numbers that of each categorical split, tree by tree."""

    categorical_features: NDArray[Any]
    category_codes: NDArray[np.int32]
    categorical_conditions: NDArray[Any]
    category_planes: NDArray[np.uint16]
    of_split: NDArray[np.int64]


def collect_categorical_conditions(trees: Sequence[Tree]) -> CategoricalConditions:
    """Number the categories that splits name, and the distinct (feature, category set).

    Raises:
        UnsupportedModelError: splits name more than 65,535 categories of one feature.
    """
    asked = [
        (int(tree.feature[split]), tree.category_set(split))
        for tree in trees
        for split in np.flatnonzero(tree.categorical).tolist()
    ]
    conditions = sorted(
        dict.fromkeys(asked), key=lambda condition: condition[0]
    )  # a feature's planes are used together
    number = {condition: place for place, condition in enumerate(conditions)}
    lefts: dict[int, list[NDArray[np.int64]]] = {}
    for feature, category_set in conditions:
        lefts.setdefault(feature, []).append(categories_in(category_set))

    features: list[tuple[int, ...]] = []
    category_codes: list[NDArray[np.int32]] = []
    rules: list[tuple[int, int]] = []
    runs: list[NDArray[np.int32]] = []
    first_code = first_plane = 0
    for feature, sets in lefts.items():
        named = np.unique(np.concatenate(sets))
        planes = len(named) + 1  # code 0 is for NaN, negative and unnamed categories: they are in no set
        if planes > MAX_CATEGORIES:
            raise UnsupportedModelError(f"feature {feature}: splits name {len(named)} categories")
        code_of = np.zeros(int(named.max(initial=-1)) + 1, np.int32)
        code_of[named] = np.arange(1, planes)
        for left in sets:
            invert = 2 * len(left) <= planes  # what goes right is the complement of left: OR the shorter of the two
            runs.append(code_of[left] if invert else np.setdiff1d(np.arange(planes, dtype=np.int32), code_of[left]))
            rules.append((first_plane, -invert))
        features.append((feature, first_code, len(code_of), first_plane, planes))
        category_codes.append(code_of)
        first_code += len(code_of)
        first_plane += planes

    lengths = np.array([len(run) for run in runs], np.int64)
    category_planes, starts = pad_runs(_joined(runs), lengths, OR_WIDTH)
    return CategoricalConditions(
        np.array(features, DTYPES["categorical_features"]),
        _joined(category_codes),
        record_array(
            "categorical_conditions",
            first=starts[:-1],
            end=starts[1:],
            first_plane=[plane for plane, _ in rules],
            invert=[mask for _, mask in rules],
        ),
        category_planes.astype(np.uint16),
        np.array([number[condition] for condition in asked], np.int64),
    )


def _joined(runs: Sequence[NDArray[np.int32]]) -> NDArray[np.int32]:
    return np.concatenate([np.empty(0, np.int32), *runs])
