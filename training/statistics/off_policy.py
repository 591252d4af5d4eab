"""Off-policy evaluation: the value of a policy from another policy's log, by IPS, SNIPS and doubly robust estimates.

Every estimate weights a logged reward by the ratio of the two policies' probabilities of the logged action. It is valid
where the logged policy could take every action of the other policy. The effective sample size says how many rows carry
the weight.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photofeed.arrays import FloatArray
from photofeed.errors import InvalidError
from training.statistics.intervals import Estimate, Interval, Resampler


@dataclass(frozen=True, slots=True)
class LoggedFeedback:
    """Actions that a policy drew at random, and their rewards. All arrays (rows,).

    Attributes:
        rewards: the reward of each action, such as 1 for a click.
        propensities: the probability of the action under the logged policy, above 0 and at most 1.
        units: rows of the same unit are resampled together: the slate, the user, or each row.

    Raises:
        InvalidError: there are no rows, or a propensity is not a probability above 0.
    """

    rewards: FloatArray
    propensities: FloatArray
    units: NDArray[np.int64]

    def __post_init__(self) -> None:
        if not len(self.rewards):
            raise InvalidError("there is no logged feedback")
        if not ((self.propensities > 0) & (self.propensities <= 1)).all():
            raise InvalidError("propensities must be above 0 and at most 1")

    def __len__(self) -> int:
        return len(self.rewards)


@dataclass(frozen=True, slots=True)
class RewardModel:
    """Predicted rewards, (rows,) each: of the logged action, and of the action of the other policy."""

    of_logged: FloatArray
    of_policy: FloatArray


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """The mean reward of a policy. `effective_sample_size`: the number of unweighted rows with the same precision."""

    estimator: str
    interval: Interval
    effective_sample_size: float
    rows: int


def policy_values(
    feedback: LoggedFeedback, probabilities: FloatArray, model: RewardModel | None = None, *, seed: int = 0
) -> dict[str, PolicyValue]:
    """The value of a policy by every estimator. `probabilities`, (rows,), are those of the logged actions under it.

    - `ips`: the mean of weight times reward (Horvitz and Thompson, 1952). Unbiased, high variance.
    - `snips`: that sum over the sum of weights (Swaminathan and Joachims, NIPS 2015). Low variance, slightly biased.
    - `dr`: the prediction of `model` plus its weighted errors (Dudík et al., ICML 2011). Consistent if the model or the
      propensities are right. Needs a `model`.

    Intervals are 95 % bootstrap intervals over `feedback.units`.

    Raises:
        InvalidError: the policy takes none of the logged actions.
    """
    weights = probabilities / feedback.propensities
    if not weights.any():
        raise InvalidError("the policy takes none of the logged actions: its value cannot be estimated")
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
    """The number of equally weighted rows with the same variance. Source: Kish, Survey Sampling, 1965."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def logged_value(feedback: LoggedFeedback, *, seed: int = 0) -> PolicyValue:
    """The mean reward of the logged policy itself."""
    interval = Resampler.of(feedback.units, seed=seed).interval(Estimate.of_mean(feedback.rewards))
    return PolicyValue("logged", interval, len(feedback), len(feedback))
