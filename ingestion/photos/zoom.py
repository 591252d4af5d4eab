"""The zoom size of a published photo: made afterwards, so that it never delays anybody's feed."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from ingestion.photos.pipeline import photo_of
from ingestion.photos.records import PhotoRecords
from ingestion.photos.rejection import PhotoRejected
from ingestion.photos.sandbox import PhotoSandbox
from ingestion.photos.steps import StepClock
from ingestion.photos.storage import PhotoStorage
from photofeed.errors import RetryableError
from photofeed.events import Envelope

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class ZoomPipeline:
    """fetch → process (the zoom size only) → store → append to the photo's variants. Again changes nothing.

    A photo whose zoom size cannot be made stays as it is: the origin goes on with the nearest smaller size. Its
    message is tried again where that may help, and ends among the dead letters with the reason.
    """

    storage: PhotoStorage
    records: PhotoRecords
    sandbox: PhotoSandbox

    def handle(self, envelopes: Sequence[Envelope]) -> None:
        """Add the zoom size to each photo that is public and has none."""
        for envelope in envelopes:
            photo_id = photo_of(envelope)
            key = self.records.original_without_zoom(photo_id)
            if key is not None:
                self._add(photo_id, key)

    def _add(self, photo_id: int, original_key: str) -> None:
        clock = StepClock()
        try:
            with clock.step("zoom"):
                variants = self.sandbox.process(self.storage.original(original_key)).variants
        except PhotoRejected as rejection:
            is_wanted = self.records.add_zoom(photo_id, (), clock.outcomes, self.storage.store)
            log.warning("no zoom size", photo_id=photo_id, code=rejection.code)
            if not is_wanted:  # deleted meanwhile, with its original
                return
            if rejection.code == "unprocessable":  # out of time or memory, which may be the machine's fault
                raise RetryableError(f"no zoom size: {rejection}") from rejection
            raise
        self.records.add_zoom(photo_id, variants, clock.outcomes, self.storage.store)
