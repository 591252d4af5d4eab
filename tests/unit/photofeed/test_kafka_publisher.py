"""A producer that failed for good is replaced, and no message is lost with it."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from kafka.errors import (
    InvalidRecordError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NotEnoughReplicasError,
    NotLeaderForPartitionError,
    TopicAuthorizationFailedError,
    UnknownError,
)
from prometheus_client import REGISTRY

from photofeed.errors import RetryableError
from photofeed.kafka_publisher import KafkaPublisher
from photofeed.settings import Settings
from tests.doubles.clock import Clock
from tests.doubles.kafka_producer import FakeProducer

FATAL = [UnknownError(), InvalidRecordError(), TopicAuthorizationFailedError("things")]
PASSING = [KafkaTimeoutError(), NotLeaderForPartitionError(), NotEnoughReplicasError()]


def _restarts() -> float:
    return REGISTRY.get_sample_value("photofeed_producer_restarts_total") or 0.0


class Broker:
    """Gives out the given producers, one per connection; an error in their place refuses the connection."""

    def __init__(self, *producers: FakeProducer | KafkaError) -> None:
        self._producers = list(producers)

    def __call__(self, settings: Settings, seconds: float) -> Any:  # noqa: ARG002
        producer = self._producers.pop(0)
        if isinstance(producer, KafkaError):
            raise producer
        return producer


def _publisher(connect: Callable[[Settings, float], Any], clock: Clock, *, seconds: float = 30.0) -> KafkaPublisher:
    return KafkaPublisher(Settings(), seconds=seconds, connect=connect, clock=clock)


@pytest.mark.parametrize("error", FATAL, ids=repr)
def test_after_a_fatal_error_the_unacknowledged_messages_go_through_a_new_producer(error: KafkaError) -> None:
    clock, before = Clock(), _restarts()
    broken, fresh = FakeProducer([None, error]), FakeProducer()
    publisher = _publisher(Broker(broken, fresh), clock)
    clock.now += 1
    publisher.publish_encoded("things", [("a", b"1"), ("b", b"2"), ("c", b"3")])
    assert broken.taken == [b"1"]
    assert fresh.taken == [b"2", b"3"]
    assert _restarts() == before + 1


def test_a_call_that_finds_the_producer_dead_succeeds_too() -> None:
    clock, dead, fresh = Clock(), FakeProducer(fatal=UnknownError()), FakeProducer()
    publisher = _publisher(Broker(dead, fresh), clock)
    clock.now += 1
    publisher.publish_encoded("things", [("a", b"1")])
    assert fresh.taken == [b"1"]


def test_a_producer_that_another_thread_closed_is_replaced() -> None:
    clock, closed, fresh = Clock(), FakeProducer(closed=True), FakeProducer()
    publisher = _publisher(Broker(closed, fresh), clock)
    clock.now += 1
    publisher.publish_encoded("things", [("a", b"1")])
    assert fresh.taken == [b"1"]


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_an_error_that_passes_keeps_the_producer(error: KafkaError) -> None:
    clock, before = Clock(), _restarts()
    only = FakeProducer([error])
    publisher = _publisher(Broker(only), clock)
    with pytest.raises(RetryableError):
        publisher.publish_encoded("things", [("a", b"1")])
    publisher.publish_encoded("things", [("a", b"1")])
    assert only.taken == [b"1"]
    assert _restarts() == before


def test_a_producer_that_acknowledges_nothing_for_seconds_is_replaced() -> None:
    clock, stuck, fresh = Clock(), FakeProducer([KafkaTimeoutError()] * 9), FakeProducer()
    publisher = _publisher(Broker(stuck, fresh), clock)
    with pytest.raises(RetryableError):
        publisher.publish_encoded("things", [("a", b"1")])
    clock.now += 5
    publisher.publish_encoded("things", [("a", b"1")])
    assert fresh.taken == [b"1"]


def test_one_success_shows_that_the_producer_works() -> None:
    clock = Clock()
    only = FakeProducer([KafkaTimeoutError(), None, KafkaTimeoutError()])
    publisher = _publisher(Broker(only), clock)
    with pytest.raises(RetryableError):
        publisher.publish_encoded("things", [("a", b"1")])
    publisher.publish_encoded("things", [("a", b"2")])
    clock.now += 5
    with pytest.raises(RetryableError):
        publisher.publish_encoded("things", [("a", b"3")])
    assert not only.closed


def test_an_error_that_stays_is_reported_after_one_replacement() -> None:
    clock = Clock()
    producers = [FakeProducer(fatal=InvalidRecordError()) for _ in range(2)]
    publisher = _publisher(Broker(*producers), clock)
    clock.now += 1
    with pytest.raises(RetryableError, match="things"):
        publisher.publish_encoded("things", [("a", b"1")])


def test_a_message_above_the_own_limit_does_not_cost_the_producer() -> None:
    clock, before = Clock(), _restarts()
    publisher = _publisher(Broker(FakeProducer(refusal=MessageSizeTooLargeError())), clock)
    with pytest.raises(RetryableError):
        publisher.publish_encoded("things", [("a", b"1")])
    assert _restarts() == before


@pytest.mark.parametrize(
    "error",
    [ValueError("Partitioner did not assign a partition for topic things!"), TypeError("'NoneType' is not iterable")],
    ids=repr,
)
def test_a_topic_without_partitions_for_a_moment_is_an_error_that_passes(error: Exception) -> None:
    clock, before = Clock(), _restarts()
    only = FakeProducer(refusal=error)
    publisher = _publisher(Broker(only), clock)
    with pytest.raises(RetryableError, match="things"):
        publisher.publish_encoded("things", [("a", b"1")])
    only.refusal = None
    publisher.publish_encoded("things", [("a", b"1")])
    assert only.taken == [b"1"]
    assert _restarts() == before


def test_a_broker_that_is_away_at_the_start_is_connected_to_later() -> None:
    clock, producer = Clock(), FakeProducer()
    publisher = _publisher(Broker(KafkaConnectionError("refused"), producer), clock)
    with pytest.raises(RetryableError):  # a moment ago it did not answer: no second wait for it
        publisher.publish_encoded("things", [("a", b"1")])
    clock.now += 1
    publisher.publish_encoded("things", [("a", b"1")])
    assert producer.taken == [b"1"]


def test_a_publisher_says_whether_the_broker_answers() -> None:
    clock, producer, said = Clock(), FakeProducer([None, KafkaTimeoutError(), None]), list[bool]()
    publisher = _publisher(Broker(KafkaConnectionError("refused"), producer), clock)
    for _ in range(4):
        said.append(publisher.answers)
        clock.now += 1
        with contextlib.suppress(RetryableError):
            publisher.publish_encoded("things", [("a", b"1")])
    assert said == [False, True, False, True]
