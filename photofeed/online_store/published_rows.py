"""The stream on which writers publish the rows that they write, for processes that keep rows (hot_rows.py).

Views with one integer join key are published: those of posts and people, whose rows many requests read. An entry has
up to ROWS_PER_ENTRY rows of one layout, or says that a view was rewritten and has to be forgotten. Entries are added
once the rows are written. The stream is bounded; a reader that falls behind it notices by the oldest entry.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster
from redis.cluster import RedisCluster

from photofeed.online_store.keys import INTEGER_TYPES, view_tag
from photofeed.online_store.schema import RowSchema

STREAM: Final = "rows:published"
MOST_ENTRIES: Final = 1_000
"""About how many entries the stream keeps: 20 MB of full ones."""
ROWS_PER_ENTRY: Final = 128
MOST_ROWS: Final = 2_000
"""A larger write is published as a rewritten view: reading rows again costs less than sending them to every server."""
_VIEW, _IDS, _ROWS = b"view", b"ids", b"rows"
_ID_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class PublishedRows:
    """One entry: k rows of a view in one layout, in the order in which they were written.

    Attributes:
        view: the tag of project and view (keys.py).
        ids: (k,) int64, their entities; empty if the view was rewritten.
        rows: the k rows, all of one size.
    """

    view: bytes
    ids: NDArray[np.int64]
    rows: bytes

    @property
    def size(self) -> int:
        """Bytes of a row."""
        return len(self.rows) // len(self.ids)


def is_published(schema: RowSchema) -> bool:
    """Whether writers publish the rows of this view."""
    keys = schema.join_keys
    return len(keys) == 1 and keys[0].value_type in INTEGER_TYPES and not schema.variable_fields


Publication = list[tuple[bytes, ...]]
"""Entries of the stream, as fields and values in turns."""


def publication(schema: RowSchema, keys: Sequence[bytes], values: Sequence[bytes]) -> Publication:
    """What to publish of rows once they are written; nothing if the view is not published."""
    if not is_published(schema) or not keys:
        return []
    if len(keys) > MOST_ROWS:
        return rewritten(schema)
    tag = view_tag(schema.project, schema.view)
    entries: Publication = []
    for start in range(0, len(keys), ROWS_PER_ENTRY):
        part = slice(start, start + ROWS_PER_ENTRY)
        ids = b"".join(key[len(tag) :] for key in keys[part])
        entries.append((_VIEW, tag, _IDS, ids, _ROWS, b"".join(values[part])))
    return entries


def rewritten(schema: RowSchema) -> Publication:
    """What to publish once rows of a view were replaced or removed, whatever their age."""
    return [(_VIEW, view_tag(schema.project, schema.view))] if is_published(schema) else []


def publish(client: Any, entries: Publication) -> None:
    """Publish rows that have been written: not in the same pipeline, in which another node of a cluster may be first.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    if entries:
        _pipeline(client, entries).execute()


async def publish_async(client: Any, entries: Publication) -> None:
    """`publish`, without blocking the event loop."""
    if entries:
        await _pipeline(client, entries).execute()


def _pipeline(client: Any, entries: Publication) -> Any:
    is_cluster = isinstance(client, RedisCluster | AsyncRedisCluster)
    pipeline = client.pipeline(**{} if is_cluster else {"transaction": False})
    for fields in entries:
        pipeline.execute_command("XADD", STREAM, "MAXLEN", "~", MOST_ENTRIES, "*", *fields)
    return pipeline


def published_rows(fields: Mapping[bytes, bytes]) -> PublishedRows:
    """An entry of the stream.

    Raises:
        ValueError: it is damaged, or of a form that this release cannot read.
    """
    view, ids, rows = fields.get(_VIEW), fields.get(_IDS, b""), fields.get(_ROWS, b"")
    count, rest = divmod(len(ids), _ID_BYTES)
    if view is None or rest or bool(count) != bool(rows) or (count and len(rows) % count):
        raise ValueError(f"an entry of {STREAM} with fields {sorted(fields)} cannot be read")
    return PublishedRows(view, np.frombuffer(ids, "<i8"), rows)
