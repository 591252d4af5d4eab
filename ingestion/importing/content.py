"""Content features of imported items: their history and their online rows, in bulk."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ingestion.bootstrap.engagement import CountingAlone
from ingestion.engagement.post_content import post_content_columns
from photofeed.offline_store.columns import MOMENT, conform
from photofeed.offline_store.contracts import EARLIEST, feature_contract
from photofeed.offline_store.lake import LakeFolder
from photofeed.offline_store.quarantine import admit
from photofeed.online_store.feast_schema import row_schema
from photofeed.online_store.published_rows import publish
from photofeed.online_store.writer import PackedWriter
from photofeed.posts import ITEM, PostRef, PublishedPost
from photofeed.times import MICROSECONDS

if TYPE_CHECKING:
    import duckdb

VIEW = "post_content"
_ROWS_AT_ONCE = 10_000
_MOMENTS = ("event_timestamp", "created")
_PART_ID_BYTES = 12
# In order of time, so that each batch has few hours.
_ITEMS = """
select k.id, k.author_id, k.topic_id, t.created_at, length(coalesce(t.title, '')), coalesce(len(t.tags), 0)
from judged_items t join known_items k on k.external = t.item_id
where t.reason is null order by t.created_at, k.id
"""


def write_content(connection: "duckdb.DuckDBPyConnection", alone: CountingAlone) -> None:
    """Write the view `post_content` of the items of `judged_items`. May be repeated: the same rows replace themselves.

    Raises:
        RetryableError: object storage cannot be reached.
        redis.RedisError: Redis cannot be reached.
    """
    view = alone.store.get_feature_view(VIEW)
    folder = LakeFolder.from_uri(view.batch_source.path)
    schema = alone.lake.schema(folder)
    contract = feature_contract(VIEW, schema, view.join_keys, _MOMENTS)
    writer = PackedWriter(row_schema(view, alone.store.project))
    for posts in _posts(connection):
        columns = post_content_columns(posts, datetime.now(UTC))
        ids = "".join(str(post.ref.post_id) for post in posts)
        part_id = hashlib.blake2b(ids.encode(), digest_size=_PART_ID_BYTES).hexdigest()
        rows = conform(pa.table(columns | {name: pa.array(columns[name], MOMENT) for name in _MOMENTS}), schema)
        alone.lake.append(folder, admit(alone.lake, folder.bucket, contract, rows), _MOMENTS[0], part_id)
        moments = [_microseconds(columns[name]) for name in _MOMENTS]
        pipeline = alone.client.pipeline(transaction=False)
        written = writer.write(pipeline, columns, columns, *moments, keep_newest=True)
        pipeline.execute()
        publish(alone.client, written)


def _posts(connection: "duckdb.DuckDBPyConnection") -> Iterator[list[PublishedPost]]:
    found = connection.cursor().execute(_ITEMS)
    while rows := found.fetchmany(_ROWS_AT_ONCE):
        yield [_post(*row) for row in rows]


def _post(post_id: int, author_id: int, topic_id: int, at_us: int | None, title: int, tags: int) -> PublishedPost:
    posted_ms = round(EARLIEST.timestamp() * 1000) if at_us is None else at_us * 1000 // MICROSECONDS
    return PublishedPost(
        ref=PostRef(post_id, author_id, topic_id, posted_ms),
        content_type=ITEM,
        caption_length=title,
        tag_count=tags,
        public=False,
        imported=True,
        aspect=0.0,
        sharpness=0.0,
        brightness=0.0,
        entropy=0.0,
    )


def _microseconds(moments: list[datetime]) -> Any:
    return np.array([round(moment.timestamp() * MICROSECONDS) for moment in moments], np.int64)
