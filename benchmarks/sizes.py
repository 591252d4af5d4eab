"""How many bytes things take, for the sums of `photofeed size`. Prints a table, then one line of JSON.

Redis: MEMORY USAGE of keys with their values, mean of many. Kafka: messages as they are published, without compression.
PostgreSQL: tables with their indexes, per row, after inserting rows into the real schema. Photos: all files of those
that images.py makes.
"""

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np
from images import ALL_SIZES, SMALL, photographs
from photo_settings import LIMITS
from rich.console import Console
from rich.table import Table

from ingestion.photos.process import process_photo
from ingestion.photos.sizes import Outputs
from photofeed import database
from photofeed.embedded.stack import EmbeddedStack
from photofeed.events import Action, EngagementEvent, engagement_envelope
from photofeed.features.manifest import FeatureManifest
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.online_store.keys import KeyEncoder
from photofeed.online_store.schema import RowSchema
from photofeed.online_store.writer import PackedWriter
from photofeed.photo_sizes import PHOTO_PIXELS
from photofeed.posts import PostRef
from photofeed.redis_client import RedisClient, connect_redis
from photofeed.served_page import ServedItem, ServedPage
from photofeed.settings import Settings
from photofeed.timelines import TimelineWriter, timeline_key
from serving.feed.features import REASON_FEATURES
from serving.feed.pipeline import SLATE_LENGTH
from serving.feed.slate import SlateItems

ROWS, PAGE, BATCH, PHOTOS = 20_000, 30, 10, 4
SHOWN_PIXELS = PHOTO_PIXELS[1]  # the size that a feed shows on a telephone
SERVED = Path(__file__).parents[1] / "feature_repo" / "served" / "feed_ranker_v1.json"
FIRST_ID = 7 << 55
NOW = datetime(2026, 3, 1, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)


def redis_bytes(settings: Settings) -> dict[str, float]:
    """Bytes of an entry of a full timeline, of a whole slate, and of a feature row of each view."""
    with connect_redis(settings) as client:
        writer = TimelineWriter(client, settings.timeline_length)
        for number in range(settings.timeline_length):
            writer.add_to_followers(PostRef(FIRST_ID + number * 977, FIRST_ID, 1, NOW_MS + number), [1])
        figures = {"redisTimelineEntry": client.memory_usage(timeline_key(1)) / settings.timeline_length}
        client.set("slate", _slate().to_bytes())
        figures["redisSlate"] = client.memory_usage("slate")
        for view in FeatureManifest.from_json(SERVED.read_bytes()).views:
            figures[f"redisRow_{view.name}"] = _row_bytes(client, view.schema)
    return figures


def _slate() -> SlateItems:
    ids, scores = np.zeros(SLATE_LENGTH, np.int64), np.zeros(SLATE_LENGTH)
    features = np.zeros((SLATE_LENGTH, len(FEATURE_NAMES)), np.float32)
    reasons = np.zeros((SLATE_LENGTH, len(REASON_FEATURES)), np.float32)
    return SlateItems(ids, ids, ids.astype(np.int8), scores, scores, ids.astype(np.int8), reasons, features)


def _row_bytes(client: RedisClient, schema: RowSchema) -> float:
    """Memory of a row with its key."""
    ids = np.array([FIRST_ID], np.int64)
    entities = {key.name: ids for key in schema.join_keys}
    pipeline = client.pipeline(transaction=False)
    PackedWriter(schema).write(pipeline, entities, np.ones(1, schema.values_dtype), np.array([NOW_MS * 1_000]))
    pipeline.execute()
    (key,) = KeyEncoder(schema).encode(entities)
    return float(client.memory_usage(key))


def kafka_bytes() -> dict[str, float]:
    """Bytes of an event in a message of ten, and of a page of thirty posts in the served log."""
    events = [
        EngagementEvent(
            uuid4().hex,
            Action.IMPRESSION,
            FIRST_ID,
            FIRST_ID + 1,
            NOW,
            FIRST_ID + number,
            1,
            "photo",
            uuid4().hex,
            number,
            None,
            "following",
        )
        for number in range(BATCH)
    ]
    values = np.random.default_rng(1).lognormal(size=(PAGE, len(FEATURE_NAMES))).astype(np.float32)
    items = tuple(
        ServedItem(FIRST_ID + n, FIRST_ID + n, n, 0.123456789 * n, "following", "following", 1.0) for n in range(PAGE)
    )
    page = ServedPage(uuid4().hex, FIRST_ID, 0, "model", "7", None, None, NOW, NOW, items, FEATURE_NAMES, values)
    return {
        "kafkaEvent": len(engagement_envelope(FIRST_ID, events).encode()) / BATCH,
        "kafkaServedPage": len(page.to_envelope().encode()),
    }


# Rows as the API writes them; a follow, like or event belongs to people and posts that exist.
_INSERTS = {
    "users": "insert into users (id, handle, display_name, created_at) select n, 'person' || n, 'Person ' || n, now()"
    " from generate_series(1, %(rows)s) n",
    "follows": "insert into follows (follower_id, followee_id, created_at) select n, n %% %(rows)s + 1, now()"
    " from generate_series(1, %(rows)s) n",
    "likes": "insert into likes (user_id, post_id, created_at) select n, n, now() from generate_series(1, %(rows)s) n",
}


def postgres_bytes(settings: Settings) -> dict[str, float]:
    """Bytes of a person, a follow and a like, with indexes."""
    database.migrate(settings)
    figures = {}
    with database.connect(settings) as connection:
        connection.execute("set session_replication_role = replica")  # likes refer to posts that are not needed here
        for table, statement in _INSERTS.items():
            connection.execute(statement, {"rows": ROWS})
            for row in connection.execute("select pg_total_relation_size(%s) as bytes", (table,)):
                figures[f"postgres_{table}"] = row["bytes"] / ROWS
    return figures


def photo_bytes() -> dict[str, float]:
    """Bytes of all files of a photo of 12 megapixels, and of the one that a feed shows, in JPEG and in WebP."""
    every, shown = [], []
    with tempfile.TemporaryDirectory() as folder:
        for path in photographs(Path(folder), "JPEG", SMALL, PHOTOS):
            variants = process_photo(path.read_bytes(), LIMITS, Outputs(ALL_SIZES)).variants
            every.append(sum(len(variant.data) for variant in variants))
            shown.append(np.mean([len(variant.data) for variant in variants if variant.size == SHOWN_PIXELS]))
    return {"photoVariants": float(np.mean(every)), "photoShown": float(np.mean(shown))}


def main() -> None:
    """Measure everything."""
    with tempfile.TemporaryDirectory() as name, EmbeddedStack(Path(name) / "stack") as stack:
        settings = stack.settings()
        figures = redis_bytes(settings) | kafka_bytes() | postgres_bytes(settings) | photo_bytes()
    table = Table("what", "bytes", title="bytes of one")
    for name, value in figures.items():
        table.add_row(name, f"{value:,.0f}")
    Console().print(table)
    print(json.dumps({name: round(value) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
