"""Apache Kafka with three brokers, SASL/SCRAM and TLS: brokers die and restart, and no event is lost or counts twice.

Run with `make test-kafka`.
"""

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient
from kafka.admin import ConfigResource, KafkaAdminClient

from ingestion.bootstrap.engagement import engagement_pipeline
from ingestion.consumer.worker import Worker
from ingestion.engagement.counted_events import RedisCountedEvents
from photofeed.doctor.kafka_cluster import cluster_with
from photofeed.errors import RetryableError, UnavailableError
from photofeed.event_log import KafkaGroupConsumer, KafkaReader
from photofeed.events import Envelope, event_id
from photofeed.feature_store import close_feature_store, open_feature_store
from photofeed.kafka_client import connection_options
from photofeed.kafka_publisher import KafkaPublisher
from photofeed.kafka_topics import create_topics
from photofeed.redis_client import connect_redis
from photofeed.tokens import SERVICE, mint_token
from photofeed.topics import ENGAGEMENT, Topic
from serving import bootstrap
from serving.app import create_app
from tests.api.engagement_log import check_counters, event_log
from tests.command_line import photofeed
from tools.kafka.certificates import write_certificates
from tools.kafka.cluster import BROKERS

if TYPE_CHECKING:
    from photofeed.settings import Settings
    from tools.kafka.cluster import KafkaCluster

EVENTS = 6_000
PATIENCE_SECONDS = 60.0  # time-outs of Redis: no test depends on the load of the machine
MOST_READS = 600


@dataclass
class Traffic:
    """Messages that are published in one thread and counted in another, until the fault is over."""

    settings: "Settings"
    topic: Topic
    messages: list[Envelope]
    acknowledged: list[Envelope] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def publish(self) -> None:
        """Publish all messages one by one; what was not acknowledged is sent again."""
        with closing(KafkaPublisher(self.settings)) as publisher:
            for message in self.messages:
                while not self._stop.is_set():
                    try:
                        publisher.publish(self.topic.name, [message])
                    except UnavailableError:
                        continue
                    self.acknowledged.append(message)
                    break

    def during(self, fault: Callable[[], None]) -> None:
        """Publish while the fault happens; ends when all is published and counted."""
        publishing = threading.Thread(target=self.publish)
        publishing.start()
        try:
            fault()
            publishing.join()
        finally:
            self._stop.set()
            publishing.join()


@pytest.fixture
def topic(settings: "Settings") -> Topic:
    topic = replace(ENGAGEMENT, name=f"engagement-{uuid.uuid4().hex[:8]}")
    create_topics(settings, [topic])
    return topic


@pytest.fixture(autouse=True)
def whole(kafka_cluster: "KafkaCluster") -> Iterator[None]:
    """Every test begins with, and leaves, a cluster with all brokers."""
    kafka_cluster.wait_until_whole()
    yield
    _start_missing(kafka_cluster)


def _start_missing(cluster: "KafkaCluster") -> None:
    for number, process in cluster.processes.items():
        if process.poll() is not None:
            cluster.start(number)
    cluster.wait_until_whole()


def _kill_each(cluster: "KafkaCluster", _: "Settings", __: Topic) -> None:
    for number in range(BROKERS):
        cluster.kill_and_start(number)


def _restart_each(cluster: "KafkaCluster", _: "Settings", __: Topic) -> None:
    cluster.restart_each()


def _move_partitions(cluster: "KafkaCluster", _: "Settings", topic: Topic) -> None:
    cluster.move_partitions(topic)


@pytest.mark.parametrize("fault", [_kill_each, _restart_each, _move_partitions])
def test_nothing_is_lost_and_nothing_counts_twice(
    settings: "Settings", kafka_cluster: "KafkaCluster", topic: Topic, fault: Callable[..., None]
) -> None:
    """One member of the group counts all the time, and commits; partitions get new leaders under it."""
    wanted = event_log(uuid.uuid4().int % 2**40 + 2**58, EVENTS, repeated=0.1)
    messages = [Envelope.decode(message.value) for message in wanted.read(ENGAGEMENT.name)]
    traffic, stop, store = Traffic(settings, topic, messages), threading.Event(), open_feature_store(settings)
    with connect_redis(settings) as client, closing(KafkaPublisher(settings)) as publisher:
        pipeline = engagement_pipeline(settings, store, client)
        pipeline.counted = RedisCountedEvents(client, uuid.uuid4().hex)
        pipeline.become_leader()
        group = f"features-{topic.name}"
        consumer = KafkaGroupConsumer(settings, group, [topic])
        worker = Worker(group, consumer, publisher, pipeline.handle, stop, batch_size=50)
        working = threading.Thread(target=worker.run)
        working.start()
        try:
            traffic.during(partial(fault, kafka_cluster, settings, topic))
            logged = _read(settings, topic)
            _until_committed(settings, group, topic, logged)
        finally:
            stop.set()
            working.join()
        pipeline.flush()
        assert {envelope.id for envelope in traffic.acknowledged} == {envelope.id for envelope in messages}
        assert {envelope.id for envelope in messages} <= {envelope.id for envelope in logged}
        events = {event["id"]: event for envelope in logged for event in envelope.payload["events"]}
        assert check_counters(store, client, list(events.values())) > EVENTS // 6
    close_feature_store(store)


def _read(settings: "Settings", topic: Topic) -> list[Envelope]:
    return [Envelope.decode(message.value) for message in KafkaReader(settings).read(topic.name)]


def _until_committed(settings: "Settings", group: str, topic: Topic, logged: list[Envelope]) -> None:
    """Wait until the group has committed as many messages as the log has."""
    reader = KafkaReader(settings)
    for _ in range(MOST_READS):
        if sum(reader.committed(group, topic.name).values()) >= len(logged):
            return
    pytest.fail("the group does not catch up")


def test_without_enough_replicas_nothing_is_acknowledged(
    settings: "Settings", kafka_cluster: "KafkaCluster", topic: Topic
) -> None:
    with closing(KafkaAdminClient(**connection_options(settings))) as admin:
        answers = admin.alter_configs([ConfigResource("TOPIC", topic.name, configs={"min.insync.replicas": "3"})])
    assert answers["topic"][topic.name] == "OK"
    with closing(KafkaPublisher(settings, seconds=8)) as publisher:
        publisher.publish(topic.name, [Envelope("thing", "a", {})])
        kafka_cluster.kill(0)
        with pytest.raises(UnavailableError):
            publisher.publish(topic.name, [Envelope("thing", "a", {})])
        _start_missing(kafka_cluster)
        traffic = Traffic(settings, topic, [Envelope("thing", "a", {})])
        traffic.publish()
    assert traffic.messages[0].id in {envelope.id for envelope in _read(settings, topic)}


@pytest.fixture
def service(settings: "Settings") -> Iterator[Callable[[str, str, Any], Any]]:
    """Calls the API as a service."""
    make_services = partial(bootstrap.services, redis_seconds=PATIENCE_SECONDS)
    headers = {"Authorization": f"Bearer {mint_token(settings, 0, frozenset({SERVICE}))}"}
    with TestClient(create_app(settings, make_services), base_url="http://127.0.0.1") as http:
        yield lambda method, path, body: http.request(method, path, json=body, headers=headers)


def test_with_two_brokers_away_the_api_answers_503_and_loses_nothing(
    settings: "Settings", kafka_cluster: "KafkaCluster", service: Callable[[str, str, Any], Any]
) -> None:
    item = uuid.uuid4().hex
    assert service("PUT", "/v1/items", {"items": [{"externalId": item}]}).is_success
    ids: list[str] = []

    def report() -> Any:
        ids.append(uuid.uuid4().hex)
        event = {"id": ids[-1], "type": "open", "itemExternalId": item, "actorExternalId": item}
        return service("POST", "/v1/events", {"events": [event]})

    assert report().status_code == 202
    kafka_cluster.kill(0)
    kafka_cluster.kill(1)
    refused = [report() for _ in range(4)]
    assert {reply.status_code for reply in refused} == {503}
    assert all(reply.headers["Retry-After"] for reply in refused)
    _start_missing(kafka_cluster)
    reply = report()
    while reply.status_code == 503:
        reply = report()
    assert reply.status_code == 202
    logged = [event for envelope in _read(settings, ENGAGEMENT) for event in envelope.payload["events"]]
    for acknowledged in (ids[0], ids[-1]):
        assert any(event["id"] == event_id(event["userId"], acknowledged) for event in logged)


def test_with_two_brokers_away_a_producer_waits_and_goes_on(
    settings: "Settings", kafka_cluster: "KafkaCluster", topic: Topic
) -> None:
    traffic = Traffic(settings, topic, [Envelope("thing", str(number), {}) for number in range(200)])

    def two_die() -> None:
        kafka_cluster.kill(1)
        kafka_cluster.kill(2)
        _start_missing(kafka_cluster)

    traffic.during(two_die)
    assert {one.id for one in traffic.acknowledged} == {one.id for one in traffic.messages}
    assert {one.id for one in traffic.messages} <= {one.id for one in _read(settings, topic)}


@pytest.fixture(scope="session")
def wrong(tmp_path_factory: pytest.TempPathFactory, kafka_cluster: "KafkaCluster") -> dict[str, dict[str, str]]:
    """Settings that the brokers refuse, or that should refuse the brokers."""
    other = write_certificates(tmp_path_factory.mktemp("other"))
    return {
        "password": {"PHOTOFEED_KAFKA_SASL_PASSWORD": "wrong"},
        "user": {"PHOTOFEED_KAFKA_SASL_USERNAME": "nobody"},
        "authority": {"PHOTOFEED_KAFKA_CA_FILE": str(other.authority)},
        "expired": {
            "PHOTOFEED_KAFKA_BOOTSTRAP_SERVERS": kafka_cluster.expired_servers,
            "PHOTOFEED_KAFKA_SECURITY_PROTOCOL": "SSL",
        },
        "client": kafka_cluster.variables_with_certificate
        | {
            "PHOTOFEED_KAFKA_CLIENT_CERTIFICATE": str(other.client),
            "PHOTOFEED_KAFKA_CLIENT_KEY": str(other.client_key),
        },
        "mechanism": {"PHOTOFEED_KAFKA_SASL_MECHANISM": "PLAIN"},
        "protocol": {"PHOTOFEED_KAFKA_SECURITY_PROTOCOL": "SSL"},
    }


TOLD = {
    "password": "Kafka refuses the login of photofeed",
    "user": "Kafka refuses the login of nobody",
    "authority": "is not valid: ",
    "expired": "is not valid: certificate has expired",
    "client": "refuses TLS",
    "mechanism": "it offers SCRAM-SHA-512",
}


@pytest.mark.parametrize("command", [("setup",), ("work", "relay"), ("work", "archive"), ("dlq", "list")])
@pytest.mark.parametrize("name", ["password", "expired"])
def test_every_process_tells_wrong_credentials_in_one_line(
    settings: "Settings", wrong: Mapping[str, dict[str, str]], name: str, command: tuple[str, ...]
) -> None:
    done = photofeed(*command, PHOTOFEED_STATE_DIR=settings.state_dir, **wrong[name])
    assert done.returncode == 1
    _check_told(done.stderr, TOLD[name])


@pytest.mark.parametrize("name", ["user", "authority", "client", "mechanism"])
def test_setup_tells_what_is_wrong_in_one_line(
    settings: "Settings", wrong: Mapping[str, dict[str, str]], name: str
) -> None:
    done = photofeed("setup", PHOTOFEED_STATE_DIR=settings.state_dir, **wrong[name])
    assert done.returncode == 1
    _check_told(done.stderr, TOLD[name])


def test_a_client_without_a_login_is_told_that_kafka_does_not_answer(
    settings: "Settings", wrong: Mapping[str, dict[str, str]]
) -> None:
    done = photofeed("setup", PHOTOFEED_STATE_DIR=settings.state_dir, **wrong["protocol"])
    assert done.returncode == 1
    _check_told(done.stderr, "PHOTOFEED_KAFKA_SECURITY_PROTOCOL=SSL")


def _check_told(stderr: str, words: str) -> None:
    last = stderr.rstrip().splitlines()[-1]
    assert last.startswith("photofeed: ")
    assert "Kafka" in last
    assert words in last


def test_the_doctor_names_wrong_credentials(settings: "Settings", wrong: Mapping[str, dict[str, str]]) -> None:
    changed = settings.model_copy(update={"kafka_sasl_username": wrong["user"]["PHOTOFEED_KAFKA_SASL_USERNAME"]})
    assert [finding.name for finding in cluster_with(changed, [ENGAGEMENT])] == ["kafka.access"]


def test_the_doctor_finds_nothing_wrong_with_replicated_topics(settings: "Settings") -> None:
    assert [finding.name for finding in cluster_with(settings, [ENGAGEMENT])] == ["kafka.topics"]


def test_a_certificate_identifies_a_client(settings: "Settings", kafka_cluster: "KafkaCluster", topic: Topic) -> None:
    named = kafka_cluster.variables_with_certificate
    certified = settings.model_copy(
        update={name.removeprefix("PHOTOFEED_").lower(): value for name, value in named.items()}
    )
    message = Envelope("thing", "a", {})
    with closing(KafkaPublisher(certified)) as publisher:
        publisher.publish(topic.name, [message])
    assert [envelope.id for envelope in _read(certified, topic)] == [message.id]


def test_topics_have_three_replicas(settings: "Settings", topic: Topic) -> None:
    with closing(KafkaAdminClient(**connection_options(settings))) as admin:
        (described,) = admin.describe_topics([topic.name])
    assert [len(partition["replica_nodes"]) for partition in described["partitions"]] == [BROKERS] * topic.partitions


def test_a_topic_with_more_replicas_than_brokers_is_refused(settings: "Settings") -> None:
    topic = Topic(f"many-{uuid.uuid4().hex[:8]}", key="id", replication=BROKERS + 1, retention=timedelta(days=1))
    with pytest.raises(RetryableError, match="replica"):
        create_topics(settings, [topic])
