"""A worker on real Kafka: a member of its consumer group, with a publisher for its dead letters."""

import threading
from collections.abc import Callable
from contextlib import ExitStack

from photofeed import topics
from photofeed.event_log import KafkaGroupConsumer, KafkaPublisher
from photofeed.settings import Settings
from photofeed.worker import Handler, Worker


def group_worker(
    owned: ExitStack,
    settings: Settings,
    group: str,
    handler: Handler,
    stop: threading.Event,
    *,
    batch_size: int = 100,
    max_attempts: int | None = None,
    linger_seconds: float = 0.0,
    idle: Callable[[], None] | None = None,
    settled: Callable[[], bool] | None = None,
) -> Worker:
    """The worker of `group`, on the topics it subscribes to; `owned` closes what it holds."""
    publisher = KafkaPublisher(settings)
    owned.callback(publisher.close)
    consumer = KafkaGroupConsumer(settings, group, topics.SUBSCRIPTIONS[group])
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
        settled=settled,
    )
