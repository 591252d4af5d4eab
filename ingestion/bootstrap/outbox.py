"""The worker between the database and Kafka."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ingestion.bootstrap import Run
from ingestion.outbox_relay import OutboxRelay
from photofeed import database
from photofeed.event_log import KafkaPublisher
from photofeed.settings import Settings


@contextmanager
def relay(settings: Settings, stop: threading.Event) -> Iterator[Run]:
    """The outbox relay."""
    publisher = KafkaPublisher(settings)
    try:
        yield OutboxRelay(lambda: database.connect(settings), publisher, stop).run
    finally:
        publisher.close()
