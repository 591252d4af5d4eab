"""Skew: features as training computes them compared with features as served, for the same posts and slates."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import Origin, impressions, joined_matrix
from training.data.sources import Sources
from training.data.window import Window

LARGEST_DIFFERENCE = 1e-6

# History dates a row by the time of the decision. The row is online slightly later, and a request takes time, too.
# If a value changed this close to a request, it is unknown which state the request should have seen.
SETTLING_US = 5_000_000
# Workers collect rows before they write history, and are behind when there is much to do.
HISTORY_DELAY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Skew:
    """The differences between the two sides.

    Attributes:
        rows: the number of impressions that were compared.
        in_flight: values that were left out because they changed within seconds of the request.
        differences: feature -> the largest absolute difference; infinite if only one side has a value.
    """

    rows: int
    in_flight: int
    differences: dict[str, float]

    @property
    def skewed(self) -> dict[str, float]:
        """The features with a difference above LARGEST_DIFFERENCE, largest first."""
        beyond = [
            (difference, name) for name, difference in self.differences.items() if difference > LARGEST_DIFFERENCE
        ]
        return {name: difference for difference, name in sorted(beyond, reverse=True)}


def measure_skew(sources: Sources, window: Window, max_rows: int, seed: int = 0) -> Skew:
    """Compare features as served with Feast's point-in-time join, on up to `max_rows` random impressions.

    Raises:
        EmptyWindowError: nothing was served in the window.
        FeaturesError: the result of the feature store does not match the manifest.
        RetryableError: object storage cannot be reached.
    """
    shown = impressions(sources, window, Origin.SERVED)
    if len(shown) > max_rows:
        drawn = np.zeros(len(shown), np.bool_)
        drawn[np.random.default_rng(seed).choice(len(shown), max_rows, replace=False)] = True
        shown = shown.take(drawn)
    apart = differences(shown.served, joined_matrix(sources, shown))
    suspect = np.asarray((apart > LARGEST_DIFFERENCE).any(axis=1))
    in_flight = np.zeros_like(apart, np.bool_)
    if suspect.any():
        few = shown.take(suspect)
        before, after = (joined_matrix(sources, few, offset_us=offset) for offset in (-SETTLING_US, SETTLING_US))
        in_flight[suspect] = (differences(before, after) > 0) & (apart[suspect] > LARGEST_DIFFERENCE)
    largest = np.where(in_flight, 0.0, apart).max(axis=0)
    return Skew(len(shown), int(in_flight.sum()), dict(zip(sources.program.names, largest.tolist(), strict=True)))


def differences(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    """Absolute differences, in the same shape: 0 where both values are missing, infinite where one is missing."""
    missing = np.isnan(one).astype(np.int8) + np.isnan(other)
    apart = np.abs(one.astype(np.float64) - other)
    return np.select([missing == 2, missing == 1], [0.0, np.inf], apart)  # noqa: PLR2004  both sides
