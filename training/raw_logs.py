"""The raw logs in the lake: what was served, and what people did, by stretches of time."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from photofeed.offline_store.lake import Lake, LakeFolder
from photofeed.offline_store.parts import Hours
from training.window import Window

# A slate that a window begins or ends in the middle of is read whole: people page on, and like late.
MARGIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class RawLogs:
    """The raw logs of one bucket."""

    lake: Lake
    bucket: str

    def parts(self, table: str, window: Window) -> list[Path]:
        """Local copies of the parts of `table` that can touch slates of `window`; only what is new is fetched.

        Raises:
            RetryableError: object storage cannot be reached.
        """
        hours = Hours(window.start - MARGIN, window.end + MARGIN)
        return self.lake.mirror(LakeFolder(self.bucket, table), hours)
