"""A plane for each condition's answer, given back after the last tree that asks it.

Most conditions belong to a few trees near each other, so some hundreds of planes serve tens of thousands of conditions,
and the answers stay in the processor's nearest caches.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def number_planes(conditions: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """The plane of each condition, given the conditions that each tree asks; numbers are 0 to conditions - 1."""
    last_tree = {condition: tree for tree, asked in enumerate(conditions) for condition in asked.tolist()}
    planes = np.full(len(last_tree), -1, np.int64)
    free: list[int] = []
    made = 0
    for tree, asked in enumerate(conditions):
        distinct = np.unique(asked)
        for condition in distinct[planes[distinct] < 0].tolist():
            if not free:
                free.append(made)
                made += 1
            planes[condition] = free.pop()
        free.extend(planes[condition] for condition in distinct.tolist() if last_tree[condition] == tree)
    return planes
