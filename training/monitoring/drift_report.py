"""The drift page of evidently: the distribution of every feature in training and now."""

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.monitoring.drift import WARNING_PSI

MAX_ROWS = 20_000  # of each side, because the page contains the data that it plots


def write_drift_report(
    path: Path, names: tuple[str, ...], before: NDArray[np.float32], now: NDArray[np.float32]
) -> None:
    """Write the page: the features of the training, (rows, features), and those of now. Large matrices are sampled.

    Evidently uses other bins for its PSI, so its figures differ slightly from those of `drift`. It does not accept
    columns without values; those are left out.
    """
    reference, current = _frame(names, before), _frame(names, now)
    shown = [name for name in names if reference[name].notna().any() and current[name].notna().any()]
    os.environ["DO_NOT_TRACK"] = "1"  # by default evidently sends usage data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecation warnings among its dependencies
        from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415  takes seconds
        from evidently.presets import DataDriftPreset  # noqa: PLC0415

        columns = DataDefinition(numerical_columns=shown)
        sides = (Dataset.from_pandas(side[shown], columns) for side in (current, reference))
        report = Report([DataDriftPreset(num_method="psi", num_threshold=WARNING_PSI)])
        report.run(*sides).save_html(str(path))


def _frame(names: tuple[str, ...], matrix: NDArray[np.float32]) -> Any:
    from pandas import DataFrame  # noqa: PLC0415

    drawn = np.random.default_rng(0).permutation(len(matrix))[:MAX_ROWS]
    return DataFrame(matrix[drawn], columns=list(names))
