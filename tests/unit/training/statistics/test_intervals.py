import numpy as np
import pytest

from training.statistics.intervals import MAX_UNITS, Estimate, Interval, Resampler


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


@pytest.mark.parametrize(
    ("low", "high", "clear"),
    [(0.1, 0.3, True), (-0.3, -0.1, True), (0.0, 0.3, False), (-0.3, 0.0, False), (float("nan"), float("nan"), False)],
)
def test_a_difference_is_significant_if_0_is_outside_its_known_bounds(low: float, high: float, clear: bool) -> None:
    assert Interval(0.2, low, high).clear == clear


def test_an_interval_contains_its_bounds() -> None:
    interval = Interval(0.2, 0.1, 0.3)
    assert [value in interval for value in (0.1, 0.2, 0.3, 0.09, 0.31)] == [True, True, True, False, False]


def test_a_weighted_mean_leaves_missing_values_and_their_weights_out() -> None:
    estimate = Estimate.of_mean(np.array([1.0, np.nan, 4.0]), np.array([3.0, 100.0, 1.0]))
    assert estimate.value == pytest.approx(7 / 4)
    assert estimate.influence.sum() == pytest.approx(0)
    assert estimate.influence[1] == 0
    assert np.isnan(Estimate.of_mean(np.array([1.0]), np.array([0.0])).value)


def test_the_average_of_draws_is_their_mean() -> None:
    draws = [Estimate(value, np.array([value, -value])) for value in (0.1, 0.3, 0.8)]
    average = Estimate.average(draws)
    assert average.value == pytest.approx(0.4)
    assert average.influence == pytest.approx([0.4, -0.4])


def test_one_slate_has_a_value_and_no_interval() -> None:
    one = Resampler.of(np.zeros(1, dtype=np.int64)).interval(Estimate.of_mean(np.array([0.7])))
    assert one.value == 0.7
    assert np.isnan([one.low, one.high]).all()


def test_the_slates_of_a_single_person_are_resampled_by_slate() -> None:
    estimate = Estimate.of_mean(np.random.default_rng(4).normal(size=50))
    alone, by_slate = (Resampler.of(owners).interval(estimate) for owners in (np.zeros(50, np.int64), np.arange(50)))
    assert alone == by_slate


def test_many_people_are_resampled_in_groups_of_bounded_number() -> None:
    resampler = Resampler.of(np.arange(3 * MAX_UNITS) // 2, draws=2)
    assert resampler.counts.shape == (2, MAX_UNITS)
    assert (resampler.units[::2] == resampler.units[1::2]).all()  # a person's slates stay together
    assert (resampler.counts.sum(axis=1) == resampler.counts.shape[1]).all()


def test_another_seed_draws_others() -> None:
    first, again, other = (Resampler.of(np.arange(40), draws=5, seed=seed).counts for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
