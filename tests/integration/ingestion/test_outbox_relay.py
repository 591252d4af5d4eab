"""The outbox relay: a crash between commit and publish loses no message."""

import threading
import uuid
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pytest
from prometheus_client import REGISTRY
from psycopg import Connection
from psycopg.rows import DictRow

from ingestion.outbox_relay import OutboxRelay
from ingestion.progress import Progress
from photofeed import database
from photofeed.errors import RetryableError, UnavailableError
from photofeed.events import Envelope
from photofeed.topics import Topic
from tests.doubles.event_log import InMemoryEventLog

if TYPE_CHECKING:
    from photofeed.settings import Settings


@pytest.fixture
def connection(settings: "Settings") -> Iterator[Connection[DictRow]]:
    with database.connect(settings) as connection:
        connection.execute("delete from outbox")
        yield connection


@pytest.fixture
def topic() -> Topic:
    return Topic(f"relay-{uuid.uuid4().hex}", key="id")


def _published(log: InMemoryEventLog, topic: Topic) -> list[str]:
    messages = log.consumer("test", [topic]).poll(1000, 0)
    return [Envelope.decode(message.value).key for message in messages]


def test_only_committed_messages_are_published_in_order(
    connection: Connection[DictRow], settings: "Settings", topic: Topic
) -> None:
    log = InMemoryEventLog(partitions=1)
    relay = OutboxRelay(lambda: database.connect(settings), log, threading.Event())
    with connection.transaction():
        database.write_outbox_sync(connection, [(topic, Envelope("t", str(n), {})) for n in range(5)])
    with connection.transaction(force_rollback=True):
        database.write_outbox_sync(connection, [(topic, Envelope("t", "never", {}))])
    assert relay.relay_batch(connection) == 5
    assert relay.relay_batch(connection) == 0
    assert _published(log, topic) == ["0", "1", "2", "3", "4"]
    assert REGISTRY.get_sample_value("photofeed_outbox_messages_total", {"topic": topic.name}) == 5


def test_messages_that_the_log_refuses_stay_for_the_next_relay(
    connection: Connection[DictRow], settings: "Settings", topic: Topic
) -> None:
    class Away(InMemoryEventLog):
        def publish(self, topic: str, envelopes: Sequence[Envelope]) -> None:
            raise RetryableError(f"no room for {len(envelopes)} in {topic}")

    database.write_outbox_sync(connection, [(topic, Envelope("t", "kept", {}))])
    with pytest.raises(RetryableError):
        OutboxRelay(lambda: database.connect(settings), Away(), threading.Event()).relay_batch(connection)
    log = InMemoryEventLog()
    OutboxRelay(lambda: database.connect(settings), log, threading.Event()).relay_batch(connection)
    assert _published(log, topic) == ["kept"]


def test_a_waiting_relay_wakes_on_a_commit_and_ends_when_stopped(
    connection: Connection[DictRow], settings: "Settings", topic: Topic
) -> None:
    stop, arrived = threading.Event(), threading.Event()

    class Telling(InMemoryEventLog):
        def publish(self, topic: str, envelopes: Sequence[Envelope]) -> None:
            super().publish(topic, envelopes)
            arrived.set()

    log = Telling()
    thread = threading.Thread(target=OutboxRelay(lambda: database.connect(settings), log, stop).run)
    thread.start()
    try:
        database.write_outbox_sync(connection, [(topic, Envelope("t", "woken", {}))])
        assert arrived.wait(30)
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
    assert _published(log, topic) == ["woken"]


def test_a_relay_says_what_it_waits_for_until_it_is_there(
    connection: Connection[DictRow], settings: "Settings", topic: Topic
) -> None:
    class Impatient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002  the relay pauses between connections
            return super().wait(0)

    class Last(InMemoryEventLog):
        def publish(self, topic: str, envelopes: Sequence[Envelope]) -> None:
            seen.append(progress.waits_for)
            super().publish(topic, envelopes)
            stop.set()

    def connect() -> Connection[DictRow]:
        if away:
            raise away.pop()
        return database.connect(settings)

    stop, progress, seen = Impatient(), Progress(), list[str | None]()
    away = [UnavailableError("PostgreSQL starts")]
    database.write_outbox_sync(connection, [(topic, Envelope("t", "late", {}))])
    OutboxRelay(connect, Last(), stop, progress).run()
    assert (seen, progress.waits_for) == (["PostgreSQL starts"], None)
