"""The outbox relay: publishes the messages that transactions left in PostgreSQL's outbox table."""

import threading
from collections.abc import Callable

import structlog
from prometheus_client import Counter
from psycopg import Connection
from psycopg.rows import DictRow

from ingestion.progress import Progress
from photofeed.database import OUTBOX_CHANNEL, RELAY_LEADER, RELAYING, try_leadership_now, wait_for_leadership
from photofeed.event_log import EventPublisher
from photofeed.events import Envelope
from photofeed.unavailable import may_pass

log = structlog.get_logger(__name__)

RELAYED = Counter("photofeed_outbox_messages", "Messages published from the outbox", ["topic"])

_BATCH = 500
_TAKE = "select id, topic, envelope, traceparent from outbox order by id limit %s"
_DROP = "delete from outbox where id = any(%s)"


class OutboxRelay:
    """Publishes outbox rows in order, then deletes them. A crash in between publishes rows again and loses none.

    One relay is the leader; others wait. Inserts are announced by NOTIFY, so the relay reacts at once without fast
    polling.
    """

    def __init__(
        self,
        connect: Callable[[], Connection[DictRow]],
        publisher: EventPublisher,
        stop: threading.Event,
        progress: Progress | None = None,
    ) -> None:
        self._connect = connect
        self._publisher = publisher
        self._stop = stop
        self._progress = progress or Progress()

    def run(self) -> None:
        """Relay until `stop` is set. A lost connection is opened again."""
        while not self._stop.is_set():
            try:
                with self._connect() as connection:
                    self._relay_as_leader(connection)
            except Exception as error:
                if not may_pass(error):
                    raise
                self._progress.waiting(str(error))
                log.warning("relay reconnects", error=str(error))
                self._stop.wait(1.0)

    def _relay_as_leader(self, connection: Connection[DictRow]) -> None:
        self._progress.stands_by()
        if wait_for_leadership(connection, RELAY_LEADER, self._stop):
            connection.execute(f"listen {OUTBOX_CHANNEL}")
        while not self._stop.is_set():
            self._progress.turned()
            with self._progress.working():
                relayed = self.relay_batch(connection)
            self._progress.waiting(None)
            if relayed:
                self._progress.committed()
            else:
                for _ in connection.notifies(timeout=0.5, stop_after=1):
                    pass

    def relay_batch(self, connection: Connection[DictRow]) -> int:
        """Publish and delete the oldest rows; returns their number. None while a backup holds RELAYING."""
        with connection.transaction():
            if not try_leadership_now(connection, RELAYING, shared=True):
                return 0
            rows = connection.execute(_TAKE, (_BATCH,)).fetchall()
            for topic, envelopes in _runs(rows):
                self._publisher.publish(topic, envelopes)
                RELAYED.labels(topic).inc(len(envelopes))
            if rows:
                connection.execute(_DROP, ([row["id"] for row in rows],))
        return len(rows)


def _runs(rows: list[DictRow]) -> list[tuple[str, list[Envelope]]]:
    """Rows grouped by topic, in order within each topic. Kafka has no order between topics."""
    by_topic: dict[str, list[Envelope]] = {}
    for row in rows:
        by_topic.setdefault(row["topic"], []).append(Envelope.decode(row["envelope"], traceparent=row["traceparent"]))
    return list(by_topic.items())
