"""Skew: what training computes against what serving computed, of the same posts in the same slates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photofeed.features.ranking import FEATURE_NAMES
from training.dataset import Origin, impressions, joined_matrix
from training.sources import Sources
from training.window import Window

LARGEST_DIFFERENCE = 1e-6

# A row is known to history when it is decided and online a moment later, and a request takes a moment too: of what
# changed this close to a request neither side can say which state it should have seen.
SETTLING_US = 5_000_000


@dataclass(frozen=True, slots=True)
class Skew:
    """How far the two sides are apart.

    Attributes:
        rows: impressions compared.
        in_flight: values left out, because they changed within seconds of the request.
        differences: feature -> the largest absolute difference; infinite where only one side has a value.
    """

    rows: int
    in_flight: int
    differences: dict[str, float]

    @property
    def skewed(self) -> dict[str, float]:
        """The features that are further apart than LARGEST_DIFFERENCE, the worst first."""
        beyond = [
            (difference, name) for name, difference in self.differences.items() if difference > LARGEST_DIFFERENCE
        ]
        return {name: difference for difference, name in sorted(beyond, reverse=True)}


def measure_skew(sources: Sources, window: Window, most_rows: int, seed: int = 0) -> Skew:
    """Compare features as served with Feast's point-in-time join on up to `most_rows` impressions drawn at random.

    Raises:
        EmptyWindowError: nothing was served in the window.
        FeaturesError: the feature store's answer is not what the manifest declares.
        RetryableError: object storage cannot be reached.
    """
    shown = impressions(sources, window, Origin.SERVED)
    if len(shown) > most_rows:
        drawn = np.zeros(len(shown), np.bool_)
        drawn[np.random.default_rng(seed).choice(len(shown), most_rows, replace=False)] = True
        shown = shown.take(drawn)
    apart = differences(shown.served, joined_matrix(sources, shown))
    suspects = np.asarray((apart > LARGEST_DIFFERENCE).any(axis=1))
    in_flight = np.zeros_like(apart, np.bool_)
    if suspects.any():
        few = shown.take(suspects)
        before, after = (joined_matrix(sources, few, offset_us=offset) for offset in (-SETTLING_US, SETTLING_US))
        in_flight[suspects] = (differences(before, after) > 0) & (apart[suspects] > LARGEST_DIFFERENCE)
    largest = np.where(in_flight, 0.0, apart).max(axis=0)
    return Skew(len(shown), int(in_flight.sum()), dict(zip(FEATURE_NAMES, largest.tolist(), strict=True)))


def differences(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    """Absolute differences of the same shape: 0 where both are missing, infinite where only one is."""
    missing = np.isnan(one).astype(np.int8) + np.isnan(other)
    apart = np.abs(one.astype(np.float64) - other)
    return np.select([missing == 2, missing == 1], [0.0, np.inf], apart)  # noqa: PLR2004  both sides
