"""The layout of trees for routing: nodes have slots in preorder, leaves are numbered from left to right."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from photofeed.models.scorer.model_text import Tree
from photofeed.models.scorer.runs import pad_runs, run_starts
from photofeed.models.scorer.table_arrays import OR_WIDTH, record_array


@dataclass(frozen=True, slots=True)
class Layout:
    """The tables of all trees."""

    splits: NDArray[Any]
    trees: NDArray[Any]
    index_starts: NDArray[np.int32]
    index_terms: NDArray[np.int32]
    leaf_values: NDArray[np.float64]


class _TreeLayout(NamedTuple):
    splits: NDArray[Any]
    leaf_values: NDArray[np.float64]
    bit_terms: list[NDArray[np.int64]]


def lay_out(trees: Sequence[Tree], planes: Sequence[NDArray[np.int64]]) -> Layout:
    """Lay out the trees; `planes` has, per tree, the plane of each split's condition.

    The runs of conditions in the trees' records are set later.
    """
    layouts = [_lay_out_tree(tree, plane) for tree, plane in zip(trees, planes, strict=True)]
    split_starts = run_starts([len(layout.splits) for layout in layouts])
    bits = [len(layout.bit_terms) for layout in layouts]
    runs = [terms for layout in layouts for terms in layout.bit_terms]
    terms, starts = pad_runs(
        np.concatenate([np.empty(0, np.int64), *runs]), np.array([len(run) for run in runs], np.int64), OR_WIDTH
    )
    return Layout(
        splits=np.concatenate([layout.splits for layout in layouts]),
        trees=record_array(
            "trees",
            first_split=split_starts[:-1],
            end_split=split_starts[1:],
            first_bit=run_starts(bits)[:-1],
            bits=bits,
            first_leaf=run_starts([len(layout.leaf_values) for layout in layouts])[:-1],
        ),
        index_starts=starts.astype(np.int32),
        index_terms=terms.astype(np.int32),
        leaf_values=np.concatenate([layout.leaf_values for layout in layouts]),
    )


def _lay_out_tree(tree: Tree, plane: NDArray[np.int64]) -> _TreeLayout:
    node, parent, first_leaf, last_leaf = _preorder(tree)
    slot = np.arange(len(node))
    is_split, is_right = node >= 0, slot > parent + 1  # a left child directly follows its parent
    right_slot = np.zeros(len(node), np.int64)
    right_slot[parent[is_right]] = slot[is_right]
    splits = record_array("splits", slot=slot[is_split], right_slot=right_slot[is_split], plane=plane[node[is_split]])

    bits = (len(tree.leaf_value) - 1).bit_length()
    leaf_values = np.zeros(1 << bits, np.float64)
    leaf_values[: len(tree.leaf_value)] = tree.leaf_value[~node[~is_split]]

    # a bit of a row's leaf number is set if the row reaches a subtree whose leaves all have the bit: list the largest
    bit_terms = []
    for bit in range(bits):
        all_set = (first_leaf >> bit == last_leaf >> bit) & (first_leaf >> bit & 1 == 1)
        bit_terms.append(np.flatnonzero(all_set & ~all_set[parent]))
    return _TreeLayout(splits, leaf_values, bit_terms)


def _preorder(tree: Tree) -> NDArray[np.int64]:
    """Rows node, parent, first_leaf, last_leaf; one column per slot.

    A node is a split (>= 0) or a leaf (~node) of the model text. A parent is a slot; the root is its own parent. Leaves
    first to last, by their new numbers, are the node itself or below it.
    """
    left, right = tree.left.tolist(), tree.right.tolist()
    nodes: list[int] = []
    parents: list[int] = []
    first_leaf: list[int] = []
    leaves = 0
    pending = [(0 if left else ~0, 0)]
    while pending:
        node, parent = pending.pop()
        slot = len(nodes)
        nodes.append(node)
        parents.append(parent)
        first_leaf.append(leaves)
        if node < 0:
            leaves += 1
        else:
            pending += [(right[node], slot), (left[node], slot)]
    last_leaf = first_leaf.copy()
    for slot in reversed(range(1, len(nodes))):
        last_leaf[parents[slot]] = max(last_leaf[parents[slot]], last_leaf[slot])
    return np.array([nodes, parents, first_leaf, last_leaf], np.int64)
