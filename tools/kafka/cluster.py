"""Three brokers, each also a controller, that clients reach by SASL/SCRAM and TLS, or by TLS with a certificate."""

import secrets
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from photofeed.embedded.stack import EmbeddedStack
from photofeed.kafka_client import connection_options
from photofeed.settings import STACK_ENV_FILE, Settings
from photofeed.topics import Topic
from tools.kafka.certificates import Certificates, write_certificates
from tools.kafka.jars import JARS
from tools.listening import free_ports

BROKERS = 3
USER = "photofeed"
_HOST = "127.0.0.1"
_STARTED_SECONDS, _STOPPED_SECONDS = 180.0, 60.0
_JVM = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
_PORTS = ("client_port", "certificate_port", "expired_port", "broker_port", "controller_port")
# Two of three replicas must have a message before it counts as written. The listener EXPIRED shows clients a
# certificate that has ended.
_CONFIG = """
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners={clients},CONTROLLERS://127.0.0.1:{controller_port}
advertised.listeners={clients}
inter.broker.listener.name=BROKERS
controller.listener.names=CONTROLLERS
listener.security.protocol.map=CLIENTS:SASL_SSL,CERTIFIED:SSL,EXPIRED:SSL,BROKERS:PLAINTEXT,CONTROLLERS:PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.clients.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={files.broker}
ssl.truststore.type=PEM
ssl.truststore.location={files.authority}
listener.name.certified.ssl.client.auth=required
listener.name.expired.ssl.keystore.type=PEM
listener.name.expired.ssl.keystore.location={files.expired}
log.dirs={data}
num.partitions=4
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
offsets.topic.num.partitions=6
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
transaction.state.log.num.partitions=3
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=2
broker.session.timeout.ms=6000
controlled.shutdown.enable=true
"""


@dataclass(slots=True)
class KafkaCluster:
    """Running brokers, numbered from 0."""

    folder: Path
    ports: list[dict[str, int]]
    password: str
    certificates: Certificates
    processes: dict[int, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        """The settings of photofeed that point to it."""
        return {
            "PHOTOFEED_KAFKA_BOOTSTRAP_SERVERS": self._servers("client_port"),
            "PHOTOFEED_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "PHOTOFEED_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "PHOTOFEED_KAFKA_SASL_USERNAME": USER,
            "PHOTOFEED_KAFKA_SASL_PASSWORD": self.password,
            "PHOTOFEED_KAFKA_CA_FILE": str(self.certificates.authority),
        }

    @property
    def variables_with_certificate(self) -> dict[str, str]:
        """The settings of a client that identifies itself by a certificate."""
        return {
            "PHOTOFEED_KAFKA_BOOTSTRAP_SERVERS": self._servers("certificate_port"),
            "PHOTOFEED_KAFKA_SECURITY_PROTOCOL": "SSL",
            "PHOTOFEED_KAFKA_CA_FILE": str(self.certificates.authority),
            "PHOTOFEED_KAFKA_CLIENT_CERTIFICATE": str(self.certificates.client),
            "PHOTOFEED_KAFKA_CLIENT_KEY": str(self.certificates.client_key),
        }

    @property
    def expired_servers(self) -> str:
        """The addresses at which the certificate of the brokers has ended."""
        return self._servers("expired_port")

    def _servers(self, port: str) -> str:
        return ",".join(f"{_HOST}:{one[port]}" for one in self.ports)

    def take_over(self, stack: EmbeddedStack) -> None:
        """Let every command of a running embedded stack use this cluster."""
        with (stack.state.path / STACK_ENV_FILE).open("a") as file:
            file.writelines(f"{name}={value}\n" for name, value in self.variables.items())

    def start(self, number: int) -> None:
        """Start a broker; it takes seconds until it answers."""
        with self._log(number).open("ab") as log:
            self.processes[number] = subprocess.Popen(  # noqa: S603  our own command
                ["java", *_JVM, "-cp", f"{JARS}/*", "kafka.Kafka", str(self._config(number))],  # noqa: S607
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, number: int) -> None:
        """End a broker by SIGKILL."""
        self.processes[number].kill()
        self.processes[number].wait()

    def stop(self, number: int) -> None:
        """End a broker in order: it hands its partitions over."""
        process = self.processes[number]
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOPPED_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill(number)

    def kill_and_start(self, number: int) -> None:
        """End a broker by SIGKILL and start it again; returns when it has all that it missed."""
        self.kill(number)
        self.start(number)
        self.wait_until_whole()

    def restart_each(self) -> None:
        """A rolling restart: one broker after the other."""
        for number in range(BROKERS):
            self.stop(number)
            self.start(number)
            self.wait_until_whole()

    def move_partitions(self, topic: Topic) -> None:
        """Take each broker out of all partitions of a topic in turn, so that all get new leaders, then put all back.

        Raises:
            RuntimeError: Kafka refuses a move, or a broker still has a partition.
        """
        nodes = range(1, BROKERS + 1)
        partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        with closing(self._admin()) as admin:
            for away in (*nodes, None):
                replicas = [node for node in nodes if node != away]
                if any(admin.alter_partition_reassignments(dict.fromkeys(partitions, replicas)).values()):
                    raise RuntimeError(f"Kafka does not move the partitions of {topic.name}")
                while admin.list_partition_reassignments():
                    self.wait_until_whole()
                (described,) = admin.describe_topics([topic.name])
                if any(away in partition["isr_nodes"] for partition in described["partitions"]):
                    raise RuntimeError(f"broker {away} still has partitions of {topic.name}")

    def wait_until_whole(self) -> None:
        """Wait until every broker takes part and every partition has all its replicas in sync.

        Raises:
            TimeoutError: not in time, or a broker ended; the message has the end of its log.
        """
        until = time.monotonic() + _STARTED_SECONDS
        while not self._is_whole():
            ended = [number for number, one in self.processes.items() if one.poll() is not None]
            if ended or time.monotonic() > until:
                log = self._log((ended or [0])[0]).read_text(errors="replace")
                raise TimeoutError(f"Kafka does not start: {log[-2_000:]}")
            time.sleep(0.5)

    def _is_whole(self) -> bool:
        # the others notice only after seconds that a broker was killed
        if not all(_listens(one["client_port"]) for one in self.ports):
            return False
        with suppress(KafkaError), closing(self._admin()) as admin:
            if len(admin.describe_cluster()["brokers"]) < BROKERS:
                return False
            return all(
                len(partition["isr_nodes"]) == len(partition["replica_nodes"])
                for topic in admin.describe_topics(admin.list_topics())
                for partition in topic["partitions"]
            )
        return False

    def _admin(self) -> Any:
        named = {name.removeprefix("PHOTOFEED_").lower(): value for name, value in self.variables.items()}
        settings = Settings.model_validate({"env": "dev", **named})
        return KafkaAdminClient(**connection_options(settings), bootstrap_timeout_ms=5_000)

    def _config(self, number: int) -> Path:
        return self.folder / f"broker-{number}.properties"

    def _log(self, number: int) -> Path:
        return self.folder / f"broker-{number}.log"

    def format(self) -> None:
        """Write the configuration and the empty data folder of each broker, with the user of clients."""
        cluster = uuid.uuid4().hex[:22]
        voters = ",".join(f"{node}@{_HOST}:{one['controller_port']}" for node, one in enumerate(self.ports, 1))
        user = f"SCRAM-SHA-512=[name={USER},password={self.password}]"
        for number, ports in enumerate(self.ports):
            kinds = zip(("CLIENTS", "CERTIFIED", "EXPIRED", "BROKERS"), _PORTS, strict=False)
            config = _CONFIG.format(
                node=number + 1,
                voters=voters,
                clients=",".join(f"{kind}://{_HOST}:{ports[port]}" for kind, port in kinds),
                controller_port=ports["controller_port"],
                files=self.certificates,
                data=self.folder / f"data-{number}",
            )
            self._config(number).write_text(config)
            command = ["java", *_JVM, "-cp", f"{JARS}/*", "kafka.tools.StorageTool", "format", "-t", cluster]
            subprocess.run(  # noqa: S603  our own command
                [*command, "-c", str(self._config(number)), "--add-scram", user], check=True, capture_output=True
            )


@contextmanager
def running_kafka(folder: Path) -> Iterator[KafkaCluster]:
    """A new cluster with all its data in a folder; it ends with the block."""
    folder.mkdir(exist_ok=True)
    numbers = iter(free_ports(BROKERS * len(_PORTS)))
    ports = [{name: next(numbers) for name in _PORTS} for _ in range(BROKERS)]
    cluster = KafkaCluster(folder, ports, secrets.token_hex(16), write_certificates(folder))
    cluster.format()
    try:
        for number in range(BROKERS):
            cluster.start(number)
        cluster.wait_until_whole()
        yield cluster
    finally:
        for process in cluster.processes.values():
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection((_HOST, port), timeout=1):
        return True
    return False
