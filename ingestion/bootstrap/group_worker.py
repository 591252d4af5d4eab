"""A worker on Kafka: a member of its consumer group, with a publisher for dead letters."""

import threading
from collections.abc import Callable
from contextlib import ExitStack

from ingestion.consumer.lag import LagMeter
from ingestion.consumer.worker import Handler, Worker
from ingestion.progress import Progress
from photofeed import topics
from photofeed.event_log import KafkaGroupConsumer, KafkaGroupOffsets
from photofeed.kafka_access import open_publisher
from photofeed.settings import Settings


def group_worker(
    owned: ExitStack,
    settings: Settings,
    group: str,
    handler: Handler,
    stop: threading.Event,
    progress: Progress,
    *,
    batch_size: int = 100,
    max_attempts: int | None = None,
    linger_seconds: float = 0.0,
    idle: Callable[[], None] | None = None,
    may_commit: Callable[[], bool] | None = None,
) -> Worker:
    """The worker of `group` on the topics of its subscription. `owned` closes its publisher.

    A thread beside it measures how far the group is behind.
    """
    publisher = open_publisher(settings)
    owned.callback(publisher.close)
    subscribed = topics.SUBSCRIPTIONS[group]
    consumer = KafkaGroupConsumer(settings, group, subscribed, turned=progress.turned)
    offsets = KafkaGroupOffsets(settings, group, subscribed)
    meter = LagMeter(group, subscribed, offsets, progress, lambda: consumer.assigned)
    threading.Thread(target=meter.run, args=(stop,), name="lag", daemon=True).start()
    return Worker(
        group,
        consumer,
        publisher,
        handler,
        stop,
        batch_size=batch_size,
        max_attempts=max_attempts,
        linger_seconds=linger_seconds,
        idle=idle,
        may_commit=may_commit,
        progress=progress,
    )
