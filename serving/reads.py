"""Reads from PostgreSQL with asyncpg: one statement and one round trip each; behind PgBouncer four.

asyncpg decodes rows in C and caches prepared statements: the reads of a feed take half the CPU time that psycopg and
its pool take (ADR 8). Code that writes uses photofeed.database.
"""

import asyncio
import re
from dataclasses import dataclass
from typing import Any

import asyncpg

from photofeed.database import WAIT_SECONDS
from photofeed.errors import UnavailableError
from photofeed.settings import Settings
from photofeed.unavailable import is_unavailable

Row = tuple[Any, ...]

_NAMED = re.compile(r"%\((\w+)\)s")
_SECONDS = 10.0  # time limit of a statement
UNAVAILABLE = "A service that this request needs is not responding. Please try again in a moment."
# Errors of a connection that the server closed, also while it was idle.
_LOST = (
    ConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the last message was the server's unrequested goodbye
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)


class ReadError(UnavailableError):
    """PostgreSQL cannot be reached, or did not answer in time."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with named parameters in psycopg's notation: %(name)s."""

    text: str
    names: tuple[str, ...]

    @staticmethod
    def of(text: str) -> "Statement":
        """The statement with numbered parameters, as PostgreSQL expects them."""
        names = tuple(dict.fromkeys(_NAMED.findall(text)))
        return Statement(_NAMED.sub(lambda found: f"${names.index(found[1]) + 1}", text), names)


class Reads:
    """A pool of up to `connections` connections, opened on demand.

    A connection that fails is closed. If an idle connection was lost, its statement is repeated on a new one.
    """

    def __init__(self, settings: Settings, connections: int = 10) -> None:
        self._url = settings.database_url.get_secret_value()
        self._shares_sessions = settings.shares_sessions
        self._permits = asyncio.Semaphore(connections)
        self._idle: list[asyncpg.Connection] = []

    async def rows(self, statement: Statement, **arguments: object) -> list[Row]:
        """All rows of a statement's result.

        Raises:
            ReadError: PostgreSQL cannot be reached, or did not answer in time.
        """
        values = [arguments[name] for name in statement.names]
        async with self._permits:
            try:
                idle = self._take_idle()
                if idle is not None:
                    try:
                        return await self._fetch(idle, statement, values)
                    except _LOST:
                        pass  # the server closed it while it was idle
                return await self._fetch(await self._connect(), statement, values)
            except asyncpg.ReadOnlySQLTransactionError:  # these connections never write: the statement is wrong
                raise
            except Exception as error:
                if isinstance(error, (*_LOST, OSError)) or is_unavailable(error):
                    raise ReadError(UNAVAILABLE) from error
                raise

    def _take_idle(self) -> asyncpg.Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None

    async def _connect(self) -> asyncpg.Connection:
        connection = await asyncpg.connect(
            self._url,
            timeout=WAIT_SECONDS,
            command_timeout=_SECONDS,
            server_settings={"timezone": "UTC"},
            **({"statement_cache_size": 0} if self._shares_sessions else {}),
        )
        if not self._shares_sessions:
            # not at the start: asyncpg would take the server for one that refuses target_session_attrs=read-write
            try:
                await connection.execute("set default_transaction_read_only = on")
            except BaseException:
                connection.terminate()
                raise
        return connection

    async def _fetch(self, connection: asyncpg.Connection, statement: Statement, values: list[object]) -> list[Row]:
        rows: list[Row]
        try:
            if self._shares_sessions:
                # asyncpg prepares and executes in two steps, which need the same session of PostgreSQL
                async with connection.transaction(readonly=True):
                    rows = await connection.fetch(statement.text, *values)
            else:
                rows = await connection.fetch(statement.text, *values)
        except BaseException:  # a late answer must not be read as the answer to the next statement
            connection.terminate()
            raise
        self._idle.append(connection)
        return rows

    async def aclose(self) -> None:
        """Close the idle connections."""
        for connection in self._idle:
            await connection.close(timeout=1)
