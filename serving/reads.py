"""Reads from PostgreSQL, one statement and one round trip each, by asyncpg.

asyncpg takes rows off the wire in C and keeps statements prepared: what a feed reads costs the server half of the
processor time that it costs through psycopg and its pool (ADR 8). Whatever writes uses photofeed.database.
"""

import asyncio
import re
from dataclasses import dataclass
from typing import Any

import asyncpg

from photofeed.database import WAIT_SECONDS
from photofeed.errors import RetryableError
from photofeed.settings import Settings

Row = tuple[Any, ...]

_NAMED = re.compile(r"%\((\w+)\)s")
_SECONDS = 10.0  # that a statement may take
_UNAVAILABLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,  # the connection is closed
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # stopping, starting, or it took too long
    asyncpg.InsufficientResourcesError,
)


class ReadError(RetryableError):
    """PostgreSQL is not there, or does not answer in time."""

    code = "unavailable"


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with named parameters, written like psycopg's: %(name)s."""

    text: str
    names: tuple[str, ...]

    @staticmethod
    def of(text: str) -> "Statement":
        """The statement as PostgreSQL wants it, parameters by number."""
        names = tuple(dict.fromkeys(_NAMED.findall(text)))
        return Statement(_NAMED.sub(lambda found: f"${names.index(found[1]) + 1}", text), names)


class Reads:
    """Up to `connections` connections, made when they are needed; one that fails is given up."""

    def __init__(self, settings: Settings, connections: int = 10) -> None:
        self._url = settings.database_url.get_secret_value()
        self._places = asyncio.Semaphore(connections)
        self._free: list[asyncpg.Connection] = []

    async def rows(self, statement: Statement, **arguments: object) -> list[Row]:
        """All rows of a statement's result.

        Raises:
            ReadError: PostgreSQL is not there, or does not answer in time.
        """
        values = [arguments[name] for name in statement.names]
        async with self._places:
            try:
                connection = await self._connection()
                try:
                    rows: list[Row] = await connection.fetch(statement.text, *values)
                except BaseException:
                    connection.terminate()  # whoever gave up waiting must not leave an answer for the next
                    raise
            except _UNAVAILABLE as error:
                raise ReadError("Something this needs is not answering. Please try again in a moment.") from error
            self._free.append(connection)
        return rows

    async def _connection(self) -> asyncpg.Connection:
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():
                return connection
        return await asyncpg.connect(
            self._url,
            timeout=WAIT_SECONDS,
            command_timeout=_SECONDS,
            server_settings={"timezone": "UTC", "default_transaction_read_only": "on"},
        )

    async def aclose(self) -> None:
        """Close what is open."""
        for connection in self._free:
            await connection.close(timeout=1)
