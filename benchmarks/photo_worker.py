"""The memory of a worker that makes photos ready, or of one that makes the 4K size: `photo_worker.py ready|zoom PHOTO`.

Prints MB at their peaks: the worker's own and its sandbox's. What both have mapped is counted in both. The worker holds
what `ingestion/bootstrap/photos.py` gives it, except connections to servers.
"""

import sys
from pathlib import Path

import kafka  # noqa: F401  held by every worker, imported when it connects

import ingestion.bootstrap.photos  # noqa: F401  what a worker holds besides
from ingestion.photos.moderation import OpenNsfwModerator, Thresholds, moderate
from ingestion.photos.sandbox import PhotoSandbox
from ingestion.photos.sizes import FEED_OUTPUTS, ZOOM_OUTPUTS
from ingestion.photos.validate import PhotoLimits
from photofeed.allocator import return_freed_memory
from photofeed.object_store import S3ObjectStore
from photofeed.settings import Settings


def main(kind: str, path: Path) -> None:
    """Process one photo as that worker does."""
    return_freed_memory()
    moderator = OpenNsfwModerator() if kind == "ready" else None
    limits = PhotoLimits(max_bytes=2**27, max_pixels=60_000_000)
    store = S3ObjectStore.connect(Settings())
    with PhotoSandbox(limits, FEED_OUTPUTS if kind == "ready" else ZOOM_OUTPUTS) as sandbox:
        photo = sandbox.process(path.read_bytes())
        if moderator is not None:
            moderate(photo, moderator, Thresholds(review=0.5, reject=0.9))
        print(peak_megabytes("self"), peak_megabytes(str(sandbox.pid)))
    del store  # it had to be there until now


def peak_megabytes(process: str) -> float:
    """Largest resident memory so far; `ru_maxrss` would count a parent's too."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
