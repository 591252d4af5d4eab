"""Sends queued webhooks: at least once, with growing pauses, until the endpoint answers 2xx or no attempt is left."""

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import Counter
from psycopg.rows import DictRow

from ingestion.webhooks.post import NotSentError, post
from photofeed.database import Database
from photofeed.settings import Settings
from photofeed.unavailable import may_pass
from photofeed.webhooks import signature

log = structlog.get_logger(__name__)

SENT = Counter("photofeed_webhooks", "Attempts to deliver webhooks", ["outcome"])

# The pauses after failed attempts, about three days in all.
PAUSES = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)
DISABLED_AFTER = timedelta(days=5)  # of failures without a success
_SPREAD = 0.1  # of a pause, so that an endpoint that comes back does not get everything at once
_BATCH, _THREADS = 32, 8
_LEASE = timedelta(minutes=5)  # longer than a batch takes: another worker sends it then, if this one died
_POLL_SECONDS = 1.0
_GONE = 410  # the receiver wants no more

_CLAIM = """
update webhook_deliveries d set next_attempt_at = %(lease)s
from webhook_endpoints e
where e.id = d.endpoint_id and d.id in (
    select w.id from webhook_deliveries w join webhook_endpoints on webhook_endpoints.id = w.endpoint_id
    where w.state = 'waiting' and w.next_attempt_at <= %(now)s and disabled_at is null
    order by w.next_attempt_at limit %(limit)s for update of w skip locked)
returning d.*, e.url, e.secret
"""
_DELIVERED = """
update webhook_deliveries set state = 'delivered', attempts = attempts + 1, delivered_at = %(now)s,
    last_status = %(status)s, last_error = null
where id = %(id)s
"""
_FAILED = """
update webhook_deliveries set attempts = attempts + 1, last_status = %(status)s, last_error = %(error)s,
    state = case when %(next)s::timestamptz is null then 'failed' else 'waiting' end,
    next_attempt_at = coalesce(%(next)s, next_attempt_at)
where id = %(id)s
"""
_WELL = "update webhook_endpoints set failing_since = null where id = %(endpoint)s and failing_since is not null"
_ILL = """
update webhook_endpoints set failing_since = coalesce(failing_since, %(now)s),
    disabled_at = case when %(gone)s or failing_since < %(long_ago)s then coalesce(disabled_at, %(now)s)
                  else disabled_at end
where id = %(endpoint)s
"""

Post = Callable[..., int]


@dataclass(frozen=True, slots=True)
class WebhookSender:
    """Sends what is due. Several may run: each delivery is claimed by one at a time."""

    settings: Settings
    database: Database
    send: Post = post

    def run(self, stop: threading.Event) -> None:
        """Send until `stop` is set."""
        while not stop.is_set():
            try:
                if self.send_due(datetime.now(UTC)) == _BATCH:
                    continue
            except Exception as error:
                expected = may_pass(error)
                log.warning("webhooks not sent: it will be retried", exc_info=None if expected else error)
            stop.wait(_POLL_SECONDS)

    def send_due(self, now: datetime) -> int:
        """Make one attempt for each of up to a batch of due deliveries; returns how many."""
        with self.database.connection() as connection:
            due = connection.execute(_CLAIM, {"now": now, "lease": now + _LEASE, "limit": _BATCH}).fetchall()
        if due:
            with ThreadPoolExecutor(_THREADS, thread_name_prefix="webhook") as threads:
                outcomes = list(threads.map(lambda row: self._attempt(row, now), due))
            for row, (status, error) in zip(due, outcomes, strict=True):
                self._record(row, status, error, now)
        return len(due)

    def _attempt(self, row: DictRow, now: datetime) -> tuple[int | None, str | None]:
        """Send one delivery; returns the status and, if it failed, why."""
        body, timestamp = row["body"].encode(), int(now.timestamp())
        headers = {
            "content-type": "application/json",
            "user-agent": "photofeed",
            "webhook-id": row["message_id"],
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(row["secret"], row["message_id"], timestamp, body),
        }
        try:
            status = self.send(row["url"], body, headers, allow_private=self.settings.webhook_private_addresses)
        except NotSentError as error:
            return None, str(error)
        return status, None if 200 <= status < 300 else f"the endpoint answered {status}"  # noqa: PLR2004  2xx

    def _record(self, row: DictRow, status: int | None, error: str | None, now: datetime) -> None:
        SENT.labels("delivered" if error is None else "failed").inc()
        facts = {"id": row["id"], "endpoint": row["endpoint_id"], "status": status, "now": now}
        with self.database.connection() as connection:
            if error is None:
                connection.execute(_DELIVERED, facts)
                connection.execute(_WELL, facts)
                return
            left = row["attempts"] < len(PAUSES) and status != _GONE
            pause = PAUSES[row["attempts"]] * random.uniform(1, 1 + _SPREAD) if left else None
            connection.execute(_FAILED, facts | {"error": error, "next": now + pause if pause else None})
            connection.execute(_ILL, facts | {"gone": status == _GONE, "long_ago": now - DISABLED_AFTER})
        log.info("webhook not delivered", url=row["url"], error=error, attempts=row["attempts"] + 1)
