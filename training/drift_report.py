"""A page on drift, by evidently: every feature's distribution in training and now."""

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.drift import WARNING_PSI

MOST_ROWS = 20_000  # of each side: the page holds what it draws


def write_drift_report(
    path: Path, names: tuple[str, ...], before: NDArray[np.float32], now: NDArray[np.float32]
) -> None:
    """Write the page: (rows, features) of the training against those of now, drawn at random where there are many.

    Evidently's PSI has bins of its own, so its figures differ a little from those of training.drift. It takes no column
    without values: those are left out.
    """
    reference, current = _frame(names, before), _frame(names, now)
    shown = [name for name in names if reference[name].notna().any() and current[name].notna().any()]
    os.environ["DO_NOT_TRACK"] = "1"  # evidently reports its use unless told otherwise
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies warn of each other's past
        from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415  seconds
        from evidently.presets import DataDriftPreset  # noqa: PLC0415

        columns = DataDefinition(numerical_columns=shown)
        sides = (Dataset.from_pandas(side[shown], columns) for side in (current, reference))
        report = Report([DataDriftPreset(num_method="psi", num_threshold=WARNING_PSI)])
        report.run(*sides).save_html(str(path))


def _frame(names: tuple[str, ...], matrix: NDArray[np.float32]) -> Any:
    from pandas import DataFrame  # noqa: PLC0415

    drawn = np.random.default_rng(0).permutation(len(matrix))[:MOST_ROWS]
    return DataFrame(matrix[drawn], columns=list(names))
