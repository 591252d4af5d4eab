"""The arrays of a compiled model, which the kernel reads."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

MIN_SEARCH_BITS = (
    2  # thresholds of a feature are padded to a power of two, at least 4: the kernel compares four at a time
)
RANKS_PER_COLUMN = 255  # a code byte is the number of thresholds below a value: 0 to 255
OR_WIDTH = 4  # runs of planes to OR are padded to a multiple of this
NEVER_MISSING = 3  # `missing_from` of splits without missing values
MAX_INDEX_BITS = 16
MAX_CATEGORIES = 2**16  # of one feature, including the code of categories that no split names


class TableArrays(NamedTuple):
    """The input of the kernel, in the order of its stages. A plane holds one bit for each row of a block.

    `numeric_features`: the float features, each with its padded run of `thresholds` and its run of `columns`.
    `columns`: code bytes of ranks: a value whose missing level (0 none, 1 zero, 2 NaN) is at least `missing_from` gets
        `missing_code`; other values get their rank minus `rank_offset`, clipped to a byte.
    `categorical_features`: each with its run of `category_codes` (0 for categories that no split names) and the first
        of its one-hot planes, one per code.
    `numeric_conditions`: a row goes right if the code in `column` is above `rank`; the answer goes to `plane`.
    `categorical_conditions`: a row goes right if its bit is set in the OR of the one-hot planes that a run of
        `category_planes` lists, relative to `first_one_hot`, XOR `invert`; the answer goes to `plane`.
    `splits`: per tree in preorder: slot, slot of the right child (the left child's is slot + 1), and the plane of its
        condition's answer.
    `trees`: each with the runs of conditions that no earlier tree uses, its run of `splits`, its run of
        `leaf_values` (from left to right, padded to 2^bits), and the entry of `index_starts` for the lowest of the
        `bits` of its leaf number.
    `index_starts`: the bit at entry i is the OR of the slots that `index_terms` lists from its value to that of i + 1.
    """

    numeric_features: NDArray[Any]
    thresholds: NDArray[np.float32]
    columns: NDArray[Any]
    categorical_features: NDArray[Any]
    category_codes: NDArray[np.int32]
    numeric_conditions: NDArray[Any]
    categorical_conditions: NDArray[Any]
    category_planes: NDArray[np.uint16]
    splits: NDArray[Any]
    trees: NDArray[Any]
    index_starts: NDArray[np.int32]
    index_terms: NDArray[np.int32]
    leaf_values: NDArray[np.float64]

    @property
    def answer_count(self) -> int:
        """Number of planes for the answers to conditions."""
        planes = (self.numeric_conditions["plane"], self.categorical_conditions["plane"])
        return 1 + max(int(numbers.max(initial=-1)) for numbers in planes)

    @property
    def one_hot_count(self) -> int:
        """Number of planes for the categories of the rows."""
        return int(self.categorical_features["codes"].sum())

    @property
    def slot_count(self) -> int:
        """Number of nodes of the largest tree."""
        return 2 * int((self.trees["end_split"] - self.trees["first_split"]).max(initial=0)) + 1


def _record(*fields: str) -> np.dtype[Any]:
    return np.dtype([(field, np.int32) for field in fields])


DTYPES: dict[str, np.dtype[Any]] = {
    "numeric_features": _record("feature", "first_threshold", "search_bits", "first_column", "end_column"),
    "thresholds": np.dtype(np.float32),
    "columns": _record("rank_offset", "missing_from", "missing_code"),
    "categorical_features": _record("feature", "first_code", "values", "first_one_hot", "codes"),
    "category_codes": np.dtype(np.int32),
    "numeric_conditions": _record("column", "rank", "plane"),
    "categorical_conditions": _record("first", "end", "first_one_hot", "invert", "plane"),
    "category_planes": np.dtype(np.uint16),
    "splits": _record("slot", "right_slot", "plane"),
    "trees": _record(
        "first_numeric",
        "end_numeric",
        "first_categorical",
        "end_categorical",
        "first_split",
        "end_split",
        "first_bit",
        "bits",
        "first_leaf",
    ),
    "index_starts": np.dtype(np.int32),
    "index_terms": np.dtype(np.int32),
    "leaf_values": np.dtype(np.float64),
}


def record_array(name: str, **fields: ArrayLike) -> NDArray[Any]:
    """The array `name` of `TableArrays`, from one keyword per field, all of one length."""
    size = max(np.size(values) for values in fields.values())
    records = np.zeros(size, DTYPES[name])
    for field, values in fields.items():
        records[field] = values
    return records
