import numpy as np
import pytest

from training.intervals import Estimate, Interval, Resampler


def test_the_interval_of_a_mean_is_that_of_the_textbook() -> None:
    values = np.random.default_rng(0).normal(loc=3, size=900)
    interval = Resampler.of(np.arange(900)).interval(Estimate.of_mean(values))
    half = 1.96 * values.std() / 30
    assert interval.value == pytest.approx(values.mean())
    assert (interval.low, interval.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=half / 8)


def test_slates_of_the_same_people_are_no_independent_witnesses() -> None:
    """Twenty people who look a hundred times each tell no more than twenty: the interval must not shrink."""
    rng = np.random.default_rng(1)
    people = np.repeat(np.arange(20), 100)
    estimate = Estimate.of_mean(rng.normal(size=20)[people])
    by_person, by_slate = (Resampler.of(owners).interval(estimate) for owners in (people, np.arange(2000)))
    assert by_person.high - by_person.low > 5 * (by_slate.high - by_slate.low)


def test_a_difference_is_surer_than_what_it_is_between() -> None:
    """Two rankers on the same hard and easy slates: what the slates do to both cancels out."""
    rng = np.random.default_rng(2)
    slates = rng.normal(size=400)
    resampler = Resampler.of(np.arange(400))
    worse, better = (Estimate.of_mean(slates + gain + rng.normal(scale=0.1, size=400)) for gain in (0.0, 0.05))
    assert worse.value in resampler.interval(better)
    difference = resampler.interval(better.minus(worse))
    assert difference.clear
    assert difference.low < 0.05 < difference.high


def test_a_true_difference_of_none_is_outside_one_interval_in_twenty() -> None:
    rng = np.random.default_rng(3)
    wrong = sum(
        Resampler.of(np.arange(200), draws=400, seed=trial).interval(Estimate.of_mean(rng.normal(size=200))).clear
        for trial in range(300)
    )
    assert 4 <= wrong <= 30


def test_what_nobody_measured_has_no_value() -> None:
    nothing = Resampler.of(np.arange(3)).interval(Estimate.of_mean(np.full(3, np.nan)))
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()
    assert not Interval(0.1, -0.1, 0.3).clear
