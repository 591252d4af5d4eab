"""A plane reused too early mixes up two conditions; planes never reused make every request wait for memory."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from photofeed.models.scorer.plane_numbers import number_planes


@given(trees=st.lists(st.lists(st.integers(0, 30), max_size=6), min_size=1, max_size=12))
def test_conditions_alive_together_have_planes_of_their_own(trees: list[list[int]]) -> None:
    used = sorted({condition for tree in trees for condition in tree})
    asked = [np.searchsorted(used, tree).astype(np.int64) for tree in trees]

    planes = number_planes(asked)

    lives = {
        condition: [number for number, tree in enumerate(asked) if condition in tree] for condition in range(len(used))
    }
    alive = [
        [condition for condition, life in lives.items() if life[0] <= number <= life[-1]]
        for number in range(len(asked))
    ]
    for conditions in alive:
        assert len(set(planes[conditions])) == len(conditions)
    assert len(set(planes)) == max(len(conditions) for conditions in alive)
