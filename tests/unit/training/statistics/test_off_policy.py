from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from photofeed.errors import InvalidError
from training.statistics.off_policy import (
    LoggedFeedback,
    RewardModel,
    effective_sample_size,
    logged_value,
    policy_values,
)

LOGGED = np.array([0.5, 0.3, 0.15, 0.05])
OTHER = np.array([0.05, 0.1, 0.25, 0.6])
EARNS = np.array([0.02, 0.05, 0.1, 0.2])


def _log(rows: int, seed: int = 0) -> tuple[np.ndarray, LoggedFeedback]:
    rng = np.random.default_rng(seed)
    actions = rng.choice(4, rows, p=LOGGED)
    clicks = (rng.random(rows) < EARNS[actions]).astype(float)
    return actions, LoggedFeedback(clicks, LOGGED[actions], np.arange(rows))


def _model(actions: np.ndarray, opinion: np.ndarray) -> RewardModel:
    return RewardModel(opinion[actions], np.full(len(actions), opinion @ OTHER))


def test_the_value_of_a_policy_that_was_never_run_is_told_from_another_ones_log() -> None:
    actions, feedback = _log(40_000)
    values = policy_values(feedback, OTHER[actions], _model(actions, EARNS))
    assert logged_value(feedback).interval.high < 0.06
    for value in values.values():
        assert value.interval.value == pytest.approx(OTHER @ EARNS, rel=0.1)
        assert OTHER @ EARNS in value.interval


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    held = dict.fromkeys(("ips", "snips", "dr"), 0)
    for seed in range(60):
        actions, feedback = _log(1000, seed)
        for name, value in policy_values(feedback, OTHER[actions], _model(actions, EARNS * 1.5)).items():
            held[name] += OTHER @ EARNS in value.interval
    assert all(count >= 51 for count in held.values()), held


def test_doubly_robust_is_surer_with_a_good_model_and_right_with_a_bad_one() -> None:
    actions, feedback = _log(40_000)
    good, bad = (policy_values(feedback, OTHER[actions], _model(actions, opinion)) for opinion in (EARNS, EARNS[::-1]))
    widths = [value.interval.high - value.interval.low for value in (good["dr"], good["ips"])]
    assert widths[0] < widths[1]
    assert OTHER @ EARNS in bad["dr"].interval


def test_few_rows_that_bear_on_the_question_are_said_to_be_few() -> None:
    actions, feedback = _log(5000)
    like_it = policy_values(feedback, LOGGED[actions])["ips"]
    unlike_it = policy_values(feedback, OTHER[actions])["ips"]
    assert like_it.effective_sample_size == pytest.approx(5000)
    assert unlike_it.effective_sample_size < 1500
    assert effective_sample_size(np.array([1.0, 0, 0, 0])) == 1


def test_what_was_never_done_is_refused() -> None:
    with pytest.raises(InvalidError, match="above 0"):
        LoggedFeedback(np.ones(2), np.array([0.5, 0.0]), np.arange(2))
    with pytest.raises(InvalidError, match="no logged feedback"):
        LoggedFeedback(np.empty(0), np.empty(0), np.empty(0, dtype=np.int64))
    with pytest.raises(InvalidError, match="none of the logged actions"):
        policy_values(LoggedFeedback(np.ones(2), np.ones(2), np.arange(2)), np.zeros(2))


def context_free_policy(
    actions: np.ndarray, positions: np.ndarray, propensities: np.ndarray
) -> Mapping[tuple[int, int], float]:
    """The logged policy as if it knew no context: (position, action) -> chance, adding up to 1 at each position.

    The policy learns, so chances change over the log. Rows that show an action are more often from times when it was
    likely: the plain mean of their propensities is too high. The harmonic mean weighs every moment alike.
    """
    cells, cell, counts = np.unique(
        np.stack([positions, actions], axis=1), axis=0, return_inverse=True, return_counts=True
    )
    chance = counts / np.bincount(cell.ravel(), weights=1 / propensities)
    for position in np.unique(positions):
        here = cells[:, 0] == position
        chance[here] /= chance[here].sum()
    return {(int(position), int(action)): float(p) for (position, action), p in zip(cells, chance, strict=True)}


def test_the_estimators_are_those_of_the_papers() -> None:
    feedback = LoggedFeedback(np.array([1.0, 0.0, 1.0]), np.array([0.5, 0.25, 1.0]), np.arange(3))
    probabilities = np.array([0.25, 0.5, 0.5])  # weights 0.5, 2, 0.5
    model = RewardModel(of_logged=np.array([0.5, 0.5, 0.0]), of_policy=np.array([0.2, 0.4, 0.6]))
    values = policy_values(feedback, probabilities, model)
    assert values["ips"].interval.value == pytest.approx(1 / 3)
    assert values["snips"].interval.value == pytest.approx(1 / 3)
    assert values["dr"].interval.value == pytest.approx((0.2 + 0.25 + 0.4 - 1.0 + 0.6 + 0.5) / 3)
    assert [value.effective_sample_size for value in values.values()] == pytest.approx([9 / 4.5] * 3)
    assert {(name, value.estimator, value.rows) for name, value in values.items()} == {
        (name, name, 3) for name in ("ips", "snips", "dr")
    }


@pytest.mark.parametrize("propensity", [0.0, -0.1, 1.01, float("nan")])
def test_a_propensity_that_is_no_probability_is_refused(propensity: float) -> None:
    with pytest.raises(InvalidError, match="at most 1"):
        LoggedFeedback(np.ones(2), np.array([0.5, propensity]), np.arange(2))


def test_rows_of_one_unit_are_no_independent_witnesses() -> None:
    """Twenty units of a hundred equal rows tell no more than twenty rows."""
    clicks = np.repeat(np.arange(20) % 2, 100).astype(float)
    widths = []
    for units in (np.repeat(np.arange(20), 100), np.arange(2000)):
        feedback = LoggedFeedback(clicks, np.full(2000, 0.5), units)
        intervals = [logged_value(feedback).interval, policy_values(feedback, np.full(2000, 0.5))["snips"].interval]
        widths.append([interval.high - interval.low for interval in intervals])
    assert widths[0][0] > 5 * widths[1][0]
    assert widths[0][1] > 5 * widths[1][1]


@dataclass(frozen=True)
class Log:
    """One policy's impressions of the Open Bandit Dataset."""

    items: np.ndarray
    positions: np.ndarray
    clicks: np.ndarray
    propensities: np.ndarray

    @staticmethod
    def read(samples: Path, policy: str, campaign: str) -> "Log":
        rows = pd.read_csv(samples / "open-bandit" / policy / campaign / f"{campaign}.csv", index_col=0)
        items, positions = rows["item_id"].to_numpy(), rows["position"].to_numpy()
        return Log(items, positions, rows["click"].to_numpy(dtype=float), rows["propensity_score"].to_numpy())

    @property
    def chances(self) -> Mapping[tuple[int, int], float]:
        return context_free_policy(self.items, self.positions, self.propensities)

    def feedback(self) -> LoggedFeedback:
        return LoggedFeedback(self.clicks, self.propensities, np.arange(len(self.clicks)))

    def chances_under(self, policy: Mapping[tuple[int, int], float]) -> np.ndarray:
        """Of each row, how likely `policy` would have shown the same."""
        return np.array([policy.get((p, i), 0.0) for p, i in zip(self.positions, self.items, strict=True)])

    def opinion(self, policy: Mapping[tuple[int, int], float]) -> RewardModel:
        """Click rates by item, drawn towards the mean; each half of the log is judged by the other half."""
        of_logged, of_policy = np.empty((2, len(self.items)))
        halves = np.arange(len(self.items)) % 2 == 0
        for half in (halves, ~halves):
            shown = np.bincount(self.items[~half], minlength=self.items.max() + 1)
            clicked = np.bincount(self.items[~half], weights=self.clicks[~half], minlength=len(shown))
            rates = (clicked + 100 * self.clicks[~half].mean()) / (shown + 100)
            expected = {
                at: sum(p * rates[i] for (position, i), p in policy.items() if position == at)
                for at in np.unique(self.positions)
            }
            of_logged[half] = rates[self.items[half]]
            of_policy[half] = [expected[at] for at in self.positions[half]]
        return RewardModel(of_logged, of_policy)


@pytest.mark.parametrize("campaign", ["men", "women"])
@pytest.mark.parametrize(("logged", "other"), [("random", "bts"), ("bts", "random")])
def test_open_bandit_each_policys_click_rate_is_foretold_by_the_others_log(
    samples: Path, logged: str, other: str, campaign: str
) -> None:
    """Thompson sampling's from the random log and the reverse; truth is what the other policy's own log earned."""
    log, truth = Log.read(samples, logged, campaign), Log.read(samples, other, campaign)
    values = policy_values(log.feedback(), log.chances_under(truth.chances), log.opinion(truth.chances))
    assert set(values) == {"ips", "snips", "dr"}
    for value in values.values():
        assert truth.clicks.mean() in value.interval, value
