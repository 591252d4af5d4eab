"""Random draws of candidates: distinct indices, and all if there are no more than asked for."""

import numpy as np
import pytest

from serving.feed.candidate_kernel import shuffled
from serving.feed.sources.draw import draw


@pytest.mark.parametrize(("total", "count", "drawn"), [(10, 3, 3), (10, 10, 10), (10, 11, 10), (0, 5, 0), (10, 0, 0)])
def test_distinct_indices_are_drawn(total: int, count: int, drawn: int) -> None:
    indices = draw(total, count, np.random.default_rng(0)).tolist()
    assert len(indices) == len(set(indices)) == drawn
    assert set(indices) <= set(range(total))


def test_every_index_is_as_likely_as_any_other() -> None:
    rng = np.random.default_rng(1)
    drawn = np.bincount(np.concatenate([draw(20, 5, rng) for _ in range(4_000)]), minlength=20)
    assert drawn.sum() == 20_000
    assert 850 < drawn.min() <= drawn.max() < 1_150  # 1,000 each; five standard deviations are 137


def test_chances_decide_which_are_drawn() -> None:
    assert shuffled(5, np.array([0.0, 0.0])).tolist() == [0, 1]
    assert shuffled(5, np.array([0.999, 0.999, 0.999])).tolist() == [4, 0, 1]
    assert sorted(shuffled(5, np.full(5, 0.999)).tolist()) == [0, 1, 2, 3, 4]
