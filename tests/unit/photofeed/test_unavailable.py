"""What servers say while they are away or failing over is not taken for an error of the work."""

from typing import Any

import asyncpg
import psycopg
import pytest
import redis
import sqlalchemy.exc
from psycopg import errors as postgres
from psycopg_pool import PoolTimeout
from redis._parsers.base import BaseParser

from photofeed.errors import InvalidError, RetryableError, UnavailableError
from photofeed.unavailable import REDIS_CODES, is_unavailable, may_pass

parse: Any = BaseParser.parse_error  # the error that redis-py makes of a reply; it has no public name


@pytest.mark.parametrize("code", REDIS_CODES)
def test_redis_failing_over_alone_and_in_a_pipeline(code: str) -> None:
    error = parse(f"{code} 3999 127.0.0.1:6381")
    assert is_unavailable(error)
    pipeline: Any = redis.Redis().pipeline()
    pipeline.annotate_exception(error, 1, ("SET", "WRONGTYPE"))
    assert is_unavailable(error)


@pytest.mark.parametrize(
    "reply", ["WRONGTYPE Operation against a key", "ERR syntax error", "NOSCRIPT none", "NOPERM no", "EXECABORT x"]
)
def test_a_wrong_command_is_not_redis_failing_over(reply: str) -> None:
    assert not is_unavailable(parse(reply))


@pytest.mark.parametrize(
    "error",
    [
        postgres.ReadOnlySqlTransaction("cannot execute UPDATE in a read-only transaction"),
        postgres.AdminShutdown(),
        postgres.CrashShutdown(),
        postgres.CannotConnectNow(),
        postgres.TooManyConnections(),
        postgres.DiskFull(),
        postgres.DeadlockDetected(),
        postgres.SerializationFailure(),
        postgres.IoError(),
        psycopg.OperationalError("connection refused"),
        PoolTimeout(),
        asyncpg.CannotConnectNowError("starting"),
        asyncpg.TooManyConnectionsError("full"),
        asyncpg.SerializationError("conflict with recovery"),
        sqlalchemy.exc.DBAPIError("select 1", {}, postgres.AdminShutdown()),
        redis.ConnectionError(),
        redis.TimeoutError(),
        UnavailableError("away"),
    ],
    ids=repr,
)
def test_a_server_that_is_away(error: Exception) -> None:
    assert is_unavailable(error)


@pytest.mark.parametrize(
    "error",
    [
        postgres.UniqueViolation(),
        postgres.UndefinedTable(),
        asyncpg.UndefinedColumnError("no"),
        sqlalchemy.exc.DBAPIError("select 1", {}, postgres.UndefinedTable()),
        InvalidError("wrong"),
        ZeroDivisionError(),
    ],
    ids=repr,
)
def test_wrong_work(error: Exception) -> None:
    assert not is_unavailable(error)
    assert not may_pass(error)


def test_other_work_that_may_succeed_later() -> None:
    assert may_pass(RetryableError("the machine was busy"))
    assert not is_unavailable(RetryableError("the machine was busy"))
