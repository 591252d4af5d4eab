"""What servers answer while they are away, full, or failing over: the work waits, and nothing is wrong with it.

This is the only place that decides it. Workers wait as long as `is_unavailable` says so, and the API answers 503.
"""

import re
import sys
from collections.abc import Iterator
from typing import Any

import psycopg

from photofeed.errors import RetryableError, UnavailableError

REDIS_CODES = {
    "READONLY": "the primary became a replica",
    "LOADING": "it reads its data after a start",
    "OOM": "its memory is full",
    "MISCONF": "its disk is full, so it refuses writes",
    "NOREPLICAS": "too few replicas are connected",
    "MASTERDOWN": "a replica has lost its primary",
    "CLUSTERDOWN": "slots of the cluster have no primary",
    "TRYAGAIN": "a slot moves to another node",
    "MOVED": "a slot has moved, and the client does not know it yet",
    "ASK": "a slot moves to another node",
    "UNBLOCKED": "the primary became a replica while a command waited",
    "BUSY": "a script runs",
    "NOTBUSY": "a script has just ended",
}
SQL_STATES = {
    "08": "the connection failed",
    "25006": "the primary became a replica: transactions are read-only",
    "25P03": "the server ended an idle transaction",
    "40": "the transaction lost against another one, or against the recovery of a replica",
    "53": "connections, memory or disk are used up",
    "55P03": "a lock is held for too long",
    "57": "the server shuts down, starts, or cancelled the statement",
    "58": "the disk or the operating system failed",
}

# SQLSTATE 0A000 is of what PostgreSQL does not support, and of a prepared statement whose columns a migration has
# changed. This function of PostgreSQL reports the latter; the next attempt prepares the statement again.
_CHANGED_PLAN = "RevalidateCachedQuery"

# The code of an error that redis-py has no class for is in its text, in a pipeline after the command.
_REDIS_CODE = re.compile(r"(?:^|caused error: )(?:-)?([A-Z]+)\b")


def is_unavailable(error: BaseException) -> bool:
    """Whether an error says that a server is away or failing over, not that the work is wrong."""
    return any(_is_unavailable(one) for one in _with_origin(error))


def may_pass(error: BaseException) -> bool:
    """Whether the same work may succeed later."""
    return isinstance(error, RetryableError) or is_unavailable(error)


def _is_unavailable(error: BaseException) -> bool:
    if isinstance(error, UnavailableError | psycopg.OperationalError):
        return True
    state = getattr(error, "sqlstate", None)  # of psycopg and asyncpg
    if isinstance(state, str):
        return state in SQL_STATES or state[:2] in SQL_STATES or _has_changed_plan(error)
    return _is_from_redis(error)


def _has_changed_plan(error: BaseException) -> bool:
    source = getattr(getattr(error, "diag", None), "source_function", None)  # of psycopg; asyncpg prepares again itself
    return source == _CHANGED_PLAN


def _with_origin(error: BaseException) -> Iterator[BaseException]:
    """The error, and the driver's error in one of SQLAlchemy, which Feast's registry uses."""
    yield error
    origin = getattr(error, "orig", None)
    if isinstance(origin, BaseException):
        yield origin


def _is_from_redis(error: BaseException) -> bool:
    redis: Any = sys.modules.get("redis")  # photo workers do not load its 7 MB
    if redis is None:
        return False
    if isinstance(error, redis.ConnectionError | redis.TimeoutError | redis.exceptions.SlotNotCoveredError):
        return True
    if not isinstance(error, redis.RedisError):
        return False
    found = _REDIS_CODE.search(str(error))
    codes = {getattr(error, "status_code", None), found[1] if found else None}
    return not codes.isdisjoint(REDIS_CODES)
