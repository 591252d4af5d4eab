"""The raw logs in the lake: the served log and the engagement log, by time window."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from photofeed.errors import RetryableError
from photofeed.offline_store.lake import Lake, LakeFolder
from photofeed.offline_store.parts import Hours
from photofeed.offline_store.spilling import NO_PROGRESS, spilling
from photofeed.settings import DUCKDB_MEMORY_MB
from training.data.matrix_on_disk import matrix_on_disk
from training.data.window import Window

if TYPE_CHECKING:
    import duckdb

# Slates that cross the bounds of a window are read whole: users load further pages and like posts hours later.
MARGIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class RawLogs:
    """The raw logs of one bucket."""

    lake: Lake
    bucket: str
    memory_mb: int = DUCKDB_MEMORY_MB
    """The memory that DuckDB may use while it reads them."""

    def parts(self, table: str, window: Window) -> list[Path]:
        """Local copies of the parts of `table` that may hold events of slates of `window`. Fetches new parts only.

        Raises:
            RetryableError: object storage cannot be reached.
        """
        hours = Hours(window.start - MARGIN, window.end + MARGIN)
        return self.lake.mirror(LakeFolder(self.bucket, table), hours)

    def first_hour(self, table: str) -> datetime | None:
        """The hour of the oldest rows of `table`; None if it has none.

        Raises:
            RetryableError: object storage cannot be reached.
        """
        return self.lake.first_hour(LakeFolder(self.bucket, table))

    def duckdb(self) -> "duckdb.DuckDBPyConnection":
        """A new connection. It spills to the folder of the local copies."""
        import duckdb  # noqa: PLC0415  only commands that build datasets need it

        return duckdb.connect(config=spilling(self.lake.cache_dir, self.memory_mb)).execute(NO_PROGRESS)

    def matrix(self, rows: int, features: int) -> NDArray[np.float32]:
        """An empty matrix for this many ranking features of impressions, (rows, features), in the same folder.

        Raises:
            RetryableError: the disk is full.
        """
        try:
            return matrix_on_disk(rows, features, self.lake.cache_dir)
        except OSError as error:
            raise RetryableError(f"no disk space for the features of {rows} impressions: {error}") from error
