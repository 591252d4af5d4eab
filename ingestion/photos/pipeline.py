"""The photo path: what becomes of an uploaded photo, step by step."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from prometheus_client import Counter, Histogram

from ingestion.photos.moderation import Moderator, Thresholds, moderate
from ingestion.photos.records import PhotoRecords, Upload
from ingestion.photos.rejection import PhotoRejected
from ingestion.photos.sandbox import PhotoSandbox
from ingestion.photos.steps import StepClock
from ingestion.photos.storage import PhotoStorage
from ingestion.photos.variants import Variant
from photofeed.errors import PoisonError
from photofeed.events import Envelope

log = structlog.get_logger(__name__)

PHOTOS = Counter("photofeed_photos", "Photos by what became of them", ["status"])
PROCESSING = Histogram("photofeed_photo_processing_seconds", "From bytes to variants, in the sandbox")


@dataclass(slots=True)
class PhotoPipeline:
    """fetch → check → process → moderate → store → publish.

    "process" is validate → normalise → variants → placeholder → quality → metadata, in the sandbox (process.py).
    Every step may be repeated and comes to the same: variants are named by their content, a model's decision and the
    outcome of a step are rows that are written once, and a post is announced when it becomes visible.
    """

    storage: PhotoStorage
    records: PhotoRecords
    sandbox: PhotoSandbox
    moderator: Moderator
    thresholds: Thresholds

    def handle(self, envelopes: Sequence[Envelope]) -> None:
        """Take each photo to `ready`, `review`, `rejected` or `failed`."""
        for envelope in envelopes:
            self._process(photo_of(envelope))

    def _process(self, photo_id: int) -> None:
        upload = self.records.upload(photo_id)
        if upload is None:
            log.info("nothing to do: the photo is gone or done", photo_id=photo_id)
            return
        clock = StepClock()
        try:
            with clock.step("fetch"):
                data = self.storage.original(upload.original_key)
            with clock.step("check"):
                _check(upload, data)
            with clock.step("process"), PROCESSING.time():
                processed = self.sandbox.process(data, clock)
        except PhotoRejected as rejection:
            log.info("photo failed", photo_id=photo_id, code=rejection.code)
            self.records.fail(photo_id, rejection.code, rejection.message_for_user, clock.outcomes)
            PHOTOS.labels("failed").inc()
            return
        with clock.step("moderate"):
            moderation = moderate(processed, self.moderator, self.thresholds)

        def store(variants: Sequence[Variant]) -> None:
            with clock.step("store"):
                self.storage.store(variants)

        PHOTOS.labels(self.records.publish(upload, processed, moderation, clock.outcomes, store)).inc()


def photo_of(envelope: Envelope) -> int:
    """The photo that a message is about.

    Raises:
        PoisonError: it is about none.
    """
    try:
        return int(envelope.payload["photoId"])
    except (KeyError, TypeError, ValueError) as error:
        raise PoisonError(f"not a message about a photo: {error!r}") from error


def _check(upload: Upload, data: bytes) -> None:
    """Hold the bytes to what the client said of them when it asked to upload."""
    if upload.byte_size is not None and len(data) != upload.byte_size:
        raise PhotoRejected("damaged", "The file that arrived is not as long as announced. Please upload it again.")
    if upload.sha256 is not None and hashlib.sha256(data).hexdigest() != upload.sha256:
        raise PhotoRejected("damaged", "The file that arrived is not the one announced. Please upload it again.")
