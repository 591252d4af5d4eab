"""Decay of the counters among stored columns to one moment: what a model sees of a counter."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from photofeed.arrays import FloatArray
from photofeed.compiled import compiled
from photofeed.features.counters import AS_OF_FIELD
from photofeed.features.manifest import FeatureManifest

_NONE = -1


@dataclass(frozen=True, slots=True, eq=False)
class CounterDecay:
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

    def apply(self, values: FloatArray, elapsed: FloatArray) -> None:
        """Decay the counters among `values`, in place; none stays below 0.

        Args:
            values: (columns or more, rows), as stored.
            elapsed: (moments or more, rows), seconds since `moments`.
        """
        factors = np.empty((len(self.moment), values.shape[1]))
        write_exponents(elapsed, self.moment, self.half_lives, factors)
        np.exp2(factors, out=factors)  # not compiled: other implementations differ in the last bit
        decay_counters(values, factors, self.of_column)


@compiled
def write_exponents(
    elapsed: FloatArray, moment: NDArray[np.intp], half_lives: FloatArray, exponents: FloatArray
) -> None:
    """Write the exponents to base 2 of decay factors, as photofeed.features.decay defines them, into (k, rows).

    Args:
        elapsed: (moments or more, rows) seconds.
        moment: (k,) rows of `elapsed`.
        half_lives: (k,) seconds.
        exponents: (k, rows), written to.
    """
    for factor in range(len(moment)):
        passed, half_life, output = elapsed[moment[factor]], half_lives[factor], exponents[factor]
        for row in range(len(output)):
            seconds = passed[row]
            seconds = max(seconds, 0.0)
            output[row] = -seconds / half_life


@compiled
def decay_counters(values: FloatArray, factors: FloatArray, factor_of: NDArray[np.intp]) -> None:
    """Multiply counters by their factors, in place; none stays below 0.

    Args:
        values: (columns or more, rows).
        factors: (k, rows).
        factor_of: (columns,) index of each column's factor, or _NONE.
    """
    for column in range(len(factor_of)):
        if factor_of[column] != _NONE:
            counter, remains = values[column], factors[factor_of[column]]
            for row in range(len(counter)):
                remaining = counter[row] * remains[row]
                counter[row] = max(remaining, 0.0)
