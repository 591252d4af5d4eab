"""Peak memory of a worker that publishes a photo or makes its 4K size: `photo_worker.py ready|zoom PHOTO`.

Prints the peaks in MB of the worker and of its sandbox. Pages that both have mapped are counted in both. The worker has
the components that `ingestion/bootstrap/photos.py` builds, except connections to servers.
"""

import sys
from pathlib import Path

import kafka  # noqa: F401  every worker imports it when it connects
from photo_settings import LIMITS, THRESHOLDS
from resource_usage import peak_megabytes

import ingestion.bootstrap.photos  # noqa: F401  the other modules of a worker
from ingestion.photos.moderation import OpenNsfwModerator, moderate
from ingestion.photos.sandbox import PhotoSandbox
from ingestion.photos.sizes import FEED_OUTPUTS, ZOOM_OUTPUTS
from photofeed.allocator import release_on_free
from photofeed.object_store import S3ObjectStore
from photofeed.settings import Settings


def main(kind: str, path: Path) -> None:
    """Process one photo as a worker does."""
    release_on_free()
    moderator = OpenNsfwModerator() if kind == "ready" else None
    store = S3ObjectStore.connect(Settings())
    with PhotoSandbox(LIMITS, FEED_OUTPUTS if kind == "ready" else ZOOM_OUTPUTS) as sandbox:
        photo = sandbox.process(path.read_bytes())
        if moderator is not None:
            moderate(photo, moderator, THRESHOLDS)
        print(peak_megabytes(), peak_megabytes(str(sandbox.pid)))
    del store  # a worker holds it all the time


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
