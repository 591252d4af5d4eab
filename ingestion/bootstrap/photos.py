"""The workers of the photo path. They hold pixels, so they hold little else: what is imported here is counted."""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ingestion.bootstrap import Run
from ingestion.bootstrap.group_worker import group_worker
from ingestion.photos.moderation import OpenNsfwModerator, Thresholds
from ingestion.photos.pipeline import PhotoPipeline
from ingestion.photos.records import PhotoRecords
from ingestion.photos.sandbox import PhotoSandbox
from ingestion.photos.sizes import FEED_SIZES, ZOOM_OUTPUTS, Outputs
from ingestion.photos.storage import PhotoStorage
from ingestion.photos.validate import PhotoLimits
from ingestion.photos.zoom import ZoomPipeline
from photofeed import database, topics
from photofeed.allocator import return_freed_memory
from photofeed.object_store import S3ObjectStore
from photofeed.settings import Settings

_ZOOM_NICENESS = 10
_MOST_ATTEMPTS = 6


@contextmanager
def photos(settings: Settings, stop: threading.Event) -> Iterator[Run]:
    """A photo worker: one photo at a time, so run one a core."""
    return_freed_memory()
    moderator = OpenNsfwModerator()
    with ExitStack() as owned:
        pool = owned.enter_context(database.pool(settings))
        sandbox = owned.enter_context(
            PhotoSandbox(PhotoLimits.of(settings), Outputs(FEED_SIZES, avif=settings.avif_variants))
        )
        pipeline = PhotoPipeline(_storage(settings), PhotoRecords(pool), sandbox, moderator, Thresholds.of(settings))
        yield group_worker(
            owned, settings, topics.PHOTOS_GROUP, pipeline.handle, stop, batch_size=1, max_attempts=_MOST_ATTEMPTS
        ).run


@contextmanager
def zoom(settings: Settings, stop: threading.Event) -> Iterator[Run]:
    """The worker that makes the zoom sizes, when nobody else wants the processor."""
    os.nice(_ZOOM_NICENESS)
    return_freed_memory()
    with ExitStack() as owned:
        pool = owned.enter_context(database.pool(settings))
        sandbox = owned.enter_context(PhotoSandbox(PhotoLimits.of(settings), ZOOM_OUTPUTS))
        pipeline = ZoomPipeline(_storage(settings), PhotoRecords(pool), sandbox)
        yield group_worker(
            owned, settings, topics.ZOOM_GROUP, pipeline.handle, stop, batch_size=1, max_attempts=_MOST_ATTEMPTS
        ).run


def _storage(settings: Settings) -> PhotoStorage:
    return PhotoStorage(S3ObjectStore.connect(settings), settings.bucket_originals, settings.bucket_variants)
