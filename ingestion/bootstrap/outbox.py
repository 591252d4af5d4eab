"""The worker that sends what the database has for Kafka and, in a second thread, for webhooks."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ingestion.bootstrap import Run
from ingestion.outbox_relay import OutboxRelay
from ingestion.progress import Progress
from ingestion.webhooks.sender import WebhookSender
from photofeed import database
from photofeed.kafka_access import open_publisher
from photofeed.settings import Settings


@contextmanager
def relay(settings: Settings, stop: threading.Event, progress: Progress) -> Iterator[Run]:
    """The outbox relay, and the sender of webhooks."""
    publisher = open_publisher(settings)
    try:
        with database.pool(settings) as pool:
            relaying = OutboxRelay(lambda: database.connect(settings), publisher, stop, progress)

            def run() -> None:
                sending = threading.Thread(target=WebhookSender(settings, pool).run, args=(stop,), name="webhooks")
                sending.start()
                try:
                    relaying.run()
                finally:
                    stop.set()
                    sending.join()

            yield run
    finally:
        publisher.close()
