"""The distribution of a model's inputs at training, kept to measure drift later without the training data."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DECILES = np.linspace(0.1, 0.9, 9)
SMALLEST_SHARE = 1e-3  # an empty bin would make the index infinite


@dataclass(frozen=True, slots=True)
class FeatureProfile:
    """For each feature, the edges of its deciles and the share of rows in each bin.

    The last two bins hold values above the largest of training, and missing values. `ranges` has the smallest and the
    largest value of each feature in training, None where it had none; it is empty in profiles of release 0.1.
    """

    edges: tuple[tuple[float, ...], ...]
    shares: tuple[tuple[float, ...], ...]
    ranges: tuple[tuple[float, float] | None, ...] = ()

    @classmethod
    def of(cls, matrix: NDArray[np.float32]) -> "FeatureProfile":
        """The profile of a matrix, (rows, features), with at least one row."""
        return cls.of_columns(matrix.T)

    @classmethod
    def of_columns(cls, columns: Iterable[NDArray[np.float32]]) -> "FeatureProfile":
        """The profile of a matrix that is not all in memory: reads each column once, in order."""
        edges, shares, ranges = [], [], []
        for column in columns:
            edges.append(_edges(column))
            shares.append(_shares(column, edges[-1]))
            ranges.append(_range(column))
        return cls(tuple(edges), tuple(shares), tuple(ranges))

    def psi(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Population stability index of each feature, (features,): 0 is unchanged, 0.1 a warning, 0.25 an alarm.

        Source: Siddiqi, Credit Risk Scorecards, 2006.
        """
        now = [_shares(column, its) for column, its in zip(matrix.T, self.edges, strict=True)]
        return np.array([_psi(before, after) for before, after in zip(self.shares, now, strict=True)])

    def psi_of_chance(self, observations: int) -> NDArray[np.float64]:
        """The index that chance seldom exceeds, (features,), from so many independent observations of unchanged inputs.

        Source: Yurdakul, Statistical Properties of Population Stability Index, 2018: a chi-square of bins - 1 degrees
        of freedom divided by the observations, where training has far more of them, of which this is the mean and two
        standard deviations; plus the term of bins that stay empty by chance.
        """
        return np.array([_psi_of_chance(shares, observations) for shares in self.shares])

    def to_plain(self) -> dict[str, Any]:
        """The profile as types that JSON has."""
        return {"edges": self.edges, "shares": self.shares, "ranges": self.ranges}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "FeatureProfile":
        """The profile that `to_plain` returned."""
        ranges = (tuple(both) if both else None for both in plain.get("ranges", ()))
        return cls(tuple(map(tuple, plain["edges"])), tuple(map(tuple, plain["shares"])), tuple(ranges))


def _range(column: NDArray[np.float32]) -> tuple[float, float] | None:
    finite = column[np.isfinite(column)]
    return (float(finite.min()), float(finite.max())) if finite.size else None


def _edges(column: NDArray[np.float32]) -> tuple[float, ...]:
    finite = column[np.isfinite(column)]
    if not finite.size:
        return ()
    above_all = np.nextafter(finite.max(), np.float32(np.inf))
    return tuple(np.unique(np.append(np.quantile(finite, DECILES), above_all)).tolist())


def _shares(column: NDArray[np.float32], edges: Sequence[float]) -> tuple[float, ...]:
    missing = np.isnan(column)
    bins = np.where(missing, len(edges) + 1, np.searchsorted(np.asarray(edges), column, side="right"))
    counts = np.bincount(bins, minlength=len(edges) + 2)
    return tuple((counts / len(column)).tolist())


def _psi_of_chance(shares: Sequence[float], observations: int) -> float:
    p = np.array([share for share in shares if share > SMALLEST_SHARE])
    empty = (1 - p) ** observations * (p - SMALLEST_SHARE) * np.log(p / SMALLEST_SHARE)
    freedom = len(p) - 1
    return (freedom + 2 * math.sqrt(2 * freedom)) / observations + float(empty.sum())


def _psi(before: Sequence[float], after: Sequence[float]) -> float:
    p, q = (np.maximum(np.asarray(shares), SMALLEST_SHARE) for shares in (before, after))
    return float(((q - p) * np.log(q / p)).sum())
