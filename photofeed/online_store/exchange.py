"""Exchanges with Redis over redis-py's connections: one write per request, and the replies read as raw bytes.

redis-py does pools, authentication, TLS, time-outs and reconnects. Commands are packed and replies parsed here, because
for 800 keys one by one that is most of the cost of a read.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import redis
import redis.asyncio

from photofeed.online_store.replies import RowReplies, RowShape

MGET_KEYS: Final = 128
"""Keys per command. Valkey prefetches the keys of several commands together, and looks up the keys of one command one
after the other: one MGET of a feed's 1,400 keys takes it a fifth to a third longer."""

RowCounts = Sequence[tuple[RowShape, int]]
"""Per view of a request, the shape of its rows and how many are requested."""


def exchange(client: redis.Redis, commands: bytes, requested: RowCounts) -> RowReplies:
    """Send MGETs of MGET_KEYS keys and read their replies; the client's retry policy applies."""
    pool: Any = client.connection_pool
    connection = pool.get_connection()

    def once() -> RowReplies:
        connection.send_packed_command([commands])
        return receive(connection, RowReplies(requested, array_rows=MGET_KEYS))

    try:
        replies: RowReplies = connection.retry.call_with_retry(once, lambda _: connection.disconnect())
        return replies
    finally:
        pool.release(connection)


async def exchange_async(client: redis.asyncio.Redis, commands: bytes, requested: RowCounts) -> RowReplies:
    """`exchange`, without blocking the event loop."""
    pool: Any = client.connection_pool
    connection = await pool.get_connection()

    async def once() -> RowReplies:
        await connection.connect()  # in case an earlier failure closed it
        exchange = AsyncExchange(connection, RowReplies(requested, array_rows=MGET_KEYS))
        exchange.send(commands)
        return await exchange.replies()

    try:
        replies: RowReplies = await connection.retry.call_with_retry(once, lambda _: connection.disconnect())
        return replies
    finally:
        await pool.release(connection)


def receive(connection: Any, replies: RowReplies) -> RowReplies:
    """Read until the reply is complete. On failure close the connection, so that no other request reads the rest."""
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
    """One exchange on a connection of redis.asyncio that receives from the socket directly into the replies.

    It replaces the connection's stream, which would copy a reply three times, until the reply is complete. On failure
    the connection is closed, so that no other request reads the rest.
    """

    def __init__(self, connection: Any, replies: RowReplies) -> None:
        self._connection = connection
        self._replies = replies
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[Exception | None] = self._loop.create_future()
        self._transport = connection._writer.transport  # noqa: SLF001  redis-py has no public way to read bytes
        self._stream = self._transport.get_protocol()
        self._hand_over(self)

    def send(self, commands: bytes) -> None:
        """Send the commands; replies are processed as they arrive."""
        if self._transport.is_closing():
            self._end(redis.ConnectionError("Redis closed the connection"))
        else:
            self._transport.write(commands)

    async def replies(self) -> RowReplies:
        """The replies, once they are complete.

        Raises:
            redis.TimeoutError: they did not arrive within the connection's `socket_timeout`.
            redis.ConnectionError: the connection was lost, or Redis is not ready to answer.
        """
        seconds = self._connection.socket_timeout
        time_out = None if seconds is None else self._loop.call_later(seconds, self._time_out)
        try:
            failure = await self._ended
            if failure is not None:
                raise failure
            self._replies.raise_connection_error()
        except BaseException:
            await self.abort()
            raise
        finally:
            if time_out is not None:
                time_out.cancel()
        return self._replies

    async def abort(self) -> None:
        """Close the connection, so that no other request reads what may still arrive."""
        self._hand_over(self._stream)
        await self._connection.disconnect()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  asyncio's protocol
        """Buffer for the next bytes."""
        return self._replies.space()

    def buffer_updated(self, nbytes: int) -> None:
        """Process `nbytes` received bytes."""
        try:
            if self._replies.received(nbytes):
                self._hand_over(self._stream)
                self._end(None)
        except Exception as error:  # noqa: BLE001  replies() raises it
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

    def _time_out(self) -> None:
        self._end(redis.TimeoutError("Redis did not answer in time"))

    def _end(self, failure: Exception | None) -> None:
        if not self._ended.done():  # the caller may have been cancelled
            self._ended.set_result(failure)

    def _hand_over(self, protocol: asyncio.BaseProtocol) -> None:
        if self._transport.is_closing():
            return  # connection_lost will be called on this exchange, which forwards it to the stream
        self._transport.pause_reading()  # uvloop checks the kind of protocol when reading starts
        self._transport.set_protocol(protocol)
        self._transport.resume_reading()
