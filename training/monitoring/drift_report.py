"""The drift page of evidently: the distribution of every feature in training and now."""

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.monitoring.drift import Drift

if TYPE_CHECKING:
    from pandas import Series

MAX_ROWS = 20_000  # of each side, because the page contains the data that it plots
METHOD = "photofeed_psi"


def write_drift_report(
    path: Path, names: tuple[str, ...], before: NDArray[np.float32], now: NDArray[np.float32], found: Drift
) -> None:
    """Write the page: the features of the training, (rows, features), and those of now. Large matrices are sampled.

    Indices and verdicts are those of `found`. Evidently does not accept columns without values; those are left out.
    """
    reference, current = _frame(names, before), _frame(names, now)
    shown = [name for name in names if reference[name].notna().any() and current[name].notna().any()]
    os.environ["DO_NOT_TRACK"] = "1"  # by default evidently sends usage data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecation warnings among its dependencies
        from evidently import DataDefinition, Dataset, Report  # takes seconds
        from evidently.presets import DataDriftPreset

        _register_judgement(found)
        columns = DataDefinition(numerical_columns=shown)
        sides = (Dataset.from_pandas(side[shown], columns) for side in (current, reference))
        # evidently reports drift from this share of the shown columns on; `found` has it above a share of all features
        too_many = (int(found.largest_share * len(names)) + 1) / len(shown)
        preset = DataDriftPreset(num_method=METHOD, num_threshold=found.psi, drift_share=too_many)
        Report([preset]).run(*sides).save_html(str(path))


def _register_judgement(found: Drift) -> None:
    """Make evidently show the results of `judge_drift` instead of those of a test of its own."""
    from evidently.legacy.calculations.stattests import StatTest, register_stattest
    from evidently.legacy.core import ColumnType

    results = {one.name: (one.psi, one.drifted) for one in found.features}

    def judged(_before: "Series[Any]", now: "Series[Any]", _kind: object, _limit: float) -> tuple[float, bool]:
        return results[str(now.name)]

    test = StatTest(METHOD, "PSI, as `photofeed features drift` judges it", [ColumnType.Numerical])
    register_stattest(test, judged)


def _frame(names: tuple[str, ...], matrix: NDArray[np.float32]) -> Any:
    from pandas import DataFrame

    drawn = np.random.default_rng(0).permutation(len(matrix))[:MAX_ROWS]
    return DataFrame(matrix[drawn], columns=list(names))
