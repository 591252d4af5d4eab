"""The raw logs in the lake: what was served, and what people did, by stretches of time."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from photofeed.errors import RetryableError
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.offline_store.lake import Lake, LakeFolder
from photofeed.offline_store.parts import Hours
from photofeed.offline_store.spilling import spilling
from photofeed.settings import DUCKDB_MEMORY_MB
from training.matrix_on_disk import matrix_on_disk
from training.window import Window

if TYPE_CHECKING:
    import duckdb

# A slate that a window begins or ends in the middle of is read whole: people page on, and like late.
MARGIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class RawLogs:
    """The raw logs of one bucket."""

    lake: Lake
    bucket: str
    memory_mb: int = DUCKDB_MEMORY_MB
    """How much DuckDB may hold while it reads them."""

    def parts(self, table: str, window: Window) -> list[Path]:
        """Local copies of the parts of `table` that can touch slates of `window`; only what is new is fetched.

        Raises:
            RetryableError: object storage cannot be reached.
        """
        hours = Hours(window.start - MARGIN, window.end + MARGIN)
        return self.lake.mirror(LakeFolder(self.bucket, table), hours)

    def duckdb(self) -> "duckdb.DuckDBPyConnection":
        """A new connection, that spills to the folder that parts are mirrored to."""
        import duckdb  # noqa: PLC0415  only the commands that build datasets need it

        return duckdb.connect(config=spilling(self.lake.cache_dir, self.memory_mb))

    def matrix(self, rows: int) -> NDArray[np.float32]:
        """Room for the ranking features of so many impressions, (rows, features), in that folder too.

        Raises:
            RetryableError: the disk is full.
        """
        try:
            return matrix_on_disk(rows, len(FEATURE_NAMES), self.lake.cache_dir)
        except OSError as error:
            raise RetryableError(f"no room for the features of {rows} impressions: {error}") from error
