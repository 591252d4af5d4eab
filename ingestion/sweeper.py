"""The sweeper: expires abandoned uploads, retries stuck photos, and finishes deletions."""

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile

import structlog
from prometheus_client import Counter

from ingestion.progress import Progress
from ingestion.removal import Removal
from photofeed import webhooks
from photofeed.database import Database, write_outbox_sync
from photofeed.notifications import FORGET, RETENTION
from photofeed.object_store import ObjectStore
from photofeed.original_keys import UPLOADS, address_expiry, possible_keys
from photofeed.settings import Settings
from photofeed.topics import PHOTO_UPLOADED
from photofeed.unavailable import may_pass
from photofeed.uploads import uploaded

log = structlog.get_logger(__name__)

SWEPT = Counter("photofeed_swept", "Items that the sweeper cleaned up", ["kind"])

_BATCH = 100
_MOST_REQUEUES = 5
_KEPT_UPLOAD_DAYS, _KEPT_CHANGES_DAYS = 7, 8

# Rows stay locked until their objects are deleted: a request to complete the upload waits, and then finds it expired.
_EXPIRED = """
select id, owner_id, original_key from photos where status = 'awaiting_upload' and initiated_at < %s
order by initiated_at limit %s for update skip locked
"""
_EXPIRE = """
update photos set status = 'failed', failure_code = 'upload_expired',
    failure_reason = 'The photo was never uploaded. Please upload it again.'
where id = any(%s)
"""
_STUCK = """
select id, original_key, owner_id, requeues from photos
where status = 'processing' and coalesce(queued_at, completed_at) < %s limit %s for update skip locked
"""
_REQUEUE = "update photos set queued_at = %s, requeues = requeues + 1 where id = any(%s)"
_GIVE_UP = """
update photos set status = 'failed', failure_code = 'unprocessable',
    failure_reason = 'This photo could not be processed. Please upload it again.'
where id = any(%s)
"""
_FORGET_DAYS = "delete from upload_days where day < %s"
_FORGET_CHANGES = "delete from told_changes where told_at < %s"


@dataclass(frozen=True, slots=True)
class SweepCounts:
    """Results of a sweep.

    Expired uploads, files under expired upload addresses, aborted multipart uploads, requeued or failed photos, and
    ended deletions.
    """

    expired: int
    parked: int
    multipart: int
    requeued: int
    given_up: int
    purged: int


@dataclass(slots=True)
class Sweeper:
    """Cleans up after clients and crashes. Several may run: each row is locked by one sweeper at a time."""

    settings: Settings
    database: Database
    objects: ObjectStore
    removal: Removal

    def run(self, stop: threading.Event, progress: Progress) -> None:
        """Sweep at regular intervals until `stop` is set."""
        while not stop.is_set():
            try:
                with progress.working():
                    counts = self.sweep(datetime.now(UTC))
                progress.waiting(None)
                progress.committed()
                log.info("swept", **asdict(counts))
            except Exception as error:
                if not may_pass(error):
                    raise
                progress.waiting(str(error))
                log.warning("sweep failed: it will be retried", error=str(error))
            stop.wait(self.settings.sweep_seconds)

    def sweep(self, now: datetime) -> SweepCounts:
        """Clean up everything that is due at `now`."""
        addresses_end = now - timedelta(seconds=self.settings.upload_grace_seconds)
        expires = addresses_end - timedelta(seconds=self.settings.upload_url_seconds)
        multipart = self.objects.abort_multipart(self.settings.bucket_originals, expires)
        expired = _until_empty(lambda: self._expire(expires))
        parked = self._delete_parked(addresses_end)
        given_up = requeued = 0
        stuck = now - timedelta(seconds=self.settings.processing_stuck_seconds)
        while any(revived := self._revive(stuck, now)):
            requeued, given_up = requeued + revived[0], given_up + revived[1]
        with self.database.connection() as connection:
            connection.execute(_FORGET_DAYS, ((now - timedelta(days=_KEPT_UPLOAD_DAYS)).date(),))
            connection.execute(_FORGET_CHANGES, (now - timedelta(days=_KEPT_CHANGES_DAYS),))
            connection.execute(FORGET, (now - RETENTION,))
            connection.execute(webhooks.FORGET, (now - webhooks.RETENTION,))
        counts = SweepCounts(expired, parked, multipart, requeued, given_up, self.removal.purge(now))
        for kind, count in asdict(counts).items():
            SWEPT.labels(kind).inc(count)
        return counts

    def _expire(self, before: datetime) -> int:
        """Fail abandoned uploads. Their rows are locked while their objects are deleted."""
        with self.database.connection() as connection:
            rows = connection.execute(_EXPIRED, (before, _BATCH)).fetchall()
            for row in rows:
                for key in possible_keys(row["owner_id"], row["id"], row["original_key"]):
                    self.objects.delete(self.settings.bucket_originals, key)
            connection.execute(_EXPIRE, ([row["id"] for row in rows],))
        return len(rows)

    def _delete_parked(self, before: datetime) -> int:
        """Delete every file under an upload address that expired before a moment; returns how many.

        A completed upload was copied away, so what is left there was never completed, or was uploaded after the photo
        was completed, refused or deleted.
        """
        bucket, count = self.settings.bucket_originals, 0
        for key in takewhile(lambda key: address_expiry(key) < before, self.objects.keys(bucket, UPLOADS)):
            self.objects.delete(bucket, key)
            count += 1
        return count

    def _revive(self, before: datetime, now: datetime) -> tuple[int, int]:
        """Requeue photos that are stuck in processing; give up those that were requeued too often."""
        with self.database.connection() as connection:
            rows = connection.execute(_STUCK, (before, _BATCH)).fetchall()
            again = [row for row in rows if row["requeues"] < _MOST_REQUEUES]
            hopeless = [row["id"] for row in rows if row["requeues"] >= _MOST_REQUEUES]
            connection.execute(_REQUEUE, (now, [row["id"] for row in again]))
            connection.execute(_GIVE_UP, (hopeless,))
            messages = [
                (PHOTO_UPLOADED, uploaded(row["id"], row["original_key"], row["owner_id"], at=now)) for row in again
            ]
            write_outbox_sync(connection, messages)
        return len(again), len(hopeless)


def _until_empty(batch: Callable[[], int]) -> int:
    total = 0
    while count := batch():
        total += count
    return total
