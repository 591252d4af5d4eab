"""Reads from PostgreSQL, one statement and one round trip each, by asyncpg.

asyncpg takes rows off the wire in C and keeps statements prepared: what a feed reads costs the server half of the
processor time that it costs through psycopg and its pool (ADR 8). Whatever writes uses photofeed.database.
"""

import asyncio
import contextlib
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
# What a connection says that was closed at the other end, also while nobody looked.
_LOST = (
    ConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what came last was a farewell that nobody had asked for
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)
_UNAVAILABLE = (*_LOST, OSError, asyncpg.OperatorInterventionError, asyncpg.InsufficientResourcesError)


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
    """Up to `connections` connections, made when they are needed.

    One that fails is given up; what was asked of one that had been kept for long is asked once more of a new one.
    """

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
                kept = self._kept()
                if kept is not None:
                    with contextlib.suppress(*_LOST):
                        return await self._fetch(kept, statement, values)
                return await self._fetch(await self._connect(), statement, values)
            except _UNAVAILABLE as error:
                raise ReadError("Something this needs is not answering. Please try again in a moment.") from error

    def _kept(self) -> asyncpg.Connection | None:
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():
                return connection
        return None

    async def _connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(
            self._url,
            timeout=WAIT_SECONDS,
            command_timeout=_SECONDS,
            server_settings={"timezone": "UTC", "default_transaction_read_only": "on"},
        )

    async def _fetch(self, connection: asyncpg.Connection, statement: Statement, values: list[object]) -> list[Row]:
        try:
            rows: list[Row] = await connection.fetch(statement.text, *values)
        except BaseException:
            connection.terminate()  # whoever gave up waiting must not leave an answer for the next
            raise
        self._free.append(connection)
        return rows

    async def aclose(self) -> None:
        """Close what is open."""
        for connection in self._free:
            await connection.close(timeout=1)
