"""Automatic pipelining on a Redis Cluster: commands of the same turn of the event loop are one write per node."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

import redis
from redis.asyncio.cluster import RedisCluster
from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, MovedError, RedisClusterException

from serving.pipelined_redis import Command, PipelinedConnection

_SLOTS_ARE_OLD = (redis.ConnectionError, redis.TimeoutError, ClusterDownError)


class PipelinedCluster:
    """Sends each command to the node of its key, over one connection per node that all requests of the process share.

    The first argument of a command is its only key. Keys of a call may be on different nodes. Nodes that are away fail
    only the calls that need them, and the slots are read again, so that a promoted replica is found.

    Args:
        client: for this object alone, which closes it. It reads the slots, and its address, authentication, TLS and
            time-outs apply to the connections.
        seconds: time limit of a reply; after it the node's connection is closed, and all calls that wait for it fail.
    """

    def __init__(self, client: RedisCluster, seconds: float) -> None:
        self._client = client
        self._seconds = seconds
        self._nodes: dict[str, PipelinedConnection] = {}
        self._reading: asyncio.Task[None] | None = None

    async def ask(self, *commands: Command) -> list[Any]:
        """The replies to the commands. They must be safe to repeat: they are sent again if a node was lost.

        Raises:
            redis.ConnectionError: a node cannot be reached, or no node holds a slot.
            redis.TimeoutError: a node did not answer in time.
            redis.ResponseError: a node refused one of the commands.
        """
        if not self._client.nodes_manager.slots_cache:
            await self._read_slots()
        try:
            replies = await self._ask(commands)
        except _SLOTS_ARE_OLD:
            await self._read_slots()
            replies = await self._ask(commands)
        else:
            if any(isinstance(reply, MovedError) for reply in replies):
                await self._read_slots()
                replies = await self._ask(commands)
        for index, reply in enumerate(replies):
            if isinstance(reply, AskError):  # its slot is being moved: this node may have it already
                importing = self._node(f"{reply.host}:{reply.port}")
                _, replies[index] = await importing.send([("ASKING",), commands[index]])
            if isinstance(replies[index], Exception):
                raise replies[index]
        return replies

    async def _ask(self, commands: tuple[Command, ...]) -> list[Any]:
        """The replies to the commands, each of them or its error."""
        by_node: dict[str, list[int]] = defaultdict(list)
        for index, command in enumerate(commands):
            by_node[self._node_of(command)].append(index)
        asked = [self._node(name).send([commands[index] for index in mine]) for name, mine in by_node.items()]
        replies: list[Any] = [None] * len(commands)
        # every call is awaited, so that no error is left without a reader
        for mine, found in zip(by_node.values(), await asyncio.gather(*asked, return_exceptions=True), strict=True):
            if isinstance(found, BaseException):
                raise found
            for index, reply in zip(mine, found, strict=True):
                replies[index] = reply
        return replies

    def _node_of(self, command: Command) -> str:
        key = command[1]
        slot = key_slot(key if isinstance(key, bytes) else str(key).encode())
        nodes = self._client.nodes_manager.slots_cache.get(slot)
        if not nodes:
            raise redis.ConnectionError(f"no node of the Redis Cluster holds slot {slot}")
        return str(nodes[0].name)

    def _node(self, name: str) -> PipelinedConnection:
        """The connection to a node.

        Raises:
            redis.ConnectionError: the node has left the cluster.
        """
        if name not in self._nodes:
            node = self._client.nodes_manager.nodes_cache.get(name)
            if node is None:
                raise redis.ConnectionError(f"the node {name} of the Redis Cluster is not known")
            self._nodes[name] = PipelinedConnection(_opener(node), self._seconds)
        return self._nodes[name]

    async def _read_slots(self) -> None:
        """Read which node holds which slots; concurrent calls wait for the same reading."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._reinitialize())
            self._reading.add_done_callback(self._read)
        await asyncio.shield(self._reading)

    async def _reinitialize(self) -> None:
        manager = self._client.nodes_manager
        try:
            async with asyncio.timeout(self._seconds):
                await manager.initialize()
        except (RedisClusterException, TimeoutError, OSError) as error:
            raise redis.ConnectionError(f"no node of the Redis Cluster answers: {error}") from error
        for name in self._nodes.keys() - manager.nodes_cache.keys():
            await self._nodes.pop(name).aclose()

    def _read(self, task: "asyncio.Task[None]") -> None:
        self._reading = None
        if not task.cancelled():
            task.exception()  # callers that wait get it; without any, it is known here

    async def aclose(self) -> None:
        """Close the connections; waiting calls fail with a ConnectionError."""
        for node in self._nodes.values():
            await node.aclose()
        for nodes in ("nodes_cache", "startup_nodes"):  # the client itself closes nothing before it sent a command
            await self._client.nodes_manager.aclose(nodes)


def _opener(node: Any) -> Callable[[], Awaitable[Any]]:
    async def opened() -> Any:
        connection = node.connection_class(**node.connection_kwargs)
        await connection.connect()
        return connection

    return opened
