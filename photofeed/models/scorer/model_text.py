"""Parses LightGBM's model text into arrays.

The text is what `Booster.model_to_string()` and `save_model()` write: `key=value` lines, a header first, then one block
per tree from `Tree=0` to `end of trees`. Only what determines scores is kept.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from photofeed.models.scorer.errors import ModelTextError, UnsupportedModelError

TEXT_VERSIONS = ("v3", "v4")
MAX_LEAVES = 2**16

# a split's `decision_type`: bit 0 categorical, bit 1 missing values go left, bits 2-3 which values count as missing
CATEGORICAL_BIT = 1
DEFAULT_LEFT_BIT = 2
MISSING_SHIFT = 2
MISSING_NONE, MISSING_ZERO, MISSING_NAN = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Tree:
    """One decision tree of n leaves and n - 1 splits; split 0 is the root.

    A child >= 0 is a split and comes after its parent; a child < 0 is leaf `~child`. `threshold` of a categorical split
    is the number of its category set, whose words are `category_words[category_bounds[k]:category_bounds[k + 1]]`.
    """

    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    decision: NDArray[np.int32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    leaf_value: NDArray[np.float64]
    category_bounds: NDArray[np.int64]
    category_words: NDArray[np.uint32]

    @property
    def categorical(self) -> NDArray[np.bool_]:
        """Mask of the categorical splits."""
        return (self.decision & CATEGORICAL_BIT).astype(bool)

    def category_set(self, split: int) -> bytes:
        """The categories that a categorical split sends left, as a bit set; equal sets are equal bytes."""
        number = int(self.threshold[split])
        words = self.category_words[self.category_bounds[number] : self.category_bounds[number + 1]]
        return words.astype("<u4").tobytes().rstrip(b"\0")


@dataclass(frozen=True, slots=True)
class Model:
    """An ensemble: a row's raw score is the float64 sum, in order, of one leaf value per tree."""

    sha256: str
    features: int
    trees: tuple[Tree, ...]


def sha256_of(model_text: str) -> str:
    """Hex digest that identifies a model text."""
    return hashlib.sha256(model_text.encode()).hexdigest()


def categories_in(category_set: bytes) -> NDArray[np.int64]:
    """The categories in a bit set, ascending."""
    return np.flatnonzero(np.unpackbits(np.frombuffer(category_set, np.uint8), bitorder="little"))


def parse_model(model_text: str) -> Model:
    """Parse a model text.

    Raises:
        ModelTextError: the text is truncated, damaged or not a LightGBM model.
        UnsupportedModelError: several scores per row, averaged outputs (rf), linear trees, an unknown text version, or
            trees of more than 65,536 leaves.
    """
    body, end, _ = model_text.partition("\nend of trees")
    if not end:
        raise ModelTextError("no 'end of trees': the text is truncated, or not a LightGBM model")
    head, *blocks = body.split("\nTree=")
    header = _fields(head)
    _refuse_unsupported(head, header)
    declared = len(header.get("tree_sizes", "").split())
    if declared != len(blocks):
        raise ModelTextError(f"{len(blocks)} trees in the text, and the header declares {declared}")
    if not blocks:
        raise UnsupportedModelError("a model without trees")
    features = 1 + int(_array(header, "max_feature_idx", np.int32, 1)[0])
    trees = []
    for number, block in enumerate(blocks):
        try:
            trees.append(_parse_tree(_fields(block), features))
        except ModelTextError as error:
            raise ModelTextError(f"tree {number}: {error}") from error
    return Model(sha256_of(model_text), features, tuple(trees))


def _refuse_unsupported(head: str, header: dict[str, str]) -> None:
    version = header.get("version", "missing")
    if version not in TEXT_VERSIONS:
        raise UnsupportedModelError(f"model text version {version}; supported are {', '.join(TEXT_VERSIONS)}")
    if header.get("num_tree_per_iteration") != "1":
        raise UnsupportedModelError("multiclass: a row has several scores")
    if "average_output" in head.splitlines():
        raise UnsupportedModelError("random forest: outputs are averaged")


def _parse_tree(fields: dict[str, str], features: int) -> Tree:
    if fields.get("is_linear", "0") != "0":
        raise UnsupportedModelError("linear trees: leaves are not constants")
    leaves = int(_array(fields, "num_leaves", np.int64, 1)[0])
    if leaves > MAX_LEAVES:
        raise UnsupportedModelError(f"a tree of {leaves} leaves; the limit is {MAX_LEAVES}")
    splits = leaves - 1
    category_sets = int(_array(fields, "num_cat", np.int64, 1)[0])
    bounds = _array(fields, "cat_boundaries", np.int64, category_sets + 1 if category_sets else 0)
    tree = Tree(
        feature=_array(fields, "split_feature", np.int32, splits),
        threshold=_array(fields, "threshold", np.float64, splits),
        decision=_array(fields, "decision_type", np.int32, splits),
        left=_array(fields, "left_child", np.int32, splits),
        right=_array(fields, "right_child", np.int32, splits),
        leaf_value=_array(fields, "leaf_value", np.float64, leaves),
        category_bounds=bounds,
        category_words=_array(fields, "cat_threshold", np.uint32, int(bounds[-1]) if category_sets else 0),
    )
    _check_splits(tree, features, category_sets)
    return tree


def _check_splits(tree: Tree, features: int, category_sets: int) -> None:
    """Check every split, and that every node except the root is the child of exactly one earlier split."""
    splits = np.arange(len(tree.feature))
    children = np.concatenate([tree.left, tree.right])
    parents = np.concatenate([splits, splits])
    nodes = np.concatenate([np.arange(-len(tree.leaf_value), 0), splits[1:]])
    sound = {
        "split_feature out of range": ((tree.feature >= 0) & (tree.feature < features)).all(),
        "unknown decision_type": ((tree.decision >= 0) & (tree.decision >> MISSING_SHIFT <= MISSING_NAN)).all(),
        "threshold is not a number": not np.isnan(tree.threshold).any(),
        "no such category set": np.isin(tree.threshold[tree.categorical], np.arange(category_sets)).all(),
        "cat_boundaries out of order": not tree.category_bounds[:1].any()
        and (np.diff(tree.category_bounds) >= 0).all(),
        "a child before its parent": ((children < 0) | (children > parents)).all(),
        "children do not make a tree": not splits.size or np.array_equal(np.sort(children), nodes),
    }
    for problem, holds in sound.items():
        if not holds:
            raise ModelTextError(problem)


def _fields(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _array(fields: dict[str, str], key: str, dtype: DTypeLike, count: int) -> NDArray[Any]:
    try:
        values = np.array(fields.get(key, "").split(), dtype=dtype)
    except (ValueError, OverflowError) as error:
        raise ModelTextError(f"{key}: {error}") from error
    if len(values) != count:
        raise ModelTextError(f"{key}: {len(values)} values instead of {count}")
    return values
