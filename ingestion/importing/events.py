"""Impressions, actions and follows as engagement in the lake, in bulk and in order of time."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ingestion.archive import CONTRACTS, ENGAGEMENT_SCHEMA
from photofeed.events import Action, event_id
from photofeed.offline_store.lake import Lake, LakeFolder
from photofeed.offline_store.quarantine import admit
from photofeed.offline_store.tables import ENGAGEMENT

if TYPE_CHECKING:
    import duckdb

ROWS_AT_ONCE = 200_000
SOURCE = "import"
_DAY_US = 86_400_000_000
_PART_ID_BYTES = 12

# The ids of events: the action and the file's own id. An action without a slate gets that of the impression before it.
_IMPRESSIONS = f"""
select u.id as user_id, p.author_id as creator_id, p.id as post_id, p.topic_id, p.content_type,
    '{Action.IMPRESSION}' as action, e.slate_id, e.position, null as dwell_ms, e.occurred_at as occurred_us,
    '{Action.IMPRESSION}:' || coalesce(e.id, e.slate_id || ':' || e.item_id) as own_id
from judged_impressions e join known_users u on u.external = e.user_id join known_items p on p.external = e.item_id
where e.reason is null
"""  # noqa: S608  made of our own names only
_SLATES = "select user_id, item_id, occurred_at, slate_id from judged_impressions where reason is null"
_ACTIONS = f"""
select u.id as user_id, p.author_id as creator_id, p.id as post_id, p.topic_id, p.content_type, e.action,
    coalesce(e.slate_id, case when e.occurred_at - shown.occurred_at <= {_DAY_US} then shown.slate_id end) as slate_id,
    null as position, e.dwell_ms, e.occurred_at as occurred_us,
    e.action || ':' || coalesce(e.id, concat_ws(':', e.item_id, e.occurred_at, e.slate_id)) as own_id
from judged_actions e
asof left join ({_SLATES}) shown
    on shown.user_id = e.user_id and shown.item_id = e.item_id and e.occurred_at >= shown.occurred_at
join known_users u on u.external = e.user_id join known_items p on p.external = e.item_id
where e.reason is null
"""  # noqa: S608
_FOLLOWS = f"""
select u.id as user_id, followed.id as creator_id, null as post_id, null as topic_id, null as content_type,
    '{Action.FOLLOW}' as action, null as slate_id, null as position, null as dwell_ms, e.created_at as occurred_us,
    '{Action.FOLLOW}:' || followed.id as own_id
from judged_follows e join known_users u on u.external = e.follower_id
join known_users followed on followed.external = e.followee_id where e.reason is null
"""  # noqa: S608
_ALL = f"({_IMPRESSIONS}) union all by name ({_ACTIONS}) union all by name ({_FOLLOWS})"


def event_count(connection: "duckdb.DuckDBPyConnection") -> int:
    """Number of events that the judged rows make."""
    (count,) = connection.execute(
        """select (select count(*) from judged_impressions where reason is null)
            + (select count(*) from judged_actions where reason is null)
            + (select count(*) from judged_follows where reason is null)"""
    ).fetchone() or (0,)
    return int(count)


def write_events(
    connection: "duckdb.DuckDBPyConnection", lake: Lake, bucket: str, begin: int, done: Callable[[int], None]
) -> None:
    """Append the events of the judged rows to the engagement log, from the event with number `begin` on.

    The same files make the same events in the same order, so an interrupted import goes on where it ended. What is
    written twice has the same ids, which readers count once. `done` is called with the number of events in the lake.

    Raises:
        RetryableError: object storage cannot be reached.
    """
    query = f"select * from ({_ALL}) order by occurred_us, user_id, own_id"  # noqa: S608
    reader = connection.cursor().sql(query).to_arrow_reader(ROWS_AT_ONCE)
    written, folder = 0, LakeFolder(bucket, ENGAGEMENT)
    for batch in reader:
        before, written = written, written + len(batch)
        if written <= begin:
            continue
        rows = _engagement(batch.slice(max(begin - before, 0)), datetime.now(UTC))
        part_id = hashlib.blake2b("".join(rows["id"].to_pylist()).encode(), digest_size=_PART_ID_BYTES).hexdigest()
        lake.append(folder, admit(lake, bucket, CONTRACTS[ENGAGEMENT], rows), "occurred_at", part_id)
        done(written)


def _engagement(batch: Any, now: datetime) -> pa.Table:
    """Rows of the engagement log, (rows,), of the columns of the query."""
    ids = map(event_id, batch["user_id"].to_pylist(), batch["own_id"].to_pylist())
    given = {
        "id": pa.array(ids, pa.string()),
        "source": pa.array([SOURCE] * len(batch), pa.string()),
        "occurred_at": batch["occurred_us"].cast(pa.int64()).cast(pa.timestamp("us", tz="UTC")),
        "archived_at": pa.array([now] * len(batch), pa.timestamp("us", tz="UTC")),
        "log_offset": pa.nulls(len(batch), pa.int64()),
        "imported": pa.array([True] * len(batch)),
    }
    columns = [
        given[field.name] if field.name in given else batch[field.name].cast(field.type) for field in ENGAGEMENT_SCHEMA
    ]
    return pa.Table.from_arrays(columns, schema=ENGAGEMENT_SCHEMA)
