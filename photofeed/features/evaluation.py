"""Computes features together: all stored columns are read at once, and each counter is decayed once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from photofeed.arrays import FloatArray
from photofeed.features.ages import Ages
from photofeed.features.cosines import cosine_function
from photofeed.features.counter_decay import CounterDecay
from photofeed.features.declarations import Age, Cosine, Function, RankingFeature
from photofeed.features.functions import FUNCTIONS, PureFunction
from photofeed.features.ratios import Ratio, Ratios
from photofeed.features.stored import FeatureSource
from photofeed.times import MICROSECONDS


class Evaluation:
    """Features in order, ready to compute. Functions that they refer to exist."""

    def __init__(self, features: Sequence[RankingFeature]) -> None:
        ratios = {column: one.of for column, one in enumerate(features) if isinstance(one.of, Ratio)}
        ages = {column: one.of for column, one in enumerate(features) if isinstance(one.of, Age)}
        functions = {column: one for column, feature in enumerate(features) if (one := _function(feature))}
        parts = [part for function in functions.values() for part in function.ratios]
        self._columns = tuple(dict.fromkeys(name for ratio in (*ratios.values(), *parts) for name in ratio.terms))
        self._ratios = Ratios(list(ratios.values()), self._columns, list(ratios))
        self._ages = Ages(list(ages.values()), list(ages))
        self._parts = Ratios(parts, self._columns)
        self._functions = list(functions.items())

    def write(self, stored: FeatureSource, matrix: NDArray[np.float32]) -> None:
        """Write the features into (rows, features).

        Raises:
            KeyError: a stored column is missing.
        """
        decay, columns = CounterDecay.of(stored.manifest, self._columns), len(self._columns)
        names = (*self._columns, *decay.moments, *self._ages.columns)
        values = np.empty((len(names), len(matrix)))
        stored.write(names, values)
        moments = values[columns:]
        elapsed = stored.now - moments / MICROSECONDS
        decay.apply(values, elapsed)
        self._ratios.write(values, matrix)
        counters = len(decay.moments)
        self._ages.write(moments[counters:], elapsed[counters:], matrix)
        self._write_functions(values, stored.now, matrix)

    def _write_functions(self, values: FloatArray, now: FloatArray | float, matrix: NDArray[np.float32]) -> None:
        if not self._functions:
            return
        parts = np.empty((len(matrix), len(self._parts)))
        self._parts.write(values, parts)
        begin = 0
        for column, function in self._functions:
            end = begin + len(function.ratios)
            matrix[:, column] = function.compute(parts[:, begin:end].T, now)
            begin = end


def _function(feature: RankingFeature) -> PureFunction | None:
    of = feature.of
    if isinstance(of, Cosine):
        return cosine_function(of)
    return FUNCTIONS[of.name, of.version] if isinstance(of, Function) else None
