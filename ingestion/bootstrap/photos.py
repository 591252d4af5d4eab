"""The workers of the photo path. Pixels take their memory, so a test limits what may be imported here."""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ingestion.bootstrap import Run
from ingestion.bootstrap.group_worker import group_worker
from ingestion.photos.hash_list import hash_list_of
from ingestion.photos.moderation import Thresholds, moderator_of
from ingestion.photos.pipeline import PhotoPipeline
from ingestion.photos.records import PhotoRecords
from ingestion.photos.sandbox import PhotoSandbox
from ingestion.photos.sizes import FEED_SIZES, ZOOM_OUTPUTS, Outputs
from ingestion.photos.storage import PhotoStorage
from ingestion.photos.validate import PhotoLimits
from ingestion.photos.zoom import ZoomPipeline
from ingestion.progress import Progress
from photofeed import database, topics
from photofeed.allocator import release_on_free
from photofeed.object_store import S3ObjectStore
from photofeed.settings import Settings
from photofeed.tracing import continued

_ZOOM_NICENESS = 10
_MOST_ATTEMPTS = 6


@contextmanager
def photos(settings: Settings, stop: threading.Event, progress: Progress) -> Iterator[Run]:
    """A photo worker. It processes one photo at a time, so run one for each core."""
    release_on_free()
    moderator, hashes = moderator_of(settings), hash_list_of(settings)
    with ExitStack() as owned:
        pool = owned.enter_context(database.pool(settings))
        sandbox = owned.enter_context(
            PhotoSandbox(PhotoLimits.of(settings), Outputs(FEED_SIZES, avif=settings.avif_variants))
        )
        thresholds = Thresholds.of(settings)
        pipeline = PhotoPipeline(_storage(settings), PhotoRecords(pool), sandbox, moderator, thresholds, hashes)
        yield group_worker(
            owned,
            settings,
            topics.PHOTOS_GROUP,
            continued(pipeline.handle, topics.PHOTOS_GROUP),
            stop,
            progress,
            batch_size=1,
            max_attempts=_MOST_ATTEMPTS,
        ).run


@contextmanager
def zoom(settings: Settings, stop: threading.Event, progress: Progress) -> Iterator[Run]:
    """The worker that makes the zoom sizes, at low priority."""
    os.nice(_ZOOM_NICENESS)
    release_on_free()
    with ExitStack() as owned:
        pool = owned.enter_context(database.pool(settings))
        sandbox = owned.enter_context(PhotoSandbox(PhotoLimits.of(settings), ZOOM_OUTPUTS))
        pipeline = ZoomPipeline(_storage(settings), PhotoRecords(pool), sandbox)
        yield group_worker(
            owned,
            settings,
            topics.ZOOM_GROUP,
            continued(pipeline.handle, topics.ZOOM_GROUP),
            stop,
            progress,
            batch_size=1,
            max_attempts=_MOST_ATTEMPTS,
        ).run


def _storage(settings: Settings) -> PhotoStorage:
    return PhotoStorage(S3ObjectStore.connect(settings), settings.bucket_originals, settings.bucket_variants)
