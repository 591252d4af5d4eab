"""The photo path: an uploaded photo, step by step."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from prometheus_client import Counter, Histogram

from ingestion.photos.hash_list import HashList, NoHashes, known
from ingestion.photos.locked_photo import Upload
from ingestion.photos.moderation import Moderation, Moderator, Thresholds, moderate
from ingestion.photos.process import ProcessedPhoto
from ingestion.photos.records import PhotoRecords
from ingestion.photos.rejection import PhotoRejected
from ingestion.photos.sandbox import PhotoSandbox
from ingestion.photos.steps import StepClock
from ingestion.photos.storage import PhotoStorage, digest
from photofeed.errors import PoisonError
from photofeed.events import Envelope

log = structlog.get_logger(__name__)

PHOTOS = Counter("photofeed_photos", "Photos by what became of them", ["status"])
PROCESSING = Histogram("photofeed_photo_processing_seconds", "From bytes to variants, in the sandbox")


@dataclass(slots=True)
class PhotoPipeline:
    """fetch → check → process → claim → moderate → store → conclude.

    "process" is validate → normalise → variants → placeholder → quality → metadata, in the sandbox (process.py).
    Every step may be repeated with the same result: variants are named by their content, a model's decision and the
    outcome of a step are rows that are written once, and a post is announced only when it becomes visible.
    """

    storage: PhotoStorage
    records: PhotoRecords
    sandbox: PhotoSandbox
    moderator: Moderator
    thresholds: Thresholds
    hash_list: HashList = field(default_factory=NoHashes)

    def __post_init__(self) -> None:
        for status in ("ready", "failed"):
            PHOTOS.labels(status)  # from zero on, for alerts

    def handle(self, envelopes: Sequence[Envelope]) -> None:
        """Bring each photo to `ready`, `review`, `rejected` or `failed`."""
        for envelope in envelopes:
            self._process(photo_of(envelope))

    def _process(self, photo_id: int) -> None:
        upload = self.records.upload(photo_id)
        if upload is None:
            log.info("nothing to do: photo deleted or processed before", photo_id=photo_id)
            return
        clock = StepClock()
        try:
            with clock.step("fetch"):
                data = self.storage.original(upload.original)
            with clock.step("check"):
                _check(upload, data)
            with clock.step("process"), PROCESSING.time():
                processed = self.sandbox.process(data, clock)
        except PhotoRejected as rejection:
            log.info("photo failed", photo_id=photo_id, code=rejection.code)
            self.records.fail(photo_id, rejection.code, rejection.message_for_user, clock.outcomes)
            PHOTOS.labels("failed").inc()
            return
        self.records.claim(upload, digest(data), processed.variants)
        with clock.step("moderate"):
            moderation = known(data, processed, self.hash_list) or moderate(processed, self.moderator, self.thresholds)
        PHOTOS.labels(self._publish(upload, processed, moderation, clock)).inc()

    def _publish(self, upload: Upload, processed: ProcessedPhoto, moderation: Moderation, clock: StepClock) -> str:
        """Store and conclude; returns the photo's status, `gone` if it was deleted meanwhile.

        The photo's row is locked while object storage is written to.
        """
        with self.records.publishing(upload, processed.variants) as photo:
            if photo is None:
                return "gone"
            with clock.step("store"):
                self.storage.store(processed.variants)
            return photo.conclude(upload, processed, moderation, clock.outcomes)


def photo_of(envelope: Envelope) -> int:
    """The id of the photo in a message.

    Raises:
        PoisonError: there is none.
    """
    try:
        return int(envelope.payload["photoId"])
    except (KeyError, TypeError, ValueError) as error:
        raise PoisonError(f"not a message about a photo: {error!r}") from error


def _check(upload: Upload, data: bytes) -> None:
    """Compare the bytes with what the client announced when it requested the upload."""
    if upload.byte_size is not None and len(data) != upload.byte_size:
        raise PhotoRejected("damaged", "The file that arrived is not as long as announced. Please upload it again.")
    if upload.sha256 is not None and digest(data) != upload.sha256:
        raise PhotoRejected("damaged", "The file that arrived is not the one announced. Please upload it again.")
