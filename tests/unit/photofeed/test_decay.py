import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from photofeed.features.decay import decay

SECONDS = st.floats(min_value=0, max_value=1e7)
HALF_LIVES = st.floats(min_value=1, max_value=1e8)


def test_a_counter_halves_in_its_half_life() -> None:
    assert decay(np.array([8.0]), 3600.0, 3600.0).tolist() == [4.0]


def test_a_counter_that_never_fades_stays() -> None:
    assert decay(np.array([8.0]), 1e9, float("inf")).tolist() == [8.0]


def test_a_clock_that_is_behind_makes_nothing_grow() -> None:
    assert decay(np.array([8.0]), -60.0, 10.0).tolist() == [8.0]


@given(st.floats(min_value=0, max_value=1e6), SECONDS, SECONDS, HALF_LIVES)
def test_fading_twice_is_fading_once_for_the_whole_time(value: float, first: float, second: float, half: float) -> None:
    twice = decay(decay(np.array([value]), first, half), second, half)
    np.testing.assert_allclose(twice, decay(np.array([value]), first + second, half), rtol=1e-9, atol=1e-12)
