"""The archive: engagement and served feeds as Parquet in object storage, partitioned by day and hour.

The raw history from which training sets and every feature can be made again. A part's name comes from the messages in
it, so that a batch handled twice overwrites itself; readers still drop repeated event ids, since after a crash the
same messages may come in other batches.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from photofeed.events import Action, EngagementEvent, Envelope, engagement_events
from photofeed.offline_store.contracts import Contract, Rule
from photofeed.offline_store.lake import Lake, LakeFolder
from photofeed.offline_store.quarantine import admit
from photofeed.offline_store.tables import ENGAGEMENT, FEED_SERVED

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
    """Writes batches of messages to the lake."""

    lake: Lake
    bucket: str

    def handle(self, envelopes: Sequence[Envelope]) -> None:
        """Write one part per table and hour that the batch touches."""
        now = datetime.now(UTC)
        engagement = [
            _engagement_row(e, now) for env in envelopes if env.type == "engagement" for e in engagement_events(env)
        ]
        served = [row for env in envelopes if env.type == "feed.served" for row in _served_rows(env)]
        part_id = hashlib.blake2b("".join(env.id for env in envelopes).encode(), digest_size=12).hexdigest()
        self._append(ENGAGEMENT, ENGAGEMENT_SCHEMA, "occurred_at", engagement, part_id)
        self._append(FEED_SERVED, SERVED_SCHEMA, "served_at", served, part_id)

    def _append(self, table: str, schema: pa.Schema, moment: str, rows: list[dict[str, Any]], part_id: str) -> None:
        if rows:
            good = admit(self.lake, self.bucket, CONTRACTS[table], pa.Table.from_pylist(rows, schema=schema))
            self.lake.append(LakeFolder(self.bucket, table), good, moment, part_id)


def _engagement_row(event: EngagementEvent, now: datetime) -> dict[str, Any]:
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
    }


def _served_rows(envelope: Envelope) -> list[dict[str, Any]]:
    slate = envelope.payload
    shadow = slate.get("shadow") or {"modelVersion": None, "scores": [None] * len(slate["items"])}
    return [
        {
            "slate_id": slate["slateId"],
            "user_id": slate["userId"],
            "post_id": item["postId"],
            "creator_id": item["creatorId"],
            "position": item["position"],
            "score": item["score"],
            "source": item["source"],
            "propensity": item["propensity"],
            "ranking": slate["ranking"],
            "model_version": slate["modelVersion"],
            "experiment": slate.get("experiment"),
            "arm": slate.get("arm"),
            "shadow_version": shadow["modelVersion"],
            "shadow_score": shadow_score,
            "served_at": datetime.fromisoformat(slate["servedAt"]),
            "ranked_at": datetime.fromisoformat(slate["rankedAt"]) if "rankedAt" in slate else None,
            "feature_names": slate.get("featureNames"),
            "features": item["features"],
        }
        for item, shadow_score in zip(slate["items"], shadow["scores"], strict=True)
    ]
