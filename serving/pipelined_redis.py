"""Automatic pipelining: Redis commands sent in the same turn of the event loop share one write and one read.

A feed sends a dozen small commands. Sent one by one through a client, they take more CPU time than all of the ranking.
Each call still gets its own replies and its own error.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, cast

import hiredis
import redis.asyncio
from redis.connection import DefaultParser

Command: TypeAlias = tuple[str | bytes | int | float, ...]


class RedisCommands(Protocol):
    """Sends the commands of the feed path to one server, or to the nodes of a cluster."""

    async def ask(self, *commands: Command) -> list[Any]:
        """The replies to the commands, which must be safe to repeat; the first argument of each is its only key.

        Raises:
            redis.RedisError: Redis did not answer all of them, or refused one.
        """

    async def aclose(self) -> None:
        """Close the connections."""


class PipelinedConnection:
    """One connection to one server, opened when it is needed, over which calls are sent together.

    Args:
        open_connection: returns a connection of redis-py that is connected and logged in.
        seconds: time limit of a reply; after it the connection is closed, and all waiting calls fail.
    """

    def __init__(self, open_connection: Callable[[], Awaitable[Any]], seconds: float) -> None:
        self._open_connection = open_connection
        self._seconds = seconds
        self._connection: _Connection | None = None
        self._connecting: asyncio.Task[_Connection] | None = None

    async def send(self, commands: Sequence[Command]) -> list[Any]:
        """The replies to the commands, each of them or the error that it is.

        Raises:
            redis.ConnectionError: the server cannot be reached.
            redis.TimeoutError: the server did not answer in time.
        """
        connection = self._connection
        if connection is None or connection.lost:
            connection = await self._connect()
        return await connection.send(commands)

    async def _connect(self) -> "_Connection":
        """A new connection; concurrent calls wait for the same one."""
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._open())
            self._connecting.add_done_callback(self._opened)
        return await asyncio.shield(self._connecting)

    async def _open(self) -> "_Connection":
        return _Connection(await self._open_connection(), self._seconds)

    def _opened(self, task: "asyncio.Task[_Connection]") -> None:
        self._connecting = None
        if not task.cancelled() and task.exception() is None:
            self._connection = task.result()

    async def aclose(self) -> None:
        """Close the connection; waiting calls fail with a ConnectionError."""
        if self._connection is not None:
            self._connection.close()
            await asyncio.sleep(0)  # the transport closes in the next turn of the event loop


class PipelinedRedis:
    """Sends commands to one server, over one connection that all requests of the process share.

    Args:
        client: opens the connection: its address, authentication, TLS and time-outs apply.
        seconds: time limit of a reply; after it the connection is closed, and all waiting calls fail.
    """

    def __init__(self, client: redis.asyncio.Redis, seconds: float) -> None:
        pool: Any = client.connection_pool

        async def opened() -> Any:
            connection = pool.make_connection()
            await connection.connect()
            return connection

        self._server = PipelinedConnection(opened, seconds)

    async def ask(self, *commands: Command) -> list[Any]:
        """The replies to the commands. They must be safe to repeat: they are sent again if the connection was lost.

        Raises:
            redis.ConnectionError: Redis cannot be reached.
            redis.TimeoutError: Redis did not answer in time.
            redis.ResponseError: Redis refused one of the commands.
        """
        try:
            replies = await self._server.send(commands)
        except redis.ConnectionError:
            replies = await self._server.send(commands)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    async def aclose(self) -> None:
        """Close the connection; waiting calls fail with a ConnectionError."""
        await self._server.aclose()


@dataclass(slots=True)
class _PendingCall:
    """One call, with its number of commands, the time by which they must be answered, and the replies so far."""

    future: asyncio.Future[list[Any]]
    count: int
    due: float
    replies: list[Any] = field(default_factory=list)


class _Connection(asyncio.Protocol):
    """A connection on which replies arrive in the order of the commands.

    One timer serves all calls: their replies are due in the order in which they were sent.
    """

    def __init__(self, connection: Any, seconds: float) -> None:
        self.lost = False
        self._seconds = seconds
        # redis-py connects and logs in; afterwards this protocol reads and writes the socket
        self._connection = connection
        self._transport = cast("asyncio.Transport", connection._writer.transport)  # noqa: SLF001
        self._loop = asyncio.get_running_loop()
        self._parser = hiredis.Reader(replyError=DefaultParser.parse_error)
        self._waiting: deque[_PendingCall] = deque()
        self._unsent: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timed_out = False
        self._transport.set_protocol(self)

    def send(self, commands: Sequence[Command]) -> asyncio.Future[list[Any]]:
        if not self._unsent:
            self._loop.call_soon(self._write)
        self._unsent.extend(hiredis.pack_command(command) for command in commands)
        call = _PendingCall(self._loop.create_future(), len(commands), self._loop.time() + self._seconds)
        self._waiting.append(call)
        if self._timer is None:
            self._timer = self._loop.call_at(call.due, self._check_time)
        return call.future

    def _write(self) -> None:
        self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def data_received(self, data: bytes) -> None:
        self._parser.feed(data)
        while self._waiting:
            first = self._waiting[0]
            while len(first.replies) < first.count:
                reply = self._parser.gets()
                if reply is False:
                    return
                first.replies.append(reply)
            self._waiting.popleft()
            if not first.future.done():  # the caller may have been cancelled
                first.future.set_result(first.replies)

    def _check_time(self) -> None:
        """Close the connection if a reply is late: it would be read as the reply to another command."""
        self._timer = None
        if not self._waiting:
            return
        due = self._waiting[0].due
        if self._loop.time() < due:
            self._timer = self._loop.call_at(due, self._check_time)
            return
        self._timed_out = True
        self.close()

    def close(self) -> None:
        self._transport.abort()
        self.connection_lost(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self._timer is not None:
            self._timer.cancel()
        self._connection._close()  # noqa: SLF001  its public method waits for the stream that this protocol has taken over
        while self._waiting:
            future = self._waiting.popleft().future
            if not future.done():
                future.set_exception(
                    redis.TimeoutError("Redis did not answer in time")
                    if self._timed_out
                    else redis.ConnectionError(f"connection to Redis lost: {exc}")
                )
