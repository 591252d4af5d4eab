"""Deletes the originals and variants of removed photos from object storage."""

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
from photofeed.original_keys import possible_keys
from photofeed.publication import AVATAR_REMOVED
from photofeed.settings import Settings

log = structlog.get_logger(__name__)

REMOVED = Counter("photofeed_removed_objects", "Objects of deleted photos that were deleted", ["kind"])

_REMOVED = "select * from removed_photos where photo_id = %s"
_OVERDUE = "select * from removed_photos where purged_at is null and removed_at < %s order by removed_at limit 100"
_PURGED = "update removed_photos set purged_at = %s where photo_id = %s"


@dataclass(slots=True)
class Removal:
    """Deletes the objects of removed photos. Every call may be repeated.

    Objects are deleted on the message `photo.removed`, and again once the pre-signed upload URL of the photo has
    expired: until then its owner can upload a file again. The second deletion also covers a lost message.

    Each variant is checked and deleted within a transaction that holds the lock of its name.
    """

    settings: Settings
    database: Database
    objects: ObjectStore

    def handle(self, envelopes: Sequence[Envelope]) -> None:
        """Delete the objects of each removed photo. Other messages of the topic are ignored."""
        for envelope in envelopes:
            if envelope.type not in ("photo.removed", AVATAR_REMOVED):
                continue
            try:
                photo_id = int(envelope.payload["photoId"])
            except (KeyError, TypeError, ValueError) as error:
                raise PoisonError(f"not a removed photo: {error!r}") from error
            with self.database.connection() as connection:
                removed = connection.execute(_REMOVED, (photo_id,)).fetchone()
            if removed is not None:
                self.delete_objects(removed)

    def purge(self, now: datetime) -> int:
        """Delete the objects of photos whose upload URL has expired since their removal; returns how many photos."""
        before, count = now - timedelta(seconds=self.settings.upload_url_seconds), 0
        while True:
            with self.database.connection() as connection:
                overdue = connection.execute(_OVERDUE, (before,)).fetchall()
            for removed in overdue:
                self.delete_objects(removed)
                with self.database.connection() as connection:
                    connection.execute(_PURGED, (now, removed["photo_id"]))
            count += len(overdue)
            if not overdue:
                return count

    def delete_objects(self, removed: DictRow) -> None:
        """Delete the objects of a row of removed_photos, except variants that other photos use."""
        for key in originals_of(removed):
            self.objects.delete(self.settings.bucket_originals, key)
        REMOVED.labels("original").inc()
        for key in removed["variant_keys"]:
            with self.database.connection() as connection:
                hold(connection, [key])
                if not is_used(connection, key):
                    self.objects.delete(self.settings.bucket_variants, key)
                    REMOVED.labels("variant").inc()
        log.info("objects of a removed photo deleted", photo_id=removed["photo_id"])


def originals_of(removed: DictRow) -> list[str]:
    """Every key at which the original of a removed photo may exist."""
    return possible_keys(removed["owner_id"], removed["photo_id"], removed["original_key"], removed["upload_key"])


def unshared(database: Database, variant_keys: Sequence[str]) -> list[str]:
    """The keys of variants that no photo uses."""
    with database.connection() as connection:
        return [key for key in variant_keys if not is_used(connection, key)]
