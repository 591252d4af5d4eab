"""A worker on Kafka whose work takes longer than the longest interval between polls."""

import threading
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY

from ingestion.consumer.worker import Worker
from photofeed.event_log import KafkaGroupConsumer
from photofeed.events import Envelope
from photofeed.kafka_publisher import KafkaPublisher
from photofeed.kafka_topics import create_topics
from photofeed.topics import Topic
from tests.metric_values import metric

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

MAX_POLL_SECONDS = 2.0


def _rebalances(group: str) -> float:
    return metric("photofeed_worker_rebalances_total", group=group)


def test_slow_work_is_done_once_without_a_rebalance(stack: "EmbeddedStack") -> None:
    settings, name = stack.settings(), uuid.uuid4().hex[:8]
    topic, group = Topic(f"slow-{name}", key="id", partitions=2), f"slow-{name}"
    create_topics(settings, [topic])
    publisher, stop = KafkaPublisher(settings), threading.Event()
    started: list[str] = []
    joined: list[float] = []

    def slow(envelopes: Sequence[Envelope]) -> None:
        joined.append(_rebalances(group))  # one, or two if a broker did not know the new topic yet
        started.extend(envelope.key for envelope in envelopes)
        threading.Event().wait(2.5 * MAX_POLL_SECONDS)  # the work itself: long, and nothing that could be waited for
        if len(started) == 2:
            stop.set()

    publisher.publish(topic.name, [Envelope("thing", key, {}) for key in ("a", "b")])
    consumer = KafkaGroupConsumer(settings, group, [topic], max_poll_seconds=MAX_POLL_SECONDS)
    assert REGISTRY.get_sample_value("photofeed_worker_rebalances_total", {"group": group}) == 0  # for alerts
    worker = Worker(group, consumer, publisher, slow, stop, batch_size=1)
    worker.run()
    assert sorted(started) == ["a", "b"]
    assert _rebalances(group) == joined[0] >= 1

    after = KafkaGroupConsumer(settings, group, [topic])
    left = [message for _ in range(10) for message in after.poll(10, 0.5)]
    after.close()
    publisher.close()
    assert left == []


def test_a_new_member_waits_for_the_current_work_instead_of_repeating_it(stack: "EmbeddedStack") -> None:
    settings, name = stack.settings(), uuid.uuid4().hex[:8]
    topic, group = Topic(f"shared-{name}", key="id", partitions=2), f"shared-{name}"
    create_topics(settings, [topic])
    publisher, stop = KafkaPublisher(settings), threading.Event()
    publisher.publish(topic.name, [Envelope("thing", str(n), {}) for n in range(8)])
    lock, begun, at_once, most_at_once = threading.Lock(), threading.Event(), dict[str, int](), [0]
    done: list[str] = []

    def slow(envelopes: Sequence[Envelope]) -> None:
        for envelope in envelopes:
            with lock:
                at_once[envelope.key] = at_once.get(envelope.key, 0) + 1
                most_at_once[0] = max(most_at_once[0], at_once[envelope.key])
            begun.set()
            threading.Event().wait(0.7)
            with lock:
                at_once[envelope.key] -= 1
                done.append(envelope.key)
                if len(set(done)) == 8:
                    stop.set()

    def member() -> None:
        Worker(group, KafkaGroupConsumer(settings, group, [topic]), publisher, slow, stop, batch_size=1).run()

    threads = [threading.Thread(target=member) for _ in range(2)]
    threads[0].start()
    assert begun.wait(60)
    threads[1].start()
    for thread in threads:
        thread.join(90)
    publisher.close()
    assert sorted(set(done)) == [str(n) for n in range(8)]
    assert most_at_once == [1]
