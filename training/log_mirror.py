"""The raw logs in object storage, mirrored day by day to a local folder, where DuckDB reads them."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from photofeed.object_store import ObjectStore
from training.window import Window

ENGAGEMENT, FEED_SERVED = "engagement", "feed_served"
DOWNLOADS_AT_ONCE = 8

# A slate that a window begins or ends in the middle of is read whole: people page on, and like late.
MARGIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LogMirror:
    """Tables of Parquet parts under `<table>/day=YYYY-MM-DD/`; parts never change once written."""

    store: ObjectStore
    bucket: str
    folder: Path

    def parts(self, table: str, window: Window) -> list[Path]:
        """Local copies of the parts of `table` that can touch slates of `window`; only what is new is downloaded.

        Raises:
            RetryableError: object storage cannot be reached.
        """
        days = window.days(margin=MARGIN)
        keys = [key for day in days for key in self.store.keys(self.bucket, f"{table}/day={day.isoformat()}/")]
        with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
            return list(pool.map(self._local, keys))

    def _local(self, key: str) -> Path:
        path = self.folder / key
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial")
            partial.write_bytes(self.store.get(self.bucket, key))
            partial.rename(path)
        return path
