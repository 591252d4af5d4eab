"""Carries out the deletion of accounts: pass after pass over all stores, until nothing is found."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import Counter, Gauge
from psycopg import Connection
from psycopg.rows import DictRow

from ingestion.erasure import Finding, Store, Subject
from photofeed.database import ERASER_LEADER, Database, try_leadership
from photofeed.erasures import ERASURES_CHANNEL, TOMBSTONE_FOR
from photofeed.errors import ConflictError
from photofeed.ids import encode_id
from photofeed.settings import Settings
from photofeed.unavailable import may_pass

log = structlog.get_logger(__name__)

ERASED = Counter("photofeed_erased_people", "People who were erased from every store")
FAILED = Counter("photofeed_erasure_failures", "Passes that failed and are repeated")
WAITING = Gauge("photofeed_erasure_oldest_seconds", "Age of the oldest deletion of an account that is not finished")

_BATCH = 100
_AGAIN_SECONDS = 30.0  # after a pass that left something
_POLL_SECONDS = 5.0

_DUE = "select * from erasures where erased_at is null and next_pass_at <= %s order by requested_at limit %s"
_OLDEST = "select extract(epoch from %s - min(requested_at))::float8 as age from erasures where erased_at is null"
_PHOTOS = """
select id from photos where owner_id = %(user)s union select photo_id from removed_photos where owner_id = %(user)s
"""
_PASSED = "update erasures set next_pass_at = %s, erased_at = %s where user_id = %s"
_FORGET_TOMBSTONES = "delete from erased_identities where erased_at < %s"
_REQUESTED = "select requested_at from erasures where user_id = %s"
_EXISTS = "select 1 from users where id = %s"


@dataclass(slots=True)
class Eraser:
    """Erases everybody who deleted their account. One process is the leader; others wait.

    The first pass follows the request at once. The last one is made when upload addresses of the person have expired
    and late messages have arrived; only if it finds nothing, the person is recorded as erased. A pass that is
    interrupted is repeated as a whole: every step of it may be repeated.
    """

    settings: Settings
    database: Database
    stores: Sequence[Store]

    def run(self, connect: Callable[[], Connection[DictRow]], stop: threading.Event) -> None:
        """Erase until `stop` is set."""
        while not stop.is_set():
            try:
                with connect() as connection:
                    self._lead(connection, stop)
            except Exception as error:
                FAILED.inc()
                log.warning("erasing failed: it will be retried", exc_info=None if may_pass(error) else error)
                stop.wait(_POLL_SECONDS)

    def _lead(self, connection: Connection[DictRow], stop: threading.Event) -> None:
        while not stop.is_set() and not try_leadership(connection, ERASER_LEADER):
            stop.wait(_POLL_SECONDS)
        connection.execute(f"listen {ERASURES_CHANNEL}".encode())
        while not stop.is_set():
            if not self.pass_over(datetime.now(UTC)):
                for _ in connection.notifies(timeout=_POLL_SECONDS, stop_after=1):
                    pass

    def pass_over(self, now: datetime) -> int:
        """Make one pass for all people who are due; returns their number.

        Raises:
            RetryableError: a store does not answer.
        """
        with self.database.connection() as connection:
            due = connection.execute(_DUE, (now, _BATCH)).fetchall()
            oldest = connection.execute(_OLDEST, (now,)).fetchone()
            connection.execute(_FORGET_TOMBSTONES, (now - TOMBSTONE_FOR,))
        WAITING.set((oldest and oldest["age"]) or 0.0)
        people = [self._subject(row) for row in due]
        if people:
            for store in self.stores:
                store.erase(people)
        for person in people:
            self._conclude(person, now)
        return len(people)

    def findings(self, person: Subject) -> Iterator[tuple[str, Finding]]:
        """(store, what is about the person there)."""
        for store in self.stores:
            yield from ((store.name, finding) for finding in store.find(person))

    def person(self, user_id: int) -> Subject:
        """The person of a deleted account.

        Raises:
            ConflictError: the account was not deleted.
        """
        with self.database.connection() as connection:
            row = connection.execute(_REQUESTED, (user_id,)).fetchone()
            if row is None and connection.execute(_EXISTS, (user_id,)).fetchone():
                raise ConflictError(f"the account {encode_id(user_id)} was not deleted")
        return self._subject({"user_id": user_id, "requested_at": row["requested_at"] if row else datetime.now(UTC)})

    def _subject(self, row: DictRow) -> Subject:
        with self.database.connection() as connection:
            photos = connection.execute(_PHOTOS, {"user": row["user_id"]}).fetchall()
        return Subject(row["user_id"], row["requested_at"], frozenset(photo["id"] for photo in photos))

    def _conclude(self, person: Subject, now: datetime) -> None:
        """Record the end, or when the next pass is due."""
        found = [finding for _, finding in self.findings(person) if not finding.kept]
        last_pass = person.requested_at + timedelta(seconds=self.settings.upload_url_seconds)
        ended = not found and now >= last_pass
        left = [finding for finding in found if finding.is_left(now)]
        again = now + timedelta(seconds=_AGAIN_SECONDS)
        due = again if left or now >= last_pass else max(last_pass, again)
        with self.database.connection() as connection:
            connection.execute(_PASSED, (due, now if ended else None, person.user_id))
        if ended:
            ERASED.inc()
        log.info("erasure pass", user_id=person.user_id, ended=ended, left=[str(finding) for finding in left])
