"""Deletion in object storage: originals and variants of photos whose rows are gone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from prometheus_client import Counter
from psycopg.rows import DictRow

from ingestion.photos.shared_objects import hold, is_used
from photofeed.database import Database
from photofeed.errors import PoisonError
from photofeed.events import Envelope
from photofeed.object_store import ObjectStore
from photofeed.settings import Settings

log = structlog.get_logger(__name__)

REMOVED = Counter("photofeed_removed_objects", "Objects of deleted photos that were deleted", ["kind"])

_REMOVED = "select * from removed_photos where photo_id = %s"
_OVERDUE = "select * from removed_photos where purged_at is null and removed_at < %s order by removed_at limit 100"
_PURGED = "update removed_photos set purged_at = %s where photo_id = %s"


@dataclass(slots=True)
class Removal:
    """Deletes what a removed photo has in object storage; every call may be repeated.

    It happens at once, on the message `photo.removed`, and once more when no pre-signed address of the photo holds any
    longer: until then its owner might upload the original again. The second time also makes up for a lost message.
    """

    settings: Settings
    database: Database
    objects: ObjectStore

    def handle(self, envelopes: Sequence[Envelope]) -> None:
        """Delete the objects of each removed photo; other messages of the topic are none of this group's business."""
        for envelope in envelopes:
            if envelope.type != "photo.removed":
                continue
            try:
                photo_id = int(envelope.payload["photoId"])
            except (KeyError, TypeError, ValueError) as error:
                raise PoisonError(f"not a removed photo: {error!r}") from error
            with self.database.connection() as connection:
                removed = connection.execute(_REMOVED, (photo_id,)).fetchone()
            if removed is not None:
                self._delete_objects(removed)

    def purge(self, now: datetime) -> int:
        """Delete for good what was removed before the life of an upload address; returns of how many photos."""
        before, count = now - timedelta(seconds=self.settings.upload_url_seconds), 0
        while True:
            with self.database.connection() as connection:
                overdue = connection.execute(_OVERDUE, (before,)).fetchall()
            for removed in overdue:
                self._delete_objects(removed)
                with self.database.connection() as connection:
                    connection.execute(_PURGED, (now, removed["photo_id"]))
            count += len(overdue)
            if not overdue:
                return count

    def _delete_objects(self, removed: DictRow) -> None:
        self.objects.delete(self.settings.bucket_originals, removed["original_key"])
        REMOVED.labels("original").inc()
        for key in removed["variant_keys"]:
            with self.database.connection() as connection:
                hold(connection, [key])
                if not is_used(connection, key):
                    self.objects.delete(self.settings.bucket_variants, key)
                    REMOVED.labels("variant").inc()
        log.info("objects of a removed photo deleted", photo_id=removed["photo_id"])


def unshared(database: Database, variant_keys: Sequence[str]) -> list[str]:
    """The keys that no photo uses."""
    with database.connection() as connection:
        return [key for key in variant_keys if not is_used(connection, key)]
