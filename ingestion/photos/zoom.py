"""The zoom size of a published photo. It is made afterwards, so that it does not delay the post."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from ingestion.photos.pipeline import photo_of
from ingestion.photos.records import PhotoRecords
from ingestion.photos.rejection import PhotoRejected
from ingestion.photos.sandbox import PhotoSandbox
from ingestion.photos.steps import StepClock
from ingestion.photos.storage import Original, PhotoStorage
from ingestion.photos.variants import Variant
from photofeed.events import Envelope

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class ZoomPipeline:
    """fetch → process (the zoom size only) → claim → store → conclude. Repeating it changes nothing.

    A photo whose zoom size cannot be made stays as it is: the origin serves the nearest smaller size. Its message is
    retried if that may help, and otherwise becomes a dead letter with the reason.
    """

    storage: PhotoStorage
    records: PhotoRecords
    sandbox: PhotoSandbox

    def handle(self, envelopes: Sequence[Envelope]) -> None:
        """Add the zoom size to each photo that is public and has none."""
        for envelope in envelopes:
            photo_id = photo_of(envelope)
            original = self.records.original_without_zoom(photo_id)
            if original is not None:
                self._add(photo_id, original)

    def _add(self, photo_id: int, original: Original) -> None:
        clock = StepClock()
        try:
            with clock.step("zoom"):
                variants = self.sandbox.process(self.storage.original(original)).variants
        except PhotoRejected as rejection:
            is_wanted = self._publish(photo_id, (), clock)
            log.warning("no zoom size", photo_id=photo_id, code=rejection.code)
            if not is_wanted:  # deleted meanwhile, with its original
                return
            raise
        self.records.claim_zoom(photo_id, variants)
        self._publish(photo_id, variants, clock)

    def _publish(self, photo_id: int, variants: Sequence[Variant], clock: StepClock) -> bool:
        """Store and conclude; returns whether the photo still exists and had no zoom size.

        The photo's row is locked while object storage is written to.
        """
        with self.records.adding_zoom(photo_id, variants) as photo:
            if photo is None:
                return False
            self.storage.store(variants)
            photo.add_zoom(variants, clock.outcomes)
            return True
