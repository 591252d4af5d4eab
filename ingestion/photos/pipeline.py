"""The photo path: what becomes of an uploaded photo, step by step."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from prometheus_client import Counter, Histogram

from ingestion.photos.process import ProcessedPhoto
from ingestion.photos.records import PhotoRecords, Upload
from ingestion.photos.rejection import PhotoRejected
from ingestion.photos.sandbox import PhotoSandbox
from photofeed.errors import NotFoundError, PoisonError
from photofeed.events import Envelope
from photofeed.object_store import ObjectStore
from photofeed.settings import Settings

log = structlog.get_logger(__name__)

PHOTOS = Counter("photofeed_photos", "Photos by what became of them", ["status"])
PROCESSING = Histogram("photofeed_photo_processing_seconds", "From bytes to variants, in the sandbox")

# A variant's name is its content's hash, so what is under a name never changes.
IMMUTABLE = "public, max-age=31536000, immutable"


@dataclass(slots=True)
class PhotoPipeline:
    """fetch → check → process (validate, normalise, variants, placeholder, quality) → store → publish.

    Every step may be repeated: variants are named by their content, and a photo leaves `processing` once.
    """

    settings: Settings
    objects: ObjectStore
    records: PhotoRecords
    sandbox: PhotoSandbox

    def handle(self, envelopes: Sequence[Envelope]) -> None:
        """Take each photo to `ready` or to `failed`."""
        for envelope in envelopes:
            try:
                photo_id = int(envelope.payload["photoId"])
            except (KeyError, TypeError, ValueError) as error:
                raise PoisonError(f"not an uploaded photo: {error!r}") from error
            self._process(photo_id)

    def _process(self, photo_id: int) -> None:
        upload = self.records.upload(photo_id)
        if upload is None:
            log.info("nothing to do: the photo is gone or done", photo_id=photo_id)
            return
        try:
            data = self._fetch(upload)
            _check(upload, data)
            with PROCESSING.time():
                processed = self.sandbox.process(data)
        except PhotoRejected as rejection:
            log.info("photo failed", photo_id=photo_id, code=rejection.code)
            self.records.fail(photo_id, rejection.code, rejection.message_for_user)
            PHOTOS.labels("failed").inc()
            return
        self._store(processed)
        self.records.publish(upload, processed)
        PHOTOS.labels("ready").inc()

    def _fetch(self, upload: Upload) -> bytes:
        try:
            return self.objects.get(self.settings.bucket_originals, upload.original_key)
        except NotFoundError as error:
            raise PhotoRejected("empty", "The uploaded file is no longer there. Please upload it again.") from error

    def _store(self, processed: ProcessedPhoto) -> None:
        for variant in processed.variants:
            self.objects.put(
                self.settings.bucket_variants, variant.key, variant.data, variant.media_type, cache_control=IMMUTABLE
            )


def _check(upload: Upload, data: bytes) -> None:
    """Hold the bytes to what the client said of them when it asked to upload."""
    if upload.byte_size is not None and len(data) != upload.byte_size:
        raise PhotoRejected("damaged", "The file that arrived is not as long as announced. Please upload it again.")
    if upload.sha256 is not None and hashlib.sha256(data).hexdigest() != upload.sha256:
        raise PhotoRejected("damaged", "The file that arrived is not the one announced. Please upload it again.")
