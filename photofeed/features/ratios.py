"""Ranking features that are a stored feature or a ratio of two, computed together by one compiled function.

Nearly all ranking features are. One by one in numpy they take two hundred calls a feed, and the overhead of a call
exceeds its work.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photofeed.arrays import FloatArray
from photofeed.compiled import compiled

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


class Ratios:
    """Ratios that are computed together.

    Args:
        ratios: the ratios.
        columns: names of the columns that `write` gets, among them all that the ratios read.
        outputs: the output column of each ratio; 0, 1, 2, ... unless given.
    """

    def __init__(self, ratios: Sequence[Ratio], columns: Sequence[str], outputs: Sequence[int] | None = None) -> None:
        at = {name: column for column, name in enumerate(columns)}
        terms = [[*(at[name] for name in ratio.terms), _NONE][:2] for ratio in ratios]
        self._terms = np.array(terms, np.intp).reshape(len(ratios), 2)
        numbers = [(ratio.factor, ratio.prior, ratio.weight, ratio.cap) for ratio in ratios]
        self._numbers = np.array(numbers, np.float64).reshape(len(ratios), 4)
        self._outputs = np.arange(len(ratios)) if outputs is None else np.array(outputs, np.intp)

    def __len__(self) -> int:
        return len(self._outputs)

    def write(self, values: FloatArray, output: NDArray[np.float32] | FloatArray) -> None:
        """Write the ratios of values, (columns or more, rows), into columns of `output`, (rows, any)."""
        write_ratios(values, self._terms, self._numbers, self._outputs, output)


@compiled
def write_ratios(
    values: FloatArray,
    terms: NDArray[np.intp],
    numbers: FloatArray,
    outputs: NDArray[np.intp],
    output: NDArray[np.float32] | FloatArray,
) -> None:
    """Compute ratios.

    Args:
        values: (columns, rows).
        terms: (ratios, 2), the columns of numerator and denominator; the latter may be _NONE.
        numbers: (ratios, 4): factor, prior, weight and cap.
        outputs: (ratios,) columns of the output.
        output: (rows, any), written to.
    """
    for ratio in range(len(terms)):
        factor, prior, weight, cap = numbers[ratio]
        top, bottom = values[terms[ratio, 0]], terms[ratio, 1]
        if bottom == _NONE:
            _scale(top, factor, prior, cap, output[:, outputs[ratio]])
        else:
            _divide(top, values[bottom], factor, prior, weight, cap, output[:, outputs[ratio]])


@compiled
def _scale(
    values: FloatArray, factor: float, prior: float, cap: float, output: NDArray[np.float32] | FloatArray
) -> None:
    for row in range(len(output)):
        value = factor * values[row] + prior
        if value > cap:  # noqa: PLR1730  in numba, min() of NaN and a number is the number
            value = cap
        output[row] = value


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
