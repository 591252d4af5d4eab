"""Random draws of candidates: distinct indices, and all if there are no more than asked for."""

import numpy as np
import pytest

from serving.feed.sources.draw import draw


@pytest.mark.parametrize(("total", "count", "drawn"), [(10, 3, 3), (10, 10, 10), (10, 11, 10), (0, 5, 0), (10, 0, 0)])
def test_distinct_indices_are_drawn(total: int, count: int, drawn: int) -> None:
    indices = draw(total, count, np.random.default_rng(0)).tolist()
    assert len(indices) == len(set(indices)) == drawn
    assert set(indices) <= set(range(total))
