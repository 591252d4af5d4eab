from dataclasses import replace

import numpy as np
import pytest

from photofeed.arrays import FloatArray
from photofeed.experiments import Arm, Experiment
from training.errors import EmptyWindowError
from training.evaluation.experiment_report import Observations, cuped, report

ARMS = (Arm(name="control", ranker="champion", share=0.5), Arm(name="new", ranker="challenger", share=0.5))
EXPERIMENT = Experiment(name="x", salt="s", arms=ARMS)


def _people(count: int, *, lift: float, seed: int, newcomers: float = 0.2) -> Observations:
    """People whose engagement is mostly their own habit, and `lift` more in the second arm."""
    rng = np.random.default_rng(seed)
    habit: FloatArray = rng.gamma(2.0, 1.0, count)
    arms = np.array([int(arm is ARMS[1]) for arm in map(EXPERIMENT.arm_of, range(count))])
    before = np.where(rng.random(count) < newcomers, np.nan, habit + rng.normal(0, 0.3, count))
    engagement = habit + lift * arms + rng.normal(0, 0.3, count)
    return Observations(arms, engagement, before, rng.integers(1, 9, count))


def test_between_equal_arms_there_is_no_lift() -> None:
    """Of 200 A/A experiments about one in twenty is clear by chance, with CUPED and without."""
    reports = [report(EXPERIMENT, _people(300, lift=0.0, seed=seed)) for seed in range(200)]
    for kind in ("lift", "adjusted_lift"):
        clear = np.mean([getattr(found.arms[1], kind).clear for found in reports])
        assert 0.01 <= clear <= 0.10
    assert not any(found.sample_ratio_alarm for found in reports)


def test_a_planted_lift_is_found_and_cuped_finds_it_sooner() -> None:
    found = report(EXPERIMENT, _people(600, lift=0.2, seed=1))
    plain, adjusted = found.arms[1].lift, found.arms[1].adjusted_lift
    assert plain
    assert adjusted
    assert adjusted.clear
    assert 0.2 in adjusted
    assert adjusted.high - adjusted.low < 0.8 * (plain.high - plain.low)
    assert found.variance_removed > 0.5
    assert found.arms[1].relative_lift == pytest.approx(0.1, abs=0.05)


def test_people_without_a_past_leave_the_plain_lift() -> None:
    seen = _people(400, lift=0.2, seed=2)
    found = report(EXPERIMENT, replace(seen, before=np.full(400, np.nan)))
    assert found.variance_removed == 0
    assert found.arms[1].lift == found.arms[1].adjusted_lift


def test_arms_of_other_sizes_than_declared_are_alarmed() -> None:
    seen = _people(2000, lift=0.0, seed=3)
    kept = (seen.arms == 0) | (np.arange(2000) % 5 > 0)  # somebody loses a fifth of the new arm
    lost = Observations(seen.arms[kept], seen.engagement[kept], seen.before[kept], seen.slates[kept])
    assert not report(EXPERIMENT, seen).sample_ratio_alarm
    found = report(EXPERIMENT, lost)
    assert found.sample_ratio_alarm
    assert found.to_json()["sample_ratio_alarm"] is True


def test_an_arm_without_people_is_told_by_name() -> None:
    seen = _people(50, lift=0.0, seed=4)
    with pytest.raises(EmptyWindowError, match="arm 'new' of x has 0 people"):
        report(EXPERIMENT, replace(seen, arms=np.zeros(50, dtype=np.int64)))


def test_lifts_are_those_of_the_textbook() -> None:
    """Three people a side: means 2 and 4, variances 1 and 4; nobody has a past."""
    engagement = np.array([1.0, 2.0, 3.0, 2.0, 4.0, 6.0])
    arms = np.array([0, 0, 0, 1, 1, 1])
    found = report(EXPERIMENT, Observations(arms, engagement, np.full(6, np.nan), np.array([1, 2, 3, 4, 5, 6])))
    control, new = found.arms
    error = 1.959964 * np.sqrt(1 / 3 + 4 / 3)
    assert new.lift is not None
    assert (new.lift.value, new.lift.low, new.lift.high) == pytest.approx((2, 2 - error, 2 + error))
    assert new.relative_lift == pytest.approx(1.0)
    assert (control.lift, control.adjusted_lift, control.relative_lift) == (None, None, None)
    assert (control.engagement.value, control.engagement.high) == pytest.approx((2, 2 + 1.959964 / np.sqrt(3)))
    assert [(arm.people, arm.slates) for arm in found.arms] == [(3, 6), (3, 15)]


def test_declared_shares_decide_whether_the_sizes_are_right() -> None:
    unequal = Experiment(name="x", salt="s", arms=(ARMS[0].model_copy(update={"share": 0.25}), ARMS[1]))
    arms = np.repeat([0, 1], [200, 400])
    seen = Observations(arms, np.arange(600.0), np.full(600, np.nan), np.ones(600, dtype=np.int64))
    assert report(unequal, seen).sample_ratio_p == pytest.approx(1)
    assert report(EXPERIMENT, seen).sample_ratio_alarm


def test_cuped_removes_what_the_past_predicts_and_leaves_newcomers_alone() -> None:
    before = np.array([1.0, 2.0, 3.0, np.nan])
    values = np.array([11.0, 12.0, 13.0, 50.0])
    adjusted, removed = cuped(values, before)
    slope = (11 - 21.5) * -1 + 0 + (13 - 21.5) * 1  # covariance over variance: the newcomer is at the mean of the past
    assert adjusted == pytest.approx(values - slope / 2 * np.array([-1.0, 0, 1, 0]))
    assert removed == pytest.approx(1 - adjusted.var() / values.var())
    assert adjusted[3] == values[3]


@pytest.mark.parametrize("before", [[np.nan, np.nan, np.nan], [np.nan, 2.0, np.nan], [2.0, 2.0, np.nan]])
def test_a_past_that_says_nothing_removes_nothing(before: list[float]) -> None:
    values = np.array([1.0, 2.0, 3.0])
    adjusted, removed = cuped(values, np.array(before))
    assert adjusted.tolist() == [1.0, 2.0, 3.0]
    assert removed == 0
