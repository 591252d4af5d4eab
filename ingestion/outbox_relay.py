"""The outbox relay: carries messages from PostgreSQL, where they became true, to the event log."""

import threading
from collections.abc import Callable

import structlog
from prometheus_client import Counter
from psycopg import Connection, OperationalError
from psycopg.rows import DictRow

from photofeed.database import OUTBOX_CHANNEL, RELAY_LEADER, wait_to_lead
from photofeed.errors import RetryableError
from photofeed.event_log import EventPublisher
from photofeed.events import Envelope

log = structlog.get_logger(__name__)

RELAYED = Counter("photofeed_outbox_messages", "Messages carried from the outbox to the event log", ["topic"])

_BATCH = 500
_TAKE = "select id, topic, envelope from outbox order by id limit %s"
_DROP = "delete from outbox where id = any(%s)"


class OutboxRelay:
    """Publishes outbox rows in order, then deletes them: a crash in between publishes again, and loses nothing.

    One relay works at a time; others stand by. New rows announce themselves by
    NOTIFY, so the relay neither polls fast nor waits long.
    """

    def __init__(
        self, connect: Callable[[], Connection[DictRow]], publisher: EventPublisher, stop: threading.Event
    ) -> None:
        self._connect = connect
        self._publisher = publisher
        self._stop = stop

    def run(self) -> None:
        """Relay until told to stop; a lost connection is made anew."""
        while not self._stop.is_set():
            try:
                with self._connect() as connection:
                    self._lead(connection)
            except (OperationalError, RetryableError) as error:
                log.warning("relay starts over", error=str(error))
                self._stop.wait(1.0)

    def _lead(self, connection: Connection[DictRow]) -> None:
        if wait_to_lead(connection, RELAY_LEADER, self._stop):
            connection.execute(f"listen {OUTBOX_CHANNEL}")
        while not self._stop.is_set():
            if not self.relay_batch(connection):
                for _ in connection.notifies(timeout=0.5, stop_after=1):
                    pass

    def relay_batch(self, connection: Connection[DictRow]) -> int:
        """Publish and delete the oldest rows; returns how many."""
        rows = connection.execute(_TAKE, (_BATCH,)).fetchall()
        for topic, envelopes in _runs(rows):
            self._publisher.publish(topic, envelopes)
            RELAYED.labels(topic).inc(len(envelopes))
        if rows:
            connection.execute(_DROP, ([row["id"] for row in rows],))
        return len(rows)


def _runs(rows: list[DictRow]) -> list[tuple[str, list[Envelope]]]:
    """Rows grouped by topic; order within a topic is kept, which is the only order Kafka knows."""
    by_topic: dict[str, list[Envelope]] = {}
    for row in rows:
        by_topic.setdefault(row["topic"], []).append(Envelope.decode(row["envelope"]))
    return list(by_topic.items())
