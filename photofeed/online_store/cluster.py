"""Reads from a Redis Cluster: every node is sent the GETs of its rows in one write, all of them before any answers.

MGET is no help here: a node refuses it for keys of different slots, even where it holds them all. Rows are spread by
their whole keys, without hash tags, so that one user's pairs do not gather on one node.
"""

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import redis
from numpy.typing import NDArray
from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster
from redis.cluster import RedisCluster
from redis.crc import key_slot
from redis.exceptions import ClusterDownError, MovedError, RedisClusterException, SlotNotCoveredError

from photofeed.online_store.codec import MISSING, StoredRows
from photofeed.online_store.exchange import AsyncExchange, receive
from photofeed.online_store.replies import RowReplies, RowShape

ATTEMPTS: Final = 2
"""The second one with a fresh map of the slots."""

_LOST = (redis.ConnectionError, redis.TimeoutError, ClusterDownError, SlotNotCoveredError)


@dataclass(frozen=True, slots=True)
class ClusterRead:
    """The rows of one request: for each view its keys, and how its rows look."""

    keys: Sequence[Sequence[bytes]]
    shapes: Sequence[RowShape]


@dataclass(frozen=True, slots=True)
class _Shard:
    """What one node is asked: the keys, and for each view which of its rows they are."""

    node: Any
    keys: list[bytes]
    places: list[NDArray[np.intp]]
    replies: RowReplies

    @property
    def command(self) -> bytes:
        return b"".join([b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(key), key) for key in self.keys])


def read_cluster(client: RedisCluster, read: ClusterRead) -> list[StoredRows]:
    """The rows of each view, in the order of its keys.

    Raises:
        redis.ConnectionError: a node does not answer, or nobody holds a slot, with a fresh map too; try again later.
        SchemaMismatchError: a strict codec met rows of another schema.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            shards = _shards(read, partial(_known_node, client))
            _exchange(client, shards)
        except _LOST as error:
            _give_up(error, attempt)
            _refresh(client)
            continue
        if attempt < ATTEMPTS and _moved(shards):
            _refresh(client)
            continue
        for shard in shards:
            for place in shard.replies.redirected():
                # a slot on its way: redis-py follows MOVED and ASK
                value: Any = client.get(shard.keys[place])
                shard.replies.replace(place, value)
        return _merge(read, shards)
    raise AssertionError("the last attempt returns or raises")


async def read_cluster_async(client: AsyncRedisCluster, read: ClusterRead) -> list[StoredRows]:
    """`read_cluster`, without blocking the event loop."""
    with _as_lost():
        await client.initialize()
    for attempt in range(1, ATTEMPTS + 1):
        try:
            shards = _shards(read, partial(_known_node, client))
            await _exchange_async(shards)
        except _LOST as error:
            _give_up(error, attempt)
            await _refresh_async(client)
            continue
        if attempt < ATTEMPTS and _moved(shards):
            await _refresh_async(client)
            continue
        for shard in shards:
            for place in shard.replies.redirected():
                shard.replies.replace(place, await client.get(shard.keys[place]))
        return _merge(read, shards)
    raise AssertionError("the last attempt returns or raises")


def _shards(read: ClusterRead, node_of_slot: Callable[[int], Any]) -> list[_Shard]:
    nodes: dict[str, Any] = {}
    places: Mapping[str, list[list[int]]] = defaultdict(lambda: [[] for _ in read.keys])
    for view, keys in enumerate(read.keys):
        for place, key in enumerate(keys):
            node = node_of_slot(key_slot(key))
            nodes[node.name] = node
            places[node.name][view].append(place)
    return [
        _Shard(
            nodes[name],
            [keys[place] for keys, mine in zip(read.keys, by_view, strict=True) for place in mine],
            [np.array(mine, np.intp) for mine in by_view],
            RowReplies([(shape, len(mine)) for shape, mine in zip(read.shapes, by_view, strict=True)], array_rows=0),
        )
        for name, by_view in places.items()
    ]


def _exchange(client: RedisCluster, shards: Sequence[_Shard]) -> None:
    used: list[tuple[Any, Any]] = []
    try:
        for shard in shards:
            pool: Any = client.get_redis_connection(shard.node).connection_pool
            used.append((pool, pool.get_connection()))
            used[-1][1].send_packed_command([shard.command])
        for shard, (_, connection) in zip(shards, used, strict=True):
            receive(connection, shard.replies)
    except BaseException:
        # replies to what was sent may still come: nobody else must read them
        for _, connection in used:
            connection.disconnect()
        raise
    finally:
        for pool, connection in used:
            pool.release(connection)


async def _exchange_async(shards: Sequence[_Shard]) -> None:
    used: list[tuple[Any, Any]] = []
    exchanges: list[AsyncExchange] = []
    try:
        for shard in shards:
            used.append((shard.node, shard.node.acquire_connection()))
            await used[-1][1].connect()
            exchanges.append(AsyncExchange(used[-1][1], shard.replies))
            exchanges[-1].send(shard.command)
        for exchange in exchanges:
            await exchange.replies()
    except BaseException:
        for exchange in exchanges:
            await exchange.give_up()
        raise
    finally:
        for node, connection in used:
            node.release(connection)


def _merge(read: ClusterRead, shards: Sequence[_Shard]) -> list[StoredRows]:
    stored = [shard.replies.rows() for shard in shards]
    merged = []
    for view, keys in enumerate(read.keys):
        parts = [rows[view] for rows in stored]
        places, begin = np.full(len(keys), MISSING), 0
        for shard, part in zip(shards, parts, strict=True):
            places[shard.places[view]] = np.where(part.places == MISSING, MISSING, part.places + begin)
            begin += len(part.data)
        merged.append(StoredRows(np.concatenate([part.data for part in parts]), places, sum(p.stale for p in parts)))
    return merged


def _known_node(client: RedisCluster | AsyncRedisCluster, slot: int) -> Any:
    manager: Any = client.nodes_manager
    # after a refresh the map of slots holds twins of the nodes, which the client would never close
    return manager.nodes_cache[manager.get_node_from_slot(slot).name]


def _refresh(client: RedisCluster) -> None:
    with _as_lost():
        # a fresh map alone would leave the old nodes' connections open
        client.disconnect_connection_pools()  # type: ignore[no-untyped-call]
        client.nodes_manager.initialize()


async def _refresh_async(client: AsyncRedisCluster) -> None:
    with _as_lost():
        # a fresh map alone would leave the old nodes' connections open
        await client.aclose()
        await client.initialize()


def _moved(shards: Sequence[_Shard]) -> bool:
    return any(isinstance(reply, MovedError) for shard in shards for reply in shard.replies.values())


def _give_up(error: Exception, attempt: int) -> None:
    if attempt == ATTEMPTS:
        raise redis.ConnectionError(f"a node of the Redis Cluster does not answer: {error}; try again") from error


@contextlib.contextmanager
def _as_lost() -> Iterator[None]:
    try:
        yield
    except RedisClusterException as error:
        raise redis.ConnectionError(f"no node of the Redis Cluster answers: {error}; try again") from error
