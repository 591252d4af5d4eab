from dataclasses import replace

import numpy as np
import pytest

from photofeed.experiments import Arm, Experiment
from training.errors import EmptyWindowError
from training.experiment_report import Observations, report
from training.intervals import FloatArray

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
