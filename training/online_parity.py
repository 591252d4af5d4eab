"""Do online and offline store agree: the same people and posts, read as a server does and joined for that moment."""

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from photofeed.features.ranking import StoredFeatures, ranking_matrix
from photofeed.features.ratios import MICROSECONDS
from photofeed.online_store.reader import PackedReader
from photofeed.settings import Settings
from training.impressions import Impressions
from training.point_in_time import EntityRows, features_known_at
from training.sources import Sources


def feature_differences(
    settings: Settings, sources: Sources, shown: Impressions, rows: int, now: datetime
) -> NDArray[np.float64]:
    """|online - offline| / max(1, |offline|) of every ranking feature for the newest impressions: (rows, features).

    0 where both are missing, infinite where one is.

    Raises:
        redis.RedisError: the online store does not answer.
    """
    newest = slice(max(len(shown) - rows, 0), len(shown))
    keys = {
        "user_id": shown.user_ids[newest],
        "post_id": shown.post_ids[newest],
        "creator_id": shown.creator_ids[newest],
        "topic_id": shown.topic_ids[newest],
    }
    count, seconds = len(keys["user_id"]), now.timestamp()
    known_us = np.full(count, round(seconds * MICROSECONDS), dtype=np.int64)
    entities = EntityRows(keys["user_id"], keys["post_id"], keys["creator_id"], keys["topic_id"], known_us)
    offline = features_known_at(sources.features, sources.manifest, entities)
    reader = PackedReader.from_url(
        settings.redis_url.get_secret_value(), [view.schema for view in sources.manifest.views], timeout_seconds=10
    )
    try:
        read = reader.read(keys)
    finally:
        reader.close()
    online = {
        f"{name}__{field}": view.values[field] for name, view in read.items() for field in view.values.dtype.names or ()
    }
    served, joined = (
        ranking_matrix(StoredFeatures(columns, sources.manifest, seconds), count).astype(np.float64)
        for columns in (online, offline)
    )
    difference = np.abs(served - joined) / np.maximum(1.0, np.abs(joined))
    both_missing = np.isnan(served) & np.isnan(joined)
    return np.where(both_missing, 0.0, np.nan_to_num(difference, nan=np.inf))
