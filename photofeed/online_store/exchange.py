"""Requests on their way to Redis and back: one write per connection, by redis-py's own connections.

redis-py keeps the pools, authentication, TLS, time-outs and reconnects; the bytes are ours, because packing and parsing
800 keys one by one is most of what a read costs.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import redis
import redis.asyncio

from photofeed.online_store.replies import RowReplies, RowShape

MGET_KEYS: Final = 128
"""Keys of one command. Valkey looks commands that are sent together up together, keys of a longer one after each other:
a feed's 1,400 in one MGET take it a fifth to a third longer."""

_CHUNK = 1 << 18

Asked = Sequence[tuple[RowShape, int]]


def exchange(client: redis.Redis, commands: bytes, asked: Asked) -> RowReplies:
    """Send MGETs of MGET_KEYS keys, take their replies; a failed exchange is repeated as the client's retries say."""
    pool: Any = client.connection_pool
    connection = pool.get_connection()

    def once() -> RowReplies:
        connection.send_packed_command([commands])
        return receive(connection, RowReplies(asked, array_rows=MGET_KEYS))

    try:
        replies: RowReplies = connection.retry.call_with_retry(once, lambda _: connection.disconnect())
        return replies
    finally:
        pool.release(connection)


async def exchange_async(client: redis.asyncio.Redis, commands: bytes, asked: Asked) -> RowReplies:
    """`exchange`, without blocking the event loop."""
    pool: Any = client.connection_pool
    connection = await pool.get_connection()

    async def once() -> RowReplies:
        await connection.send_packed_command([commands])
        return await receive_async(connection, RowReplies(asked, array_rows=MGET_KEYS))

    try:
        replies: RowReplies = await connection.retry.call_with_retry(once, lambda _: connection.disconnect())
        return replies
    finally:
        await pool.release(connection)


def receive(connection: Any, replies: RowReplies) -> RowReplies:
    """Read until the reply is whole. A connection that fails on the way is closed: what is left on it is nobody's."""
    sock = connection._sock  # noqa: SLF001  redis-py has no public way to read bytes
    try:
        while True:
            count = sock.recv_into(replies.space())
            if not count:
                raise redis.ConnectionError("Redis closed the connection")
            if replies.received(count):
                replies.raise_connection_error()
                return replies
    except BaseException as error:
        connection.disconnect()
        if isinstance(error, TimeoutError):
            raise redis.TimeoutError("Redis did not answer in time") from error
        if isinstance(error, OSError) and not isinstance(error, redis.RedisError):
            raise redis.ConnectionError(f"connection to Redis lost: {error}") from error
        raise


async def receive_async(connection: Any, replies: RowReplies) -> RowReplies:
    """`receive`, without blocking the event loop."""
    reader: asyncio.StreamReader = connection._reader  # noqa: SLF001
    try:
        async with asyncio.timeout(connection.socket_timeout):
            while True:
                data = await reader.read(_CHUNK)
                if not data:
                    raise redis.ConnectionError("Redis closed the connection")
                if replies.feed(data):
                    replies.raise_connection_error()
                    return replies
    except BaseException as error:
        await connection.disconnect()
        if isinstance(error, TimeoutError):
            raise redis.TimeoutError("Redis did not answer in time") from error
        if isinstance(error, OSError) and not isinstance(error, redis.RedisError):
            raise redis.ConnectionError(f"connection to Redis lost: {error}") from error
        raise
