import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot

from serving.pipelined_cluster import PipelinedCluster
from tests.valkey_cluster import PRIMARIES, SLOTS, ValkeyCluster, cluster_client, running_cluster

SECONDS = 5.0
NAMES = [f"pipelined:{number}" for number in range(60)]


@asynccontextmanager
async def _pipelined(cluster: ValkeyCluster) -> AsyncIterator[PipelinedCluster]:
    url = cluster.url.replace("+cluster", "")
    client = RedisCluster.from_url(url, retry=Retry(NoBackoff(), 1), socket_timeout=SECONDS)
    pipelined = PipelinedCluster(client, SECONDS)
    yield pipelined
    await pipelined.aclose()


def _part(name: str) -> int:
    """The number of the primary that has a key at the start."""
    return key_slot(name.encode()) * PRIMARIES // SLOTS


def test_replies_of_all_nodes_come_in_the_order_of_the_commands(valkey_cluster: ValkeyCluster) -> None:
    async def ask() -> list[list[object]]:
        async with _pipelined(valkey_cluster) as pipelined:
            await pipelined.ask(*(("SET", name, name, "EX", 60) for name in NAMES))
            one, two = pipelined.ask(*(("GET", name) for name in NAMES)), pipelined.ask(("GET", NAMES[-1]))
            return list(await asyncio.gather(one, two))

    assert {_part(name) for name in NAMES} == set(range(PRIMARIES))
    assert asyncio.run(ask()) == [[name.encode() for name in NAMES], [NAMES[-1].encode()]]


def test_a_refused_command_fails_its_own_call_only(valkey_cluster: ValkeyCluster) -> None:
    async def ask() -> list[object]:
        async with _pipelined(valkey_cluster) as pipelined:
            await pipelined.ask(("SET", NAMES[0], "text", "EX", 60))
            refused, answered = pipelined.ask(("SMEMBERS", NAMES[0])), pipelined.ask(("GET", NAMES[0]))
            return list(await asyncio.gather(refused, answered, return_exceptions=True))

    refused, answered = asyncio.run(ask())
    assert isinstance(refused, redis.ResponseError)
    assert answered == [b"text"]


def test_keys_are_found_while_their_slot_moves_and_after(tmp_path: Path) -> None:
    with running_cluster(tmp_path) as cluster:
        client = cluster_client(cluster.url)
        for name in NAMES:
            client.set(name, name)
        slot = key_slot(NAMES[0].encode())
        source, target = _part(NAMES[0]), (_part(NAMES[0]) + 1) % PRIMARIES
        nodes: list[Any] = [redis.Redis(port=port) for port in cluster.ports[:PRIMARIES]]
        ids = [node.execute_command("CLUSTER MYID").decode() for node in nodes]

        async def ask() -> list[list[object]]:
            found = []
            async with _pipelined(cluster) as pipelined:
                commands = [("GET", name) for name in NAMES]
                found.append(await pipelined.ask(*commands))
                nodes[target].execute_command("CLUSTER SETSLOT", slot, "IMPORTING", ids[source])
                nodes[source].execute_command("CLUSTER SETSLOT", slot, "MIGRATING", ids[target])
                moving = [name for name in NAMES if key_slot(name.encode()) == slot]
                nodes[source].execute_command(
                    "MIGRATE", "127.0.0.1", cluster.ports[target], "", 0, 5000, "KEYS", *moving
                )
                found.append(await pipelined.ask(*commands))  # ASK
                for node in (nodes[target], nodes[source], nodes[3 - source - target]):
                    node.execute_command("CLUSTER SETSLOT", slot, "NODE", ids[target])
                found.append(await pipelined.ask(*commands))  # MOVED
            return found

        assert asyncio.run(ask()) == [[name.encode() for name in NAMES]] * 3
        for each in (client, *nodes):
            each.close()


def test_only_calls_to_a_dead_primary_fail_until_its_replica_is_promoted(tmp_path: Path) -> None:
    with running_cluster(tmp_path) as cluster:
        client = cluster_client(cluster.url)
        for name in NAMES:
            client.set(name, name)
        cluster.wait_for_replicas()
        client.close()
        lost, kept = ([name for name in NAMES if (_part(name) == 1) is lost] for lost in (True, False))

        async def ask() -> list[list[object]]:
            async with _pipelined(cluster) as pipelined:
                await pipelined.ask(*(("GET", name) for name in NAMES))
                cluster.kill_primary(1)
                with pytest.raises(redis.ConnectionError):
                    await pipelined.ask(*(("GET", name) for name in lost))
                others = await pipelined.ask(*(("GET", name) for name in kept))
                await asyncio.to_thread(cluster.wait_for_promotion, 1)
                return [others, await pipelined.ask(*(("GET", name) for name in lost))]

        assert asyncio.run(ask()) == [[name.encode() for name in kept], [name.encode() for name in lost]]
