"""Ages of stored moments, computed together by one compiled function."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from photofeed.arrays import FloatArray
from photofeed.compiled import compiled
from photofeed.features.declarations import Age


class Ages:
    """Ages that are computed together.

    Args:
        ages: the ages.
        outputs: the output column of each age.

    Attributes:
        columns: names of the columns of moments, one per age.
    """

    def __init__(self, ages: Sequence[Age], outputs: Sequence[int]) -> None:
        self.columns = tuple(name for age in ages for name in age.terms)
        self._units = np.array([age.unit_seconds for age in ages], np.float64)
        self._outputs = np.array(outputs, np.intp)

    def write(self, moments: FloatArray, elapsed: FloatArray, output: NDArray[np.float32]) -> None:
        """Write the ages into columns of `output`.

        Args:
            moments: (ages, rows), as stored; unknown where 0 or negative.
            elapsed: (ages, rows), seconds since the moments.
            output: (rows, any), written to.
        """
        write_ages(moments, elapsed, self._units, self._outputs, output)


@compiled
def write_ages(
    moments: FloatArray,
    elapsed: FloatArray,
    units: FloatArray,
    outputs: NDArray[np.intp],
    output: NDArray[np.float32],
) -> None:
    """See Ages.write. `units`: (ages,) seconds; `outputs`: (ages,) columns of the output."""
    for age in range(len(units)):
        for row in range(len(output)):
            seconds = elapsed[age, row]
            seconds = max(seconds, 0.0)
            output[row, outputs[age]] = seconds / units[age] if moments[age, row] > 0 else np.nan
