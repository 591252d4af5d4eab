"""Assigns a plane to each condition's answer; a plane is reused after the last tree that uses the condition.

Most conditions are used by a few neighbouring trees. Tens of thousands of conditions thus share a few thousand planes
at most, and the answers stay in the caches nearest to the processor.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def number_planes(conditions: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """The plane of each condition, (count,), given the conditions of each tree, which are numbered 0 to count - 1."""
    last_tree = {condition: tree for tree, used in enumerate(conditions) for condition in used.tolist()}
    planes = np.full(len(last_tree), -1, np.int64)
    free: list[int] = []
    count = 0
    for tree, used in enumerate(conditions):
        distinct = np.unique(used)
        for condition in distinct[planes[distinct] < 0].tolist():
            if not free:
                free.append(count)
                count += 1
            planes[condition] = free.pop()
        free.extend(planes[condition] for condition in distinct.tolist() if last_tree[condition] == tree)
    return planes
