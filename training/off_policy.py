"""What another policy would have earned, told from what the logged one did: IPS, SNIPS and doubly robust estimates.

Every estimate weighs a logged reward by how much likelier the other policy was to act so. It holds where the logged
policy had some chance of everything that the other one would do; the effective sample size says how much of the log
bears on the question.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photofeed.errors import InvalidError
from training.intervals import Estimate, FloatArray, Interval, Resampler


@dataclass(frozen=True, slots=True)
class LoggedFeedback:
    """What a policy did by chance, and what came of it. All arrays (rows,).

    Attributes:
        rewards: what each action earned, such as 1 for a click.
        propensities: the chance with which the logged policy acted so, above 0 and at most 1.
        units: whose rows are resampled together, such as the slate or the person; each row by itself where unknown.

    Raises:
        InvalidError: there are no rows, or a propensity is no chance.
    """

    rewards: FloatArray
    propensities: FloatArray
    units: NDArray[np.int64]

    def __post_init__(self) -> None:
        if not len(self.rewards):
            raise InvalidError("there is no logged feedback to learn from")
        if not ((self.propensities > 0) & (self.propensities <= 1)).all():
            raise InvalidError("propensities must be above 0 and at most 1: what was never done says nothing")

    def __len__(self) -> int:
        return len(self.rewards)


@dataclass(frozen=True, slots=True)
class RewardModel:
    """What a model thinks actions earn, (rows,) each: the logged one, and what the other policy would do there."""

    of_logged: FloatArray
    of_policy: FloatArray


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """What a policy earns per action. `effective_sample_size` is how many unweighted rows would tell as much."""

    estimator: str
    interval: Interval
    effective_sample_size: float
    rows: int


def policy_values(
    feedback: LoggedFeedback, chances: FloatArray, model: RewardModel | None = None, *, seed: int = 0
) -> dict[str, PolicyValue]:
    """The value of a policy that acts as logged with `chances`, (rows,), by every estimator; `dr` needs a `model`.

    - `ips`: mean of weight times reward (Horvitz and Thompson, 1952); right on average, noisy.
    - `snips`: the same over the sum of weights (Swaminathan and Joachims, NIPS 2015); far less noisy, slightly off.
    - `dr`: the model's opinion, corrected by what it missed (Dudík et al., ICML 2011); right if either is.

    Intervals are of 95 %, by bootstrap over `feedback.units`.

    Raises:
        InvalidError: the policy would do nothing that was logged.
    """
    weights = chances / feedback.propensities
    if not weights.any():
        raise InvalidError("the policy would never do what was logged: its value cannot be told")
    estimates = {
        "ips": Estimate.of_mean(weights * feedback.rewards),
        "snips": Estimate.of_mean(feedback.rewards, weights),
    }
    if model is not None:
        estimates["dr"] = Estimate.of_mean(model.of_policy + weights * (feedback.rewards - model.of_logged))
    resampler = Resampler.of(feedback.units, seed=seed)
    size = effective_sample_size(weights)
    return {
        name: PolicyValue(name, resampler.interval(estimate), size, len(feedback))
        for name, estimate in estimates.items()
    }


def effective_sample_size(weights: FloatArray) -> float:
    """How many equally weighted rows would be as sure. Source: Kish, Survey Sampling, 1965."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def logged_value(feedback: LoggedFeedback, *, seed: int = 0) -> PolicyValue:
    """What the logged policy itself earned."""
    interval = Resampler.of(feedback.units, seed=seed).interval(Estimate.of_mean(feedback.rewards))
    return PolicyValue("logged", interval, len(feedback), len(feedback))


def action_chances(
    actions: NDArray[np.int64], positions: NDArray[np.int64], propensities: FloatArray
) -> Mapping[tuple[int, int], float]:
    """A policy that knows no context, told from its own log: (position, action) -> chance.

    The chance of an action at a position changes over a log as the policy learns. Rows that show an action are more
    often of times when it was likely, so the plain mean of their propensities is too high; the harmonic mean is the one
    over time (each row stands for 1 / propensity moments). Chances at a position are scaled to add up to 1; an action
    that was never taken there has none.
    """
    cells, cell, counts = np.unique(
        np.stack([positions, actions], axis=1), axis=0, return_inverse=True, return_counts=True
    )
    chance = counts / np.bincount(cell.ravel(), weights=1 / propensities)
    for position in np.unique(positions):
        here = cells[:, 0] == position
        chance[here] /= chance[here].sum()
    return {(int(position), int(action)): float(p) for (position, action), p in zip(cells, chance, strict=True)}
