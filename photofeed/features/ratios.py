"""Ranking features that are a stored feature, or a ratio of two: nearly all are, so they are computed together.

One by one, in numpy, they are two hundred calls a feed, each of which takes longer to begin than to do its work.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from photofeed.compiled import compiled
from photofeed.features.counters import AS_OF_FIELD
from photofeed.features.decay import FloatArray, decay_factors
from photofeed.features.manifest import FeatureManifest

Columns = Mapping[str, NDArray[np.generic]]

MICROSECONDS = 1e6
_NONE = -1


@dataclass(frozen=True, slots=True)
class Ratio:
    """(factor * numerator + prior) / (denominator + weight) of a view's stored features; undivided if it has none."""

    view: str
    numerator: str
    denominator: str | None = None
    factor: float = 1.0
    prior: float = 0.0
    weight: float = 0.0

    @property
    def terms(self) -> tuple[str, ...]:
        """The names of its columns."""
        fields = [field for field in (self.numerator, self.denominator) if field is not None]
        return tuple(f"{self.view}__{field}" for field in fields)


@dataclass(frozen=True, slots=True)
class _Fading:
    """Which counters fade how, of the columns that some ratios are made of.

    Attributes:
        moments: the columns that say when counters were true.
        moment: (k,) which of them is meant, for each distinct pair of a view and a half-life.
        half_lives: (k,) seconds.
        of_column: (columns,) which of these pairs each column has, or _NONE.
    """

    moments: tuple[str, ...]
    moment: NDArray[np.intp]
    half_lives: FloatArray
    of_column: NDArray[np.intp]

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, manifest: FeatureManifest, columns: tuple[str, ...]) -> Self:
        """As the manifest has it."""
        known = {
            f"{view.name}__{name}": (view.name, s) for view in manifest.views for name, s in view.half_lives.items()
        }
        fades = list(dict.fromkeys(known[name] for name in columns if name in known))
        views = list(dict.fromkeys(view for view, _ in fades))
        return cls(
            tuple(f"{view}__{AS_OF_FIELD}" for view in views),
            np.array([views.index(view) for view, _ in fades], np.intp),
            np.array([seconds for _, seconds in fades], np.float64),
            np.array([fades.index(known[name]) if name in known else _NONE for name in columns], np.intp),
        )

    def factors(self, stored: Columns, now: FloatArray | float, rows: int) -> FloatArray:
        """What is left of one, (k, rows)."""
        elapsed = np.empty((len(self.moments), rows))
        for row, name in zip(elapsed, self.moments, strict=True):
            np.subtract(now, seconds(stored[name]), out=row)
        return decay_factors(elapsed[self.moment], self.half_lives[:, np.newaxis])


class Ratios:
    """Ratios that are computed together.

    Args:
        ratios: which.
        places: in which column of the output each is to be; one after the other unless given.

    Attributes:
        columns: the names of the columns that they are made of.
    """

    def __init__(self, ratios: Sequence[Ratio], places: Sequence[int] | None = None) -> None:
        self.columns = tuple(dict.fromkeys(name for ratio in ratios for name in ratio.terms))
        at = self.columns.index
        terms = [[*map(at, ratio.terms), _NONE][:2] for ratio in ratios]
        self._terms = np.array(terms, np.intp).reshape(len(ratios), 2)
        numbers = [(ratio.factor, ratio.prior, ratio.weight) for ratio in ratios]
        self._numbers = np.array(numbers, np.float64).reshape(len(ratios), 3)
        self._places = np.arange(len(ratios)) if places is None else np.array(places, np.intp)

    def __len__(self) -> int:
        return len(self._places)

    def compute(
        self,
        stored: Columns,
        manifest: FeatureManifest,
        now: FloatArray | float,
        output: NDArray[np.float32] | FloatArray,
    ) -> None:
        """Write them.

        Args:
            stored: `view__field` -> (rows,), or one row for all.
            manifest: which of the columns are counters, and how fast each fades.
            now: seconds since the epoch, one for all rows or (rows,).
            output: (rows, any) written to.

        Raises:
            KeyError: a column is missing.
        """
        fading = _Fading.of(manifest, self.columns)
        values = np.empty((len(self.columns), len(output)))
        for row, name in zip(values, self.columns, strict=True):
            row[:] = stored[name]
        factors = fading.factors(stored, now, len(output))
        write_ratios(values, factors, fading.of_column, self._terms, self._numbers, self._places, output)


def seconds(moments: NDArray[np.generic]) -> FloatArray:
    """Stored moments in seconds since the epoch."""
    return np.asarray(moments, dtype=np.float64) / MICROSECONDS


@compiled
def write_ratios(
    values: FloatArray,
    factors: FloatArray,
    factor_of: NDArray[np.intp],
    terms: NDArray[np.intp],
    numbers: FloatArray,
    places: NDArray[np.intp],
    output: NDArray[np.float32] | FloatArray,
) -> None:
    """Fade counters, none below 0, and divide them.

    Args:
        values: (columns, rows), as stored; counters are faded in place.
        factors: (k, rows), what fades them.
        factor_of: (columns,) which of these, or _NONE.
        terms: (ratios, 2), the columns of numerator and denominator; the latter may be _NONE.
        numbers: (ratios, 3): factor, prior and weight.
        places: (ratios,) columns of the output.
        output: (rows, any) written to.
    """
    for column in range(len(values)):
        if factor_of[column] != _NONE:
            _fade(values[column], factors[factor_of[column]])
    ones = np.ones(len(output))
    for ratio in range(len(terms)):
        factor, prior, weight = numbers[ratio]
        bottom = terms[ratio, 1]
        if bottom == _NONE:
            _divide(values[terms[ratio, 0]], ones, factor, prior, 0.0, output[:, places[ratio]])
        else:
            _divide(values[terms[ratio, 0]], values[bottom], factor, prior, weight, output[:, places[ratio]])


@compiled
def _fade(counter: FloatArray, factors: FloatArray) -> None:
    for row in range(len(counter)):
        left = counter[row] * factors[row]
        counter[row] = max(left, 0.0)


@compiled
def _divide(
    numerator: FloatArray,
    denominator: FloatArray,
    factor: float,
    prior: float,
    weight: float,
    output: NDArray[np.float32] | FloatArray,
) -> None:
    for row in range(len(output)):
        output[row] = (factor * numerator[row] + prior) / (denominator[row] + weight)
