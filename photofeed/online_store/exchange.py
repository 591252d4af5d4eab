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
        await connection.connect()  # if a failure before closed it
        exchange = AsyncExchange(connection, RowReplies(asked, array_rows=MGET_KEYS))
        exchange.send(commands)
        return await exchange.replies()

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


class AsyncExchange(asyncio.BufferedProtocol):
    """One exchange on a connection of redis.asyncio: what comes goes straight from the socket into the replies.

    It stands in for the connection's own stream, which would copy a reply three times, until the reply is whole. A
    connection that fails on the way is closed: what is left on it is nobody's.
    """

    def __init__(self, connection: Any, replies: RowReplies) -> None:
        self._connection = connection
        self._replies = replies
        self._ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self._transport = connection._writer.transport  # noqa: SLF001  redis-py has no public way to read bytes
        self._stream = self._transport.get_protocol()
        self._hand_over(self)

    def send(self, commands: bytes) -> None:
        """Send; the replies are taken as they come."""
        if self._transport.is_closing():
            self._end(redis.ConnectionError("Redis closed the connection"))
        else:
            self._transport.write(commands)

    async def replies(self) -> RowReplies:
        """The replies, once they are whole.

        Raises:
            redis.TimeoutError: they did not come within the connection's `socket_timeout`.
            redis.ConnectionError: the connection was lost, or Redis is not ready to answer.
        """
        try:
            async with asyncio.timeout(self._connection.socket_timeout):
                failure = await self._ended
            if failure is not None:
                raise failure
            self._replies.raise_connection_error()
        except TimeoutError as error:
            await self.give_up()
            raise redis.TimeoutError("Redis did not answer in time") from error
        except BaseException:
            await self.give_up()
            raise
        return self._replies

    async def give_up(self) -> None:
        """Close the connection: what is still to come on it is nobody's."""
        self._hand_over(self._stream)
        await self._connection.disconnect()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  asyncio's protocol
        """Where the next bytes belong."""
        return self._replies.space()

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes came."""
        try:
            if self._replies.received(nbytes):
                self._hand_over(self._stream)
                self._end(None)
        except Exception as error:  # noqa: BLE001  whatever is wrong with a reply is for who asked
            self._end(error)

    def eof_received(self) -> bool | None:
        """Redis closed the connection."""
        self._end(redis.ConnectionError("Redis closed the connection"))
        closed: bool | None = self._stream.eof_received()
        return closed

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._end(redis.ConnectionError(f"connection to Redis lost: {exc}"))
        self._stream.connection_lost(exc)

    def _end(self, failure: Exception | None) -> None:
        if not self._ended.done():  # who asked may have given up
            self._ended.set_result(failure)

    def _hand_over(self, protocol: asyncio.BaseProtocol) -> None:
        if self._transport.is_closing():
            return  # its end comes to this exchange, which passes it on
        self._transport.pause_reading()  # uvloop asks what kind of protocol it has when reading begins
        self._transport.set_protocol(protocol)
        self._transport.resume_reading()
