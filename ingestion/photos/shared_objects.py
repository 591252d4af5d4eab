"""Locks on variants. Photos with equal pictures share their variants, which are stored once."""

from collections.abc import Iterable

from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

_HOLD = "select pg_advisory_xact_lock(hashtextextended(key, 0)) from unnest(%s::text[]) as held(key)"
_USED = "select 1 from photos where variants @> %s limit 1"


def hold(connection: Connection[DictRow], keys: Iterable[str]) -> None:
    """Lock the names of objects until the transaction ends: others wait to write them, or to check and delete them.

    Without the lock, an object could be deleted after it was written for a photo and before that photo's row names it.
    """
    connection.execute(_HOLD, (sorted(set(keys)),))  # in one order, so that there is no deadlock


def is_used(connection: Connection[DictRow], key: str) -> bool:
    """Whether any photo has this variant."""
    return connection.execute(_USED, (Jsonb([{"key": key}]),)).fetchone() is not None
