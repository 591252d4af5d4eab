"""A random week of slates, their engagement and the history of every feature view, written to a lake.

Users have tastes for topics and posts have a quality. Both determine the engagement, and both are visible in the
features with noise.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ingestion.archive import ENGAGEMENT_SCHEMA, MOMENT
from photofeed.arrays import FloatArray
from photofeed.events import Action
from photofeed.features.counters import AS_OF_FIELD
from photofeed.features.manifest import FeatureManifest, ManifestView
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.offline_store.lake import Lake, LakeFolder
from photofeed.offline_store.tables import ENGAGEMENT, FEATURES, FEED_SERVED
from training.data.window import Window

WEEK = Window(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC))
HOUR_US = 3_600_000_000
STEP_US = 2_000_000  # between the impressions of consecutive posts of a slate
SLATE_LENGTHS = (10, 50)
ROWS_PER_USER, ROWS_PER_POST, USERS_PER_CREATOR, TOPICS = 600, 100, 5, 50
SNAPSHOTS = 4  # rows of every entity's features, at multiples of SNAPSHOT_HOURS
SNAPSHOT_HOURS = 6
# the least utility for each action
THRESHOLDS = {Action.DWELL: 0.9, Action.LIKE: 1.5, Action.SAVE: 2.4, Action.SHARE: 3.0}
PIXELS = ("aspect", "sharpness", "brightness", "entropy", "caption_length", "tag_count")

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class World:
    """One row per impression (rows,), and the hidden variables: tastes (users, topics) and quality (posts,)."""

    slates: Ints
    users: Ints
    posts: Ints
    positions: Ints
    seen_us: Ints
    tastes: FloatArray
    quality: FloatArray
    creators: int

    @staticmethod
    def of(rows: int, seed: int = 0) -> "World":
        """Draw about `rows` impressions. A post drawn twice for a slate is kept once."""
        rng = np.random.default_rng(seed)
        people, posts = max(rows // ROWS_PER_USER, 60), max(rows // ROWS_PER_POST, 500)
        lengths = rng.integers(SLATE_LENGTHS[0], SLATE_LENGTHS[1] + 1, 2 * rows // sum(SLATE_LENGTHS))
        slates = np.repeat(np.arange(len(lengths)), lengths)
        shown = (posts * rng.random(len(slates)) ** 1.5).astype(np.int64)  # heavy-tailed
        _, kept = np.unique(slates * posts + shown, return_index=True)
        kept.sort()
        slates, shown = slates[kept], shown[kept]
        positions = np.arange(len(slates)) - np.searchsorted(slates, slates)
        began = rng.integers(*_microseconds(WEEK), len(lengths))
        return World(
            slates=slates,
            users=(people * rng.random(len(lengths)) ** 1.5).astype(np.int64)[slates],
            posts=shown,
            positions=positions,
            seen_us=began[slates] + positions * STEP_US,
            tastes=rng.normal(size=(people, TOPICS)),
            quality=rng.normal(size=posts),
            creators=max(people // USERS_PER_CREATOR, 20),
        )

    def write(self, lake: Lake, bucket: str, manifest: FeatureManifest) -> None:
        """Write the engagement log, and the history of every view of the manifest."""
        rng = np.random.default_rng(1)
        log = pa.concat_tables(self._engagement(rng))
        lake.append(LakeFolder(bucket, ENGAGEMENT), log, "occurred_at")
        for view in manifest.views:
            folder = LakeFolder(bucket, f"{FEATURES}/{view.name}")
            lake.append(folder, self._history(view, lake.schema(folder), rng), "event_timestamp")

    def write_served(self, lake: Lake, bucket: str, matrix: NDArray[np.float32]) -> None:
        """Write the served log as if every slate had been ranked by these features just before it was seen.

        `matrix`, (rows, features), is in the order of a dataset: by start of the slate, then slate, then position.
        """
        began_us = self.seen_us - self.positions * STEP_US
        order = np.lexsort((self.positions, self.slates, began_us))
        ends = np.flatnonzero(np.diff(began_us[order] // HOUR_US, append=-1)) + 1
        for first, end in zip([0, *ends[:-1]], ends, strict=True):
            rows, count = order[first:end], end - first
            names = pa.DictionaryArray.from_arrays(np.tile(np.arange(len(FEATURE_NAMES)), count), FEATURE_NAMES)
            bounds = np.arange(count + 1, dtype=np.int32) * len(FEATURE_NAMES)
            ranked_at = pa.array(began_us[rows] - 1).cast(MOMENT)
            columns = {
                "slate_id": _slate_ids(self.slates[rows]),
                "user_id": self.users[rows] + 1,
                "post_id": self.posts[rows] + 1,
                "creator_id": self.posts[rows] % self.creators + 1,
                "position": self.positions[rows].astype(np.int32),
                "ranking": pa.repeat("model", count),
                "propensity": pa.repeat(1.0, count),
                "served_at": ranked_at,
                "ranked_at": ranked_at,
                "feature_names": pa.ListArray.from_arrays(bounds, names),
                "features": pa.ListArray.from_arrays(bounds, pa.array(matrix[first:end].ravel())),
            }
            lake.append(LakeFolder(bucket, FEED_SERVED), pa.table(columns), "served_at")

    def _engagement(self, rng: np.random.Generator) -> list[pa.Table]:
        utility = self.tastes[self.users, self.posts % TOPICS] + 0.7 * self.quality[self.posts]
        utility += rng.normal(scale=0.7, size=len(utility))
        tables = [self._events(Action.IMPRESSION, np.arange(len(utility)))]
        tables += [self._events(action, np.flatnonzero(utility > least)) for action, least in THRESHOLDS.items()]
        return tables

    def _events(self, action: Action, rows: Ints) -> pa.Table:
        numbers = pc.cast(pa.array(rows), pa.string())
        columns: dict[str, Any] = {
            "id": pc.binary_join_element_wise(pa.scalar(action.value), numbers, "-"),
            "action": pa.repeat(action.value, len(rows)),
            "user_id": self.users[rows] + 1,
            "creator_id": self.posts[rows] % self.creators + 1,
            "post_id": self.posts[rows] + 1,
            "topic_id": self.posts[rows] % TOPICS + 1,
            "content_type": pa.repeat("photo", len(rows)),
            "slate_id": _slate_ids(self.slates[rows]),
            "position": self.positions[rows].astype(np.int32),
            "dwell_ms": pa.repeat(pa.scalar(5000 if action is Action.DWELL else None, pa.int32()), len(rows)),
            "source": pa.repeat("following", len(rows)),
            "occurred_at": pa.array(self.seen_us[rows] + 1_000_000 * (action is not Action.IMPRESSION)).cast(
                ENGAGEMENT_SCHEMA.field("occurred_at").type
            ),
            "archived_at": pa.nulls(len(rows), MOMENT),
            "log_offset": pa.nulls(len(rows), pa.int64()),
            "imported": pa.nulls(len(rows), pa.bool_()),
        }
        return pa.table(columns, schema=ENGAGEMENT_SCHEMA)

    def _history(self, view: ManifestView, schema: pa.Schema, rng: np.random.Generator) -> pa.Table:
        keys, affinity = self._entities({key.name for key in view.schema.join_keys}, rng)
        keys = {name: np.tile(ids, SNAPSHOTS) for name, ids in keys.items()}
        affinity = np.tile(affinity, SNAPSHOTS)
        first, end = _microseconds(WEEK)
        # one row per stretch of the week, the first at its start, so that every entity is known and no time repeats
        step = SNAPSHOT_HOURS * HOUR_US
        stretch = (end - first) // step // SNAPSHOTS
        number = np.repeat(np.arange(SNAPSHOTS), len(affinity) // SNAPSHOTS)
        at = first - 24 * HOUR_US + (number * stretch + rng.integers(0, stretch, len(number)) * (number > 0)) * step
        impressions = rng.gamma(1.0, 20.0, len(at))
        willing = 1 / (1 + np.exp(-affinity))
        columns: dict[str, Any] = dict(keys)
        for field in view.schema.fields:
            if field.name == AS_OF_FIELD:
                columns[field.name] = at
            elif field.name == "posted_at":
                columns[field.name] = np.full(len(at), first - 24 * HOUR_US)
            elif field.name in ("author_id", "topic_id", "is_reel"):
                columns[field.name] = keys["post_id"] % 2
            elif field.name in PIXELS:
                columns[field.name] = rng.normal(size=len(at)).astype(np.float32)
            elif field.name.startswith("impressions"):
                columns[field.name] = impressions
            else:
                columns[field.name] = impressions * willing * rng.uniform(0.1, 0.5, len(at))
        columns["event_timestamp"] = columns["created"] = at
        return pa.table({field.name: pa.array(columns[field.name]).cast(field.type) for field in schema})

    def _entities(self, keys: set[str], rng: np.random.Generator) -> tuple[dict[str, Ints], FloatArray]:
        """The entities with rows in a view of these join keys, and their affinity: the logit of engagement."""
        people, posts = len(self.tastes), len(self.quality)
        if keys == {"post_id"}:
            return {"post_id": np.arange(posts) + 1}, self.quality
        if keys == {"creator_id"}:
            return {"creator_id": np.arange(self.creators) + 1}, rng.normal(size=self.creators)
        if keys == {"user_id"}:
            return {"user_id": np.arange(people) + 1}, rng.normal(size=people)
        if keys == {"user_id", "topic_id"}:
            users, topics = np.divmod(np.arange(people * TOPICS), TOPICS)
            return {"user_id": users + 1, "topic_id": topics + 1}, self.tastes.ravel()
        met = np.unique(self.users * self.creators + self.posts % self.creators)
        users, creators = np.divmod(rng.choice(met, len(met) // 4, replace=False), self.creators)
        return {"user_id": users + 1, "creator_id": creators + 1}, rng.normal(size=len(users))


def _slate_ids(slates: Ints) -> pa.Array:
    return pc.utf8_lpad(pc.cast(pa.array(slates), pa.string()), 8, "0")  # sorts like the numbers


def _microseconds(window: Window) -> tuple[int, int]:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return (window.start - epoch) // timedelta(microseconds=1), (window.end - epoch) // timedelta(microseconds=1)
