"""While a broker cannot be sent to, the thread of a producer sleeps until something happens or its time is over."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.producer.record_accumulator import RecordAccumulator
from kafka.producer.sender import Sender
from kafka.structs import TopicPartition

from photofeed import kafka_publisher
from photofeed.kafka_network import ProducerNetClient
from photofeed.settings import Settings

BROKER, PARTITION = 0, TopicPartition("things", 0)
WAITING = SimpleNamespace(connected=True, paused={"max_in_flight"})  # for the reply to a request
CONNECTING = SimpleNamespace(connected=False, paused=set())


@dataclass
class Network:
    """Connections of one broker and the event loop, which only notes how long it was allowed to sleep."""

    connection: Any
    backoff_seconds: float = 0.0
    slept_ms: list[float] = field(default_factory=list)

    @property
    def cluster(self) -> "Network":
        return self

    def leader_for_partition(self, partition: TopicPartition) -> int:
        assert partition == PARTITION
        return BROKER

    @property
    def _conns(self) -> dict[int, Any]:
        return {BROKER: self.connection} if self.connection else {}

    def connection_delay(self, node_id: int) -> float:
        assert node_id == BROKER
        return self.backoff_seconds

    def get_connection(self, node_id: int) -> Any:
        assert node_id == BROKER
        return self.connection

    def poll(self, timeout_ms: float, future: Any) -> None:
        assert future is None
        self.slept_ms.append(timeout_ms)


def _slept_ms(network: Network) -> float:
    """How long the thread sleeps in one turn if it has a batch for a broker that takes none now."""
    batches = RecordAccumulator(linger_ms=0, request_timeout_ms=30_000, delivery_timeout_ms=60_000)
    batches.append(PARTITION, 0, b"key", b"value", [])
    Sender(ProducerNetClient(network, network), None, batches, guarantee_message_order=True).run_once()
    (slept,) = network.slept_ms
    return slept


@pytest.mark.parametrize("connection", [WAITING, CONNECTING], ids=["waiting", "connecting"])
def test_a_producer_does_not_poll_without_pause_until_a_broker_takes_the_next_batch(connection: Any) -> None:
    assert _slept_ms(Network(connection)) == 1_000


def test_a_producer_sleeps_until_it_may_connect_again() -> None:
    assert _slept_ms(Network(None, backoff_seconds=0.25)) == 250


def test_publishers_use_this_client(monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {}
    monkeypatch.setattr("kafka.KafkaProducer", lambda **given: options.update(given))
    kafka_publisher.KafkaPublisher(Settings())
    assert options["kafka_client"] is ProducerNetClient
    assert options.keys() <= KafkaProducer.DEFAULT_CONFIG.keys()
