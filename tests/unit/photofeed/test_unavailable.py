"""What servers say while they are away or failing over is not taken for an error of the work."""

from types import SimpleNamespace
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
from photofeed.unavailable import is_unavailable, may_pass

parse: Any = BaseParser.parse_error  # the error that redis-py makes of a reply; it has no public name


FAILING_OVER = (
    *("READONLY", "LOADING", "OOM", "MISCONF", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK"),
    *("UNBLOCKED", "BUSY", "NOTBUSY"),
)


@pytest.mark.parametrize("code", FAILING_OVER)
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
        redis.exceptions.SlotNotCoveredError("Slot 7 not covered"),  # type: ignore[no-untyped-call]
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


class Refused(Exception):  # noqa: N818  named as the server's answer
    """What a driver raises for a SQLSTATE, with the function of PostgreSQL that reported it."""

    def __init__(self, sqlstate: str, source_function: str | None = None) -> None:
        super().__init__(sqlstate)
        self.sqlstate, self.diag = sqlstate, SimpleNamespace(source_function=source_function)


@pytest.mark.parametrize(
    "state", ["08006", "25006", "25P03", "40001", "40P01", "53100", "53300", "55P03", "57014", "57P01", "58030"]
)
def test_states_of_postgresql_that_pass(state: str) -> None:
    assert is_unavailable(Refused(state))
    assert is_unavailable(sqlalchemy.exc.DBAPIError("select 1", {}, Refused(state)))


@pytest.mark.parametrize("state", ["0A000", "22P02", "23505", "25001", "25P02", "28P01", "42P01", "55006", "XX000"])
def test_states_of_postgresql_that_do_not_pass(state: str) -> None:
    assert not is_unavailable(Refused(state, "ExecPrepare"))


def test_a_statement_that_was_prepared_before_a_migration_is_prepared_again() -> None:
    assert is_unavailable(Refused("0A000", "RevalidateCachedQuery"))


def test_other_work_that_may_succeed_later() -> None:
    assert may_pass(RetryableError("the machine was busy"))
    assert not is_unavailable(RetryableError("the machine was busy"))
