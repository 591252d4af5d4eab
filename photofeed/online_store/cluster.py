"""Reads from a Redis Cluster: each node gets the GETs of its rows in one write, before any reply is read.

MGET does not work here: a node refuses it for keys of different slots, even if it holds them all. Rows are distributed
by their whole keys, without hash tags, so that the pairs of one user are not all on one node.
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

from photofeed.online_store.codec import StoredRows
from photofeed.online_store.exchange import AsyncExchange, receive
from photofeed.online_store.replies import RowReplies, RowShape
from photofeed.online_store.resp import bulk_string
from photofeed.online_store.schema import MISSING

ATTEMPTS: Final = 2
"""The second attempt has a fresh slot map."""

_LOST = (redis.ConnectionError, redis.TimeoutError, ClusterDownError, SlotNotCoveredError)


@dataclass(frozen=True, slots=True)
class ClusterRead:
    """One request: per view its keys, and the shape of its rows."""

    keys: Sequence[Sequence[bytes]]
    shapes: Sequence[RowShape]


@dataclass(frozen=True, slots=True)
class _Shard:
    """The part of a request that one node answers: keys, and per view the indexes of their rows."""

    node: Any
    keys: list[bytes]
    rows: list[NDArray[np.intp]]
    replies: RowReplies

    @property
    def command(self) -> bytes:
        return b"".join([b"*2\r\n$3\r\nGET\r\n" + bulk_string(key) for key in self.keys])


def read_cluster(client: RedisCluster, read: ClusterRead) -> list[StoredRows]:
    """The rows of each view, in the order of its keys.

    Raises:
        redis.ConnectionError: a node does not answer or no node holds a slot, even with a fresh slot map; try later.
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
            for index in shard.replies.redirected():
                # a slot that is being moved: redis-py follows MOVED and ASK
                value: Any = client.get(shard.keys[index])
                shard.replies.replace(index, value)
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
            for index in shard.replies.redirected():
                shard.replies.replace(index, await client.get(shard.keys[index]))
        return _merge(read, shards)
    raise AssertionError("the last attempt returns or raises")


def _shards(read: ClusterRead, node_of_slot: Callable[[int], Any]) -> list[_Shard]:
    nodes: dict[str, Any] = {}
    rows_of: Mapping[str, list[list[int]]] = defaultdict(lambda: [[] for _ in read.keys])
    for view, keys in enumerate(read.keys):
        for row, key in enumerate(keys):
            node = node_of_slot(key_slot(key))
            nodes[node.name] = node
            rows_of[node.name][view].append(row)
    return [
        _Shard(
            nodes[name],
            [keys[row] for keys, rows in zip(read.keys, by_view, strict=True) for row in rows],
            [np.array(rows, np.intp) for rows in by_view],
            RowReplies([(shape, len(rows)) for shape, rows in zip(read.shapes, by_view, strict=True)], array_rows=0),
        )
        for name, by_view in rows_of.items()
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
        # replies to sent commands may still arrive: no other request must read them
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
            await exchange.abort()
        raise
    finally:
        for node, connection in used:
            node.release(connection)


def _merge(read: ClusterRead, shards: Sequence[_Shard]) -> list[StoredRows]:
    stored = [shard.replies.rows() for shard in shards]
    merged = []
    for view, keys in enumerate(read.keys):
        parts = [rows[view] for rows in stored]
        offsets, numbers, begin = np.full(len(keys), MISSING), np.zeros(len(keys), np.int64), 0
        for shard, part in zip(shards, parts, strict=True):
            offsets[shard.rows[view]] = np.where(part.offsets == MISSING, MISSING, part.offsets + begin)
            numbers[shard.rows[view]] = part.numbers
            begin += len(part.data)
        data, stale = np.concatenate([part.data for part in parts]), sum(part.stale for part in parts)
        merged.append(StoredRows(data, offsets, numbers, read.shapes[view].table, stale))
    return merged


def _known_node(client: RedisCluster | AsyncRedisCluster, slot: int) -> Any:
    manager: Any = client.nodes_manager
    # after a refresh the slot map holds copies of the nodes, which the client would never close
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
