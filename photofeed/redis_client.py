"""Clients of Redis: of one server, or of a cluster if its address begins with `redis+cluster` or `rediss+cluster`."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeAlias

import redis
import redis.asyncio
from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import RedisClusterException

from photofeed.online_store.pool import ReadyPool
from photofeed.settings import Settings

# redis-py types every reply as possibly awaitable, which synchronous callers cannot use
RedisClient: TypeAlias = Any

_CLUSTER = "+cluster://"


def is_cluster(settings: Settings) -> bool:
    """Whether the settings name a Redis Cluster, by the address of one or more of its nodes."""
    return _CLUSTER in settings.redis_url.get_secret_value()


def server_url(settings: Settings) -> str:
    """The address in the form that redis-py takes, which has no scheme for clusters."""
    return settings.redis_url.get_secret_value().replace(_CLUSTER, "://", 1)


def connect_redis(settings: Settings) -> RedisClient:
    """A synchronous client for workers; replies are bytes.

    Raises:
        redis.ConnectionError: no node of the cluster answers. A single server is connected with the first command.
    """
    limits = {"socket_timeout": 10, "socket_connect_timeout": 3, "socket_keepalive": True}
    if not is_cluster(settings):
        return redis.Redis.from_url(server_url(settings), **limits)
    with _as_lost():
        return RedisCluster.from_url(server_url(settings), **limits)


def primaries(client: RedisClient) -> list[RedisClient]:
    """A client of each server that takes writes: of the one server, or of the primaries of a cluster."""
    if not isinstance(client, RedisCluster):
        return [client]
    nodes: Any = client
    return [nodes.get_redis_connection(node) for node in nodes.get_primaries()]


def connect_redis_async(settings: Settings, seconds: float) -> Any:
    """A client for the API; a command is sent again once if its connection was lost.

    Args:
        settings: where Redis is.
        seconds: time limit of a connection and of a reply.
    """
    options: dict[str, Any] = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
    options |= {"retry": AsyncRetry(NoBackoff(), 1)}
    if is_cluster(settings):
        return AsyncRedisCluster.from_url(server_url(settings), **options)
    return redis.asyncio.Redis.from_pool(ReadyPool.from_url(server_url(settings), **options))


@asynccontextmanager
async def server_of_key(settings: Settings, key: str, seconds: float) -> AsyncIterator[Any]:
    """A client of the server that holds a key now: of a cluster, the primary of its slot.

    Args:
        settings: where Redis is.
        key: the key.
        seconds: time limit of a connection and of a reply.
    """
    if is_cluster(settings):
        kind, options = await _primary_of_key(settings, key, seconds)
        pool = redis.asyncio.ConnectionPool(connection_class=kind, **options)
    else:
        limits = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
        pool = redis.asyncio.ConnectionPool.from_url(server_url(settings), **limits)
    async with redis.asyncio.Redis.from_pool(pool) as server:
        yield server


async def _primary_of_key(settings: Settings, key: str, seconds: float) -> tuple[Any, dict[str, Any]]:
    """Class and options of connections to a primary, by a new client: an old one's map may name another primary."""
    client = connect_redis_async(settings, seconds)
    try:
        with _as_lost():
            await client.initialize()
            node: Any = client.get_node_from_key(key)
        return node.connection_class, dict(node.connection_kwargs)
    finally:
        await client.aclose()


@contextmanager
def _as_lost() -> Iterator[None]:
    """Errors of a cluster client as errors of a connection: it raises some that are no RedisError."""
    try:
        yield
    except RedisClusterException as error:
        raise redis.ConnectionError(f"no node of the Redis Cluster answers: {error}") from error


async def publish(client: Any, channel: str, message: str) -> None:
    """Publish a message; in a cluster, the subscribers of every node get it."""
    target = {"target_nodes": "random"} if isinstance(client, AsyncRedisCluster) else {}
    await client.execute_command("PUBLISH", channel, message, **target)


@asynccontextmanager
async def subscription(client: Any, channel: str) -> AsyncIterator[Any]:
    """A subscription to a channel, on a connection of its own: of a cluster, to any node."""
    if isinstance(client, AsyncRedisCluster):
        with _as_lost():
            await client.initialize()
            node: Any = client.get_random_node()
        pool = redis.asyncio.ConnectionPool(connection_class=node.connection_class, **node.connection_kwargs)
        async with redis.asyncio.Redis.from_pool(pool) as server, subscription(server, channel) as messages:
            yield messages
        return
    async with client.pubsub(ignore_subscribe_messages=True) as messages:
        await messages.subscribe(channel)
        yield messages
