"""The sweeper: uploads that never came, photos that got stuck, and what deletion has left to do."""

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import Counter
from psycopg import OperationalError

from ingestion.removal import Removal
from photofeed.database import Database, write_outbox_sync
from photofeed.errors import RetryableError
from photofeed.events import Envelope
from photofeed.object_store import ObjectStore
from photofeed.settings import Settings
from photofeed.topics import PHOTO_UPLOADED

log = structlog.get_logger(__name__)

SWEPT = Counter("photofeed_swept", "What the sweeper has put in order", ["kind"])

_BATCH = 100
_MOST_REQUEUES = 5
_KEPT_UPLOAD_DAYS, _KEPT_CHANGES_DAYS = 7, 8

# Rows stay locked until their objects are gone: `complete` waits, and then finds the upload expired.
_EXPIRED = """
select id, original_key from photos where status = 'awaiting_upload' and initiated_at < %s
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
class Swept:
    """How many of each: expired uploads, multipart leftovers, photos put back or given up, deletions finished."""

    expired: int
    multipart: int
    requeued: int
    given_up: int
    purged: int


@dataclass(slots=True)
class Sweeper:
    """Puts in order what clients and crashes leave behind. Any number may run: each row is one sweeper's at a time."""

    settings: Settings
    database: Database
    objects: ObjectStore
    removal: Removal

    def run(self, stop: threading.Event) -> None:
        """Sweep every now and then until told to stop."""
        while not stop.is_set():
            try:
                log.info("swept", **asdict(self.sweep(datetime.now(UTC))))
            except (OperationalError, RetryableError) as error:
                log.warning("sweeping goes on later", error=str(error))
            stop.wait(self.settings.sweep_seconds)

    def sweep(self, now: datetime) -> Swept:
        """Do all there is to do as of `now`."""
        expires = now - timedelta(seconds=self.settings.upload_expiry_seconds)
        multipart = self.objects.abort_multipart(self.settings.bucket_originals, expires)
        expired = _until_empty(lambda: self._expire(expires))
        given_up = requeued = 0
        stuck = now - timedelta(seconds=self.settings.processing_stuck_seconds)
        while any(counts := self._revive(stuck, now)):
            requeued, given_up = requeued + counts[0], given_up + counts[1]
        with self.database.connection() as connection:
            connection.execute(_FORGET_DAYS, ((now - timedelta(days=_KEPT_UPLOAD_DAYS)).date(),))
            connection.execute(_FORGET_CHANGES, (now - timedelta(days=_KEPT_CHANGES_DAYS),))
        swept = Swept(expired, multipart, requeued, given_up, self.removal.purge(now))
        for kind, count in asdict(swept).items():
            SWEPT.labels(kind).inc(count)
        return swept

    def _expire(self, before: datetime) -> int:
        with self.database.connection() as connection:
            rows = connection.execute(_EXPIRED, (before, _BATCH)).fetchall()
            for row in rows:
                self.objects.delete(self.settings.bucket_originals, row["original_key"])
            connection.execute(_EXPIRE, ([row["id"] for row in rows],))
        return len(rows)

    def _revive(self, before: datetime, now: datetime) -> tuple[int, int]:
        """Put photos that are long in processing back on their topic; give up those for which it did not help."""
        with self.database.connection() as connection:
            rows = connection.execute(_STUCK, (before, _BATCH)).fetchall()
            again = [row for row in rows if row["requeues"] < _MOST_REQUEUES]
            hopeless = [row["id"] for row in rows if row["requeues"] >= _MOST_REQUEUES]
            connection.execute(_REQUEUE, (now, [row["id"] for row in again]))
            connection.execute(_GIVE_UP, (hopeless,))
            payloads = [
                {"photoId": row["id"], "s3Key": row["original_key"], "userId": row["owner_id"]} for row in again
            ]
            messages = [
                (PHOTO_UPLOADED, Envelope("photo.uploaded", str(one["photoId"]), one, occurred_at=now))
                for one in payloads
            ]
            write_outbox_sync(connection, messages)
        return len(again), len(hopeless)


def _until_empty(batch: Callable[[], int]) -> int:
    total = 0
    while count := batch():
        total += count
    return total
