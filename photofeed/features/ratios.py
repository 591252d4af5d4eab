"""Ranking features that are a stored feature or a ratio of two, computed together by one compiled function.

Nearly all ranking features are. One by one in numpy they take two hundred calls a feed, and the overhead of a call
exceeds its work.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from photofeed.arrays import FloatArray
from photofeed.compiled import compiled
from photofeed.features.counters import AS_OF_FIELD
from photofeed.features.decay import decay_factors
from photofeed.features.manifest import FeatureManifest
from photofeed.times import MICROSECONDS

Columns = Mapping[str, NDArray[np.generic]]

_NONE = -1


@dataclass(frozen=True, slots=True)
class Ratio:
    """(factor * numerator + prior) / (denominator + weight) of a view's stored features; / 1 without denominator.

    A larger value counts as `cap`: no rate that few people can cause is outside of what a model was trained on.
    """

    view: str
    numerator: str
    denominator: str | None = None
    factor: float = 1.0
    prior: float = 0.0
    weight: float = 0.0
    cap: float = math.inf

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the columns it reads."""
        fields = [field for field in (self.numerator, self.denominator) if field is not None]
        return tuple(f"{self.view}__{field}" for field in fields)


@dataclass(frozen=True, slots=True)
class _CounterDecay:
    """How to decay the counters among some columns. Counters of one view and half-life share a factor; there are k.

    Attributes:
        moments: names of the columns that hold the times of counters.
        moment: (k,) index in `moments` of each factor's time.
        half_lives: (k,) seconds.
        of_column: (columns,) index of each column's factor, or _NONE for a column that is no counter.
    """

    moments: tuple[str, ...]
    moment: NDArray[np.intp]
    half_lives: FloatArray
    of_column: NDArray[np.intp]

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, manifest: FeatureManifest, columns: tuple[str, ...]) -> Self:
        """The decay of those of `columns` that the manifest declares as counters."""
        known = {
            f"{view.name}__{name}": (view.name, s) for view in manifest.views for name, s in view.half_lives.items()
        }
        pairs = list(dict.fromkeys(known[name] for name in columns if name in known))
        views = list(dict.fromkeys(view for view, _ in pairs))
        return cls(
            tuple(f"{view}__{AS_OF_FIELD}" for view in views),
            np.array([views.index(view) for view, _ in pairs], np.intp),
            np.array([seconds for _, seconds in pairs], np.float64),
            np.array([pairs.index(known[name]) if name in known else _NONE for name in columns], np.intp),
        )

    def factors(self, stored: Columns, now: FloatArray | float, rows: int) -> FloatArray:
        """What remains of 1 at `now`, (k, rows)."""
        elapsed = np.empty((len(self.moments), rows))
        for row, name in zip(elapsed, self.moments, strict=True):
            np.subtract(now, seconds(stored[name]), out=row)
        return decay_factors(elapsed[self.moment], self.half_lives[:, np.newaxis])


class Ratios:
    """Ratios that are computed together.

    Args:
        ratios: the ratios.
        outputs: the output column of each ratio; 0, 1, 2, ... unless given.

    Attributes:
        columns: names of the columns that the ratios read.
    """

    def __init__(self, ratios: Sequence[Ratio], outputs: Sequence[int] | None = None) -> None:
        self.columns = tuple(dict.fromkeys(name for ratio in ratios for name in ratio.terms))
        at = self.columns.index
        terms = [[*map(at, ratio.terms), _NONE][:2] for ratio in ratios]
        self._terms = np.array(terms, np.intp).reshape(len(ratios), 2)
        numbers = [(ratio.factor, ratio.prior, ratio.weight, ratio.cap) for ratio in ratios]
        self._numbers = np.array(numbers, np.float64).reshape(len(ratios), 4)
        self._outputs = np.arange(len(ratios)) if outputs is None else np.array(outputs, np.intp)

    def __len__(self) -> int:
        return len(self._outputs)

    def compute(
        self,
        stored: Columns,
        manifest: FeatureManifest,
        now: FloatArray | float,
        output: NDArray[np.float32] | FloatArray,
    ) -> None:
        """Write the ratios into columns of `output`.

        Args:
            stored: `view__field` -> (rows,), or (1,) if all rows share it.
            manifest: tells which columns are counters, and their half-lives.
            now: seconds since the epoch, one number for all rows or (rows,).
            output: (rows, any), written to.

        Raises:
            KeyError: a column is missing.
        """
        counters = _CounterDecay.of(manifest, self.columns)
        values = np.empty((len(self.columns), len(output)))
        for row, name in zip(values, self.columns, strict=True):
            row[:] = stored[name]
        factors = counters.factors(stored, now, len(output))
        write_ratios(values, factors, counters.of_column, self._terms, self._numbers, self._outputs, output)


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
    outputs: NDArray[np.intp],
    output: NDArray[np.float32] | FloatArray,
) -> None:
    """Decay counters, none below 0, and compute ratios.

    Args:
        values: (columns, rows), as stored; counters are decayed in place.
        factors: (k, rows), decay factors.
        factor_of: (columns,) index of each column's factor, or _NONE.
        terms: (ratios, 2), the columns of numerator and denominator; the latter may be _NONE.
        numbers: (ratios, 4): factor, prior, weight and cap.
        outputs: (ratios,) columns of the output.
        output: (rows, any), written to.
    """
    for column in range(len(values)):
        if factor_of[column] != _NONE:
            _decay(values[column], factors[factor_of[column]])
    ones = np.ones(len(output))
    for ratio in range(len(terms)):
        factor, prior, weight, cap = numbers[ratio]
        bottom = terms[ratio, 1]
        if bottom == _NONE:
            _divide(values[terms[ratio, 0]], ones, factor, prior, 0.0, cap, output[:, outputs[ratio]])
        else:
            _divide(values[terms[ratio, 0]], values[bottom], factor, prior, weight, cap, output[:, outputs[ratio]])


@compiled
def _decay(counter: FloatArray, factors: FloatArray) -> None:
    for row in range(len(counter)):
        remaining = counter[row] * factors[row]
        counter[row] = max(remaining, 0.0)


@compiled
def _divide(
    numerator: FloatArray,
    denominator: FloatArray,
    factor: float,
    prior: float,
    weight: float,
    cap: float,
    output: NDArray[np.float32] | FloatArray,
) -> None:
    for row in range(len(output)):
        value = (factor * numerator[row] + prior) / (denominator[row] + weight)
        if value > cap:  # noqa: PLR1730  in numba, min() of NaN and a number is the number
            value = cap
        output[row] = value
