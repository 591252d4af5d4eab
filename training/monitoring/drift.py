"""Drift: the distribution of each served feature compared with the training set of the champion."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.errors import InvalidError
from photofeed.models.contract import ModelContract
from photofeed.offline_store.tables import FEED_SERVED
from training.data.raw_logs import RawLogs
from training.data.window import Window
from training.errors import EmptyWindowError

WARNING_PSI, ALARMING_PSI = 0.1, 0.2
# The expected PSI of two samples of one population is (bins - 1) (1 / rows + 1 / training rows): 0.011 for MIN_ROWS.
MIN_ROWS, MAX_ROWS = 1_000, 200_000


@dataclass(frozen=True, slots=True)
class Drift:
    """The distance between served features and those of the training.

    Attributes:
        rows: the number of served items.
        psi: feature -> population stability index, largest first.
        missing: feature -> the share of missing values in training, and now.
    """

    rows: int
    psi: dict[str, float]
    missing: dict[str, tuple[float, float]]

    def above(self, psi: float) -> list[str]:
        """The features with a PSI of at least `psi`, largest first."""
        return [name for name, value in self.psi.items() if value >= psi]

    def metrics(self) -> Mapping[str, float]:
        """The metrics for MLflow."""
        psi = {f"drift_psi_{name}": value for name, value in self.psi.items()}
        missing = {f"drift_missing_{name}": now for name, (_, now) in self.missing.items()}
        return {"drift_psi_worst": max(self.psi.values()), "drift_rows": float(self.rows)} | psi | missing


def measure_drift(contract: ModelContract, matrix: NDArray[np.float32]) -> Drift:
    """The drift of a matrix, (rows, features), of the features of the contract.

    Raises:
        InvalidError: the version has no profile of its training set, or there are too few rows.
    """
    if contract.profile is None:
        raise InvalidError("the version has no profile of its features: run `photofeed train`")
    if len(matrix) < MIN_ROWS:
        raise InvalidError(f"{len(matrix)} rows are too few to distinguish drift from chance: {MIN_ROWS} are required")
    psi = contract.profile.psi(matrix)
    before = (shares[-1] for shares in contract.profile.shares)
    missing = zip(before, np.isnan(matrix).mean(axis=0).tolist(), strict=True)
    largest_first = np.argsort(-psi, kind="stable").tolist()
    return Drift(
        len(matrix),
        {contract.feature_names[index]: float(psi[index]) for index in largest_first},
        dict(zip(contract.feature_names, missing, strict=True)),
    )


def served_features(logs: RawLogs, contract: ModelContract, window: Window) -> NDArray[np.float32]:
    """Features as served in the window, (rows, features) in the order of the contract; a sample of up to MAX_ROWS.

    Raises:
        EmptyWindowError: nothing was served in the window with exactly these features.
        RetryableError: object storage cannot be reached.
    """
    import duckdb  # noqa: PLC0415  only the commands that read logs need it

    names = list(contract.feature_names)
    if parts := logs.parts(FEED_SERVED, window):
        with duckdb.connect() as connection:
            files = [str(part) for part in parts]
            connection.register("served", connection.read_parquet(files, hive_partitioning=False, union_by_name=True))
            arguments = {"first": window.start, "end": window.end, "names": names}
            column: Any = connection.sql(_SERVED, params=arguments).to_arrow_table()["features"].combine_chunks()
        if len(column):
            flat: NDArray[np.float32] = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
            return flat.reshape(len(column), len(names))
    raise EmptyWindowError(f"nothing was served from {window} with the {len(names)} features of the champion")


_SERVED = f"""
select features from (
    select features from served where served_at >= $first and served_at < $end and feature_names = $names
) using sample reservoir({MAX_ROWS} rows) repeatable (7)
"""  # noqa: S608  a constant
