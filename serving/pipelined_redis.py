"""Redis for one request out of many: whatever is asked in the same turn of the event loop goes out in one write.

A feed asks Redis for a dozen small things. Sent one by one through a client they cost more of the server's processor
than all of the ranking; asked side by side here they are one write and one read, and each asker still has its own
replies and its own failure.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

import hiredis
import redis.asyncio
from redis.connection import DefaultParser

Command: TypeAlias = tuple[str | bytes | int | float, ...]


class PipelinedRedis:
    """Asks Redis over one connection that all requests of the process share.

    Args:
        client: makes the connection: its address, authentication, TLS and time-outs apply.
        seconds: that an answer may take; later, the connection is given up, and every asker with it.
    """

    def __init__(self, client: redis.asyncio.Redis, seconds: float) -> None:
        self._client = client
        self._seconds = seconds
        self._line: _Line | None = None
        self._connecting: asyncio.Task[_Line] | None = None

    async def ask(self, *commands: Command) -> list[Any]:
        """The replies to commands that may be repeated; once more if the connection had been lost.

        Raises:
            redis.ConnectionError: Redis is not there.
            redis.TimeoutError: it does not answer in time.
            redis.ResponseError: it refused one of the commands.
        """
        try:
            return await self._ask(commands)
        except redis.ConnectionError:
            return await self._ask(commands)

    async def _ask(self, commands: tuple[Command, ...]) -> list[Any]:
        line = self._line
        if line is None or line.lost:
            line = await self._connect()
        asked = line.ask(commands)
        overdue = asyncio.get_running_loop().call_later(self._seconds, line.give_up)
        try:
            replies = await asked
        finally:
            overdue.cancel()
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    async def _connect(self) -> "_Line":
        """A new connection; who comes while it is being made waits for the same one."""
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._open())
            self._connecting.add_done_callback(self._opened)
        return await asyncio.shield(self._connecting)

    async def _open(self) -> "_Line":
        pool: Any = self._client.connection_pool
        connection = pool.make_connection()
        await connection.connect()
        return _Line(connection)

    def _opened(self, task: "asyncio.Task[_Line]") -> None:
        self._connecting = None
        if not task.cancelled() and task.exception() is None:
            self._line = task.result()

    async def aclose(self) -> None:
        """Close the connection; who still waits is told that it is lost."""
        if self._line is not None:
            self._line.close()
            await asyncio.sleep(0)  # the transport closes in the next turn


@dataclass(slots=True)
class _Asked:
    """One asker, and what has been answered so far."""

    answer: asyncio.Future[list[Any]]
    count: int
    replies: list[Any] = field(default_factory=list)


class _Line(asyncio.Protocol):
    """A connection on which questions are answered in the order in which they were asked."""

    def __init__(self, connection: Any) -> None:
        self.lost = False
        # redis-py knows how to connect and to log in; the bytes that come afterwards are ours
        self._connection = connection
        self._transport = cast("asyncio.Transport", connection._writer.transport)  # noqa: SLF001
        self._loop = asyncio.get_running_loop()
        self._parser = hiredis.Reader(replyError=DefaultParser.parse_error)
        self._waiting: deque[_Asked] = deque()
        self._unsent: list[bytes] = []
        self._late = False
        self._transport.set_protocol(self)

    def ask(self, commands: tuple[Command, ...]) -> asyncio.Future[list[Any]]:
        if not self._unsent:
            self._loop.call_soon(self._send)
        self._unsent.extend(hiredis.pack_command(command) for command in commands)
        asked = _Asked(self._loop.create_future(), len(commands))
        self._waiting.append(asked)
        return asked.answer

    def _send(self) -> None:
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
            if not first.answer.done():  # who asked may have given up
                first.answer.set_result(first.replies)

    def give_up(self) -> None:
        """Too late: what is still to come on this connection would be read as the answer to something else."""
        self._late = True
        self.close()

    def close(self) -> None:
        self._transport.abort()
        self.connection_lost(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._connection._close()  # noqa: SLF001  its public way waits for the stream that we took over
        while self._waiting:
            answer = self._waiting.popleft().answer
            if not answer.done():
                answer.set_exception(
                    redis.TimeoutError("Redis did not answer in time")
                    if self._late
                    else redis.ConnectionError(f"connection to Redis lost: {exc}")
                )
