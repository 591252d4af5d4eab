"""Drift: what is served now against what the champion learned from, feature by feature."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.errors import InvalidError
from photofeed.model_contract import ModelContract
from photofeed.offline_store.tables import FEED_SERVED
from training.errors import EmptyWindowError
from training.raw_logs import RawLogs
from training.window import Window

WARNING_PSI, ALARMING_PSI = 0.1, 0.2
# Two samples of one population differ, too: by (bins - 1) (1 / rows + 1 / rows of training), 0.011 for so many.
FEWEST_ROWS, MOST_ROWS = 1_000, 200_000


@dataclass(frozen=True, slots=True)
class Drift:
    """How far served features are from those of the training.

    Attributes:
        rows: served items that were looked at.
        psi: feature -> population stability index, the worst first.
        missing: feature -> the share of missing values in training, and now.
    """

    rows: int
    psi: dict[str, float]
    missing: dict[str, tuple[float, float]]

    def above(self, psi: float) -> list[str]:
        """The features with a PSI of at least so much, the worst first."""
        return [name for name, value in self.psi.items() if value >= psi]

    def metrics(self) -> Mapping[str, float]:
        """What MLflow keeps of it."""
        psi = {f"drift_psi_{name}": value for name, value in self.psi.items()}
        missing = {f"drift_missing_{name}": now for name, (_, now) in self.missing.items()}
        return {"drift_psi_worst": max(self.psi.values()), "drift_rows": float(self.rows)} | psi | missing


def drift_from(contract: ModelContract, matrix: NDArray[np.float32]) -> Drift:
    """The drift of (rows, features) of the contract's features.

    Raises:
        InvalidError: the version carries no profile of its training, or there are too few rows to tell.
    """
    if contract.profile is None:
        raise InvalidError("the version carries no profile of its features: run `photofeed train`")
    if len(matrix) < FEWEST_ROWS:
        raise InvalidError(f"{len(matrix)} rows are too few to tell drift from chance; it takes {FEWEST_ROWS}")
    psi = contract.profile.psi(matrix)
    before = (shares[-1] for shares in contract.profile.shares)
    missing = zip(before, np.isnan(matrix).mean(axis=0).tolist(), strict=True)
    worst_first = np.argsort(-psi, kind="stable").tolist()
    return Drift(
        len(matrix),
        {contract.feature_names[place]: float(psi[place]) for place in worst_first},
        dict(zip(contract.feature_names, missing, strict=True)),
    )


def served_features(logs: RawLogs, contract: ModelContract, window: Window) -> NDArray[np.float32]:
    """Features as served in the window, (rows, features) in the contract's order; of many rows a sample.

    Raises:
        EmptyWindowError: nothing was served in the window with these features.
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
) using sample reservoir({MOST_ROWS} rows) repeatable (7)
"""  # noqa: S608  a constant
