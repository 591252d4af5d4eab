"""Confidence intervals of metrics over slates, by resampling users."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from photofeed.arrays import FloatArray

DRAWS = 1000
LEVEL = 0.95
# With more users than this, groups of users are resampled. That is as valid, and bounds the cost on large logs.
MAX_UNITS = 2000


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and the bounds of its 95 % confidence interval; NaN where they are unknown."""

    value: float
    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    @property
    def clear(self) -> bool:
        """Whether 0 is outside the interval, so that a difference is significant. False for unknown bounds."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and the influence of each slate on it: `influence`, (slates,), with a sum of 0.

    The difference of two estimates over the same slates is an estimate. What two rankers have in common cancels out.
    Source: the infinitesimal jackknife (Efron, SIAM 1982); every metric here is a smooth function of slate sums.
    """

    value: float
    influence: FloatArray

    def minus(self, other: "Estimate") -> "Estimate":
        """The difference between this and `other`."""
        return Estimate(self.value - other.value, self.influence - other.influence)

    @staticmethod
    def of_mean(values: FloatArray, weights: FloatArray | None = None) -> "Estimate":
        """The mean of `values`, (slates,), without NaN, weighted by `weights`."""
        weights = np.where(np.isnan(values), 0.0, 1.0 if weights is None else weights)
        total = weights.sum()
        if not total:
            return Estimate(float("nan"), np.zeros(len(values)))
        known = np.nan_to_num(values)
        mean = float((known * weights).sum() / total)
        return Estimate(mean, weights * (known - mean) / total)

    @staticmethod
    def average(estimates: Sequence["Estimate"]) -> "Estimate":
        """The mean of estimates over the same slates, such as several draws of a random ranker."""
        value = float(np.mean([estimate.value for estimate in estimates]))
        return Estimate(value, np.mean([estimate.influence for estimate in estimates], axis=0))


@dataclass(frozen=True, slots=True)
class Resampler:
    """Bootstrap draws of users, shared by all metrics so that intervals of differences are paired.

    Attributes:
        units: (slates,) the number of the user, or group of users, that is drawn as a whole.
        counts: (draws, units) how often each unit is in each draw.
    """

    units: NDArray[np.int64]
    counts: NDArray[np.float32]

    @classmethod
    def of(cls, owners: NDArray[np.int64], *, draws: int = DRAWS, seed: int = 0) -> Self:
        """Resample by `owners`, (slates,), because slates of one user are not independent. One user alone: by slate."""
        people, units = np.unique(owners, return_inverse=True)
        units = units if len(people) > 1 else np.arange(len(owners))
        units = units % MAX_UNITS
        count = int(units.max(initial=0)) + 1
        drawn = np.random.default_rng(seed).integers(0, count, size=(draws, count))
        drawn += np.arange(draws)[:, None] * count
        counts = np.bincount(drawn.ravel(), minlength=draws * count).reshape(draws, count)
        return cls(units, counts.astype(np.float32))

    def interval(self, estimate: Estimate) -> Interval:
        """The percentile interval of an estimate over the slates of this resampler."""
        by_unit = np.bincount(self.units, weights=estimate.influence, minlength=self.counts.shape[1])
        if np.isnan(estimate.value) or np.isnan(by_unit).any() or self.counts.shape[1] == 1:
            return Interval(estimate.value, float("nan"), float("nan"))
        shifts = self.counts @ by_unit
        low, high = estimate.value + np.quantile(shifts, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Interval(estimate.value, float(low), float(high))
