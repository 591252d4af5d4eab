"""A pool of connections to Redis for asyncio whose idle connections are cheap to take."""

from typing import Any

import redis.asyncio


class ReadyPool(redis.asyncio.ConnectionPool):
    """redis-py's pool, except how it checks an idle connection before it is used.

    redis-py reads from the socket within a timeout of 0 seconds, which costs as much as a small command. The event loop
    has already told the connection what arrived, so asking the connection is enough. One that is closed, was closed by
    the server or has unread data goes through redis-py's check, which connects again.
    """

    async def ensure_connection(self, connection: Any) -> None:
        """Connect the connection unless it is ready for a command."""
        if not _is_ready(connection):
            await super().ensure_connection(connection)


def _is_ready(connection: Any) -> bool:
    reader, writer = connection._reader, connection._writer  # noqa: SLF001  redis-py has no public way to them
    if reader is None or writer is None or writer.transport.is_closing():
        return False
    return not (reader._buffer or reader.at_eof() or reader.exception())  # noqa: SLF001  asyncio has no public way
