"""Who may write or delete a variant: equal pictures have equal variants, which are stored once for all their photos."""

from collections.abc import Iterable

from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

_HOLD = "select pg_advisory_xact_lock(hashtextextended(key, 0)) from unnest(%s::text[]) as held(key)"
_USED = "select 1 from photos where variants @> %s limit 1"


def hold(connection: Connection[DictRow], keys: Iterable[str]) -> None:
    """Be the only one to write, or to check and delete, these objects until the transaction ends.

    Without it an object might be deleted between being written for one photo and being seen as that photo's.
    """
    connection.execute(_HOLD, (sorted(set(keys)),))  # in one order, so that no two wait for each other


def is_used(connection: Connection[DictRow], key: str) -> bool:
    """Whether any photo has this variant."""
    return connection.execute(_USED, (Jsonb([{"key": key}]),)).fetchone() is not None
