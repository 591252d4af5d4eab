"""The archive: engagement and served feeds as Parquet in object storage, partitioned by day and hour.

It is the raw history from which training sets and all features can be computed again. The name of a part is derived
from its messages, so a batch that is handled twice overwrites itself. Event ids still repeat, because after a crash the
same messages may come in other batches, and because clients repeat requests. Readers take the copy of an event that is
first in the log, as the features worker does: another copy may have another time.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from photofeed.erasures import ErasedAmong, nobody
from photofeed.events import Action, EngagementEvent, Envelope, engagement_events
from photofeed.offline_store.contracts import Contract, Rule
from photofeed.offline_store.lake import Lake, LakeFolder
from photofeed.offline_store.quarantine import QUARANTINED, admit
from photofeed.offline_store.tables import ENGAGEMENT, FEED_SERVED
from photofeed.served_page import MESSAGE_TYPE as SERVED_PAGE
from photofeed.served_page import ServedPage

MOMENT = pa.timestamp("us", tz="UTC")

ENGAGEMENT_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("action", pa.string()),
        ("user_id", pa.int64()),
        ("creator_id", pa.int64()),
        ("post_id", pa.int64()),
        ("topic_id", pa.int64()),
        ("content_type", pa.string()),
        ("slate_id", pa.string()),
        ("position", pa.int32()),
        ("dwell_ms", pa.int32()),
        ("source", pa.string()),
        ("occurred_at", MOMENT),
        ("archived_at", MOMENT),
        ("log_offset", pa.int64()),  # of its message, among those of the same user; null if it was never in the log
        ("imported", pa.bool_()),  # whether `photofeed import` wrote it: only a backfill counts it, no worker
    ]
)

SERVED_SCHEMA = pa.schema(
    [
        ("slate_id", pa.string()),
        ("user_id", pa.int64()),
        ("post_id", pa.int64()),
        ("creator_id", pa.int64()),
        ("position", pa.int32()),
        ("score", pa.float64()),
        ("source", pa.string()),
        ("pool", pa.string()),
        ("propensity", pa.float64()),
        ("ranking", pa.string()),
        ("model_version", pa.string()),
        ("experiment", pa.string()),
        ("arm", pa.string()),
        ("shadow_version", pa.string()),
        ("shadow_score", pa.float64()),
        ("served_at", MOMENT),
        ("ranked_at", MOMENT),
        ("feature_names", pa.list_(pa.string())),
        ("features", pa.list_(pa.float32())),
    ]
)

_A_DAY_MS = 86_400_000
_PEOPLE = ("user_id", "creator_id")  # the columns that name a person

CONTRACTS = {
    ENGAGEMENT: Contract(
        ENGAGEMENT,
        (
            Rule("id", required=True),
            Rule("action", required=True, among=frozenset(Action)),
            Rule("user_id", required=True, low=1),
            Rule("creator_id", required=True, low=1),
            Rule("post_id", low=1),
            Rule("position", low=0),
            Rule("dwell_ms", low=0, high=_A_DAY_MS),
            Rule("log_offset", low=0),
            Rule("occurred_at", required=True, moment=True),
        ),
    ),
    FEED_SERVED: Contract(
        FEED_SERVED,
        (
            Rule("slate_id", required=True),
            Rule("user_id", required=True, low=1),
            Rule("post_id", required=True, low=1),
            Rule("creator_id", required=True, low=1),
            Rule("position", required=True, low=0),
            Rule("propensity", required=True, low=0, high=1),
            Rule("ranking", required=True),
            Rule("served_at", required=True, moment=True),
            Rule("ranked_at", moment=True),
        ),
    ),
}


@dataclass(slots=True)
class Archive:
    """Writes batches of messages to the lake, except what is about people who deleted their account."""

    lake: Lake
    bucket: str
    erased: ErasedAmong = nobody

    def __post_init__(self) -> None:
        for table in CONTRACTS:
            QUARANTINED.labels(table)  # from zero on, for alerts

    def handle(self, envelopes: Sequence[Envelope]) -> None:
        """Write one part per table and hour that the batch touches."""
        now = datetime.now(UTC)
        engagement: dict[str, dict[str, Any]] = {}
        for envelope in envelopes:
            if envelope.type == "engagement":
                for event in engagement_events(envelope):
                    engagement.setdefault(event.id, _engagement_row(event, now, envelope.offset))
        pages = [ServedPage.from_envelope(env) for env in envelopes if env.type == SERVED_PAGE]
        served = [row for page in pages for row in _served_rows(page)]
        part_id = hashlib.blake2b("".join(env.id for env in envelopes).encode(), digest_size=12).hexdigest()
        self._append(ENGAGEMENT, ENGAGEMENT_SCHEMA, "occurred_at", list(engagement.values()), part_id)
        self._append(FEED_SERVED, SERVED_SCHEMA, "served_at", served, part_id)

    def _append(self, table: str, schema: pa.Schema, moment: str, rows: list[dict[str, Any]], part_id: str) -> None:
        gone = self.erased({row[column] for row in rows for column in _PEOPLE})
        rows = [row for row in rows if not gone.intersection(row[column] for column in _PEOPLE)]
        if rows:
            good = admit(self.lake, self.bucket, CONTRACTS[table], pa.Table.from_pylist(rows, schema=schema))
            self.lake.append(LakeFolder(self.bucket, table), good, moment, part_id)


def _engagement_row(event: EngagementEvent, now: datetime, offset: int | None) -> dict[str, Any]:
    return {
        "id": event.id,
        "action": event.action.value,
        "user_id": event.user_id,
        "creator_id": event.creator_id,
        "post_id": event.post_id,
        "topic_id": event.topic_id,
        "content_type": event.content_type,
        "slate_id": event.slate_id,
        "position": event.position,
        "dwell_ms": event.dwell_ms,
        "source": event.source,
        "occurred_at": event.occurred_at,
        "archived_at": now,
        "log_offset": offset,
        "imported": False,
    }


def _served_rows(page: ServedPage) -> list[dict[str, Any]]:
    features = _with_nulls(page.features)
    shadow_scores = _with_nulls(page.shadow.scores) if page.shadow else [None] * len(page.items)
    return [
        {
            "slate_id": page.slate_id,
            "user_id": page.user_id,
            "post_id": item.post_id,
            "creator_id": item.creator_id,
            "position": item.position,
            "score": item.score,
            "source": item.source,
            "pool": item.pool,
            "propensity": item.propensity,
            "ranking": page.ranking,
            "model_version": page.model_version,
            "experiment": page.experiment,
            "arm": page.arm,
            "shadow_version": page.shadow.model_version if page.shadow else None,
            "shadow_score": shadow_score,
            "served_at": page.served_at,
            "ranked_at": page.ranked_at,
            "feature_names": page.feature_names,
            "features": row,
        }
        for item, row, shadow_score in zip(page.items, features, shadow_scores, strict=True)
    ]


def _with_nulls(values: NDArray[np.floating[Any]]) -> list[Any]:
    """An array as (nested) lists, with None for NaN."""
    objects: NDArray[Any] = values.astype(object)
    objects[np.isnan(values)] = None
    return list(objects.tolist())
