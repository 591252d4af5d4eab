"""Reads from a real PostgreSQL: correct rows, also after a lost connection or a cancelled read."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
import psycopg
import pytest

from photofeed.embedded.stack import EmbeddedStack
from photofeed.settings import Settings
from serving.reads import ReadError, Reads, Statement

PID = Statement.of("select pg_backend_pid()")
SLEEP = Statement.of("select pg_backend_pid(), pg_sleep(%(seconds)s)")


@pytest.fixture(scope="module")
def settings(stack: EmbeddedStack) -> Settings:
    return stack.settings()


@asynccontextmanager
async def opened(settings: Settings, connections: int = 2) -> AsyncIterator[Reads]:
    reads = Reads(settings, connections)
    try:
        yield reads
    finally:
        await reads.aclose()


def run(settings: Settings, story: Callable[[Reads], Awaitable[None]]) -> None:
    async def told() -> None:
        async with opened(settings) as reads:
            await story(reads)

    asyncio.run(told())


def test_a_parameter_named_twice_is_one_parameter(settings: Settings) -> None:
    statement = Statement.of("select %(one)s::bigint + %(one)s, %(two)s::text")
    assert statement.names == ("one", "two")

    async def story(reads: Reads) -> None:
        assert [tuple(row) for row in await reads.rows(statement, two="b", one=21)] == [(42, "b")]

    run(settings, story)


def test_a_connection_that_the_server_closed_is_replaced(settings: Settings) -> None:
    async def story(reads: Reads) -> None:
        ((before,),) = await reads.rows(PID)
        with psycopg.connect(settings.database_url.get_secret_value(), autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s)", (before,))
        ((after,),) = await reads.rows(PID)
        assert after != before

    run(settings, story)


def test_a_cancelled_read_leaves_no_answer_for_the_next_one(settings: Settings) -> None:
    async def story(reads: Reads) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await reads.rows(SLEEP, seconds=20.0)
        assert [tuple(row) for row in await reads.rows(Statement.of("select 7"))] == [(7,)]

    run(settings, story)


def test_more_readers_than_connections_take_turns(settings: Settings) -> None:
    async def story(reads: Reads) -> None:
        answers = await asyncio.gather(*(reads.rows(SLEEP, seconds=0.01) for _ in range(8)))
        assert len({pid for ((pid, _),) in answers}) == 2

    run(settings, story)


def test_nothing_can_be_written(settings: Settings) -> None:
    async def story(reads: Reads) -> None:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await reads.rows(Statement.of("create table written (id int)"))

    run(settings, story)


def test_an_unreachable_database_is_reported_in_plain_words(settings: Settings) -> None:
    nowhere = settings.model_copy(
        update={"database_url": type(settings.database_url)("postgresql://x:y@127.0.0.1:9/z")}
    )

    async def story(reads: Reads) -> None:
        with pytest.raises(ReadError, match="not responding"):
            await reads.rows(PID)

    run(nowhere, story)
