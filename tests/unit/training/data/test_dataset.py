from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from photofeed.events import ENDED_BY_OTHER
from photofeed.features.manifest import FeatureManifest, ManifestView
from photofeed.features.ranking import FEATURE_NAMES, PROGRAM, ranking_matrix
from photofeed.features.stored import StoredFeatures
from photofeed.offline_store.lake import Lake
from photofeed.online_store.schema import FieldSpec, JoinKey, RowSchema
from tests.doubles.object_store import InMemoryObjectStore
from training.data import dataset as dataset_module
from training.data.dataset import Dataset, Origin, build_dataset, impressions, joined_matrix
from training.data.point_in_time import EntityRows, features_known_at
from training.data.raw_logs import RawLogs
from training.data.sources import Sources
from training.data.window import Window
from training.errors import EmptyWindowError, FeaturesError, OneClassError

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = Window(NOON, NOON + timedelta(days=1))
BUCKET = "lake"
SERVICE = "ranker"

JOIN_KEYS = {
    "post_content": ("post_id",),
    "post_engagement": ("post_id",),
    "creator_engagement": ("creator_id",),
    "user_activity": ("user_id",),
    "user_creator": ("user_id", "creator_id"),
    "user_topic": ("user_id", "topic_id"),
}

LOG_SCHEMA = pa.schema(
    [
        *[(name, pa.string()) for name in ("id", "action", "content_type", "slate_id", "source")],
        *[(name, pa.int64()) for name in ("user_id", "creator_id", "post_id", "topic_id")],
        *[(name, pa.int32()) for name in ("position", "dwell_ms")],
        ("occurred_at", pa.timestamp("us", tz="UTC")),
    ]
)


PAGES_SCHEMA = pa.schema(
    [
        *[("slate_id", pa.string()), ("user_id", pa.int64()), ("post_id", pa.int64())],
        *[(moment, pa.timestamp("us", tz="UTC")) for moment in ("served_at", "ranked_at")],
        *[("feature_names", pa.list_(pa.string())), ("features", pa.list_(pa.float32()))],
    ]
)


class _AskedFor(dict[str, Any]):
    """Every column one asks for, all zeros."""

    def __missing__(self, name: str) -> Any:
        self[name] = np.zeros(1)
        return self[name]


def _manifest() -> FeatureManifest:
    """A manifest of just the columns that the ranking features are computed from."""
    asked = _AskedFor()
    ranking_matrix(StoredFeatures(asked, FeatureManifest(SERVICE, ()), now=0.0), 1)
    fields = defaultdict(list)
    for name in asked:
        view, _, column = name.partition("__")
        fields[view].append(column)
    views = []
    for view, columns in fields.items():
        counters = {column: 86400.0 for column in columns if column.endswith(("_24h", "_7d", "_30d"))}
        specs = [FieldSpec(column, "DOUBLE", 0.0 if column in counters else float("nan")) for column in columns]
        specs += [FieldSpec("as_of", "INT64", 0)] if counters else []
        keys = tuple(JoinKey(key, "INT64") for key in JOIN_KEYS[view])
        views.append(ManifestView(RowSchema("test", view, keys, tuple(specs)), counters))
    return FeatureManifest(SERVICE, tuple(views))


@dataclass
class History:
    """Feature rows over time, joined as plainly as possible: for each entity row, the newest row not younger."""

    manifest: FeatureManifest
    rows: list[tuple[str, dict[str, int], datetime, dict[str, float]]] = field(default_factory=list)
    lost: int = 0

    def push(self, view: str, keys: dict[str, int], at: datetime, **values: float) -> None:
        self.rows.append((view, keys, at, values))

    def get_feature_service(self, name: str) -> str:
        return name

    def get_historical_features(self, entity_df: pd.DataFrame, features: str, *, full_feature_names: bool) -> "History":
        assert full_feature_names
        assert features == self.manifest.service
        self.answer = pa.Table.from_pylist(
            [self._known(row) for row in entity_df.to_dict("records")][self.lost :][::-1]
        )
        return self

    def to_arrow(self) -> pa.Table:
        return self.answer

    def _known(self, entity: Mapping[Any, Any]) -> dict[str, Any]:
        known: dict[str, Any] = {"impression_row": entity["impression_row"]}
        for view in self.manifest.views:
            for spec in view.schema.fields:
                known[f"{view.name}__{spec.name}"] = None
        for view_name, keys, at, values in sorted(self.rows, key=lambda row: row[2]):
            if at <= entity["event_timestamp"] and all(entity[key] == value for key, value in keys.items()):
                known |= {f"{view_name}__{name}": value for name, value in values.items()}
        return known


@dataclass
class World:
    """A lake with an engagement log, and a history of features."""

    objects: InMemoryObjectStore
    history: History
    sources: Sources
    events: list[dict[str, Any]] = field(default_factory=list)

    def happened(self, action: str, at: datetime, *, user: int = 1, post: int = 10, **more: Any) -> None:
        event = {"id": f"event-{len(self.events)}", "action": action, "user_id": user, "post_id": post}
        self.events.append(event | {"creator_id": 100 + post, "slate_id": "s1", "occurred_at": at} | more)

    def write(self, name: str = "part-0", events: Iterable[dict[str, Any]] | None = None) -> None:
        """Archive the events, by the hour they occurred in."""
        by_hour = defaultdict(list)
        for event in self.events if events is None else events:
            by_hour[event["occurred_at"].strftime("day=%Y-%m-%d/hour=%H")].append(event)
        for hour, rows in by_hour.items():
            self._put(f"engagement/{hour}/{name}.parquet", pa.Table.from_pylist(rows, LOG_SCHEMA))

    def served(self, ranked_at: datetime, *pages: dict[str, Any], name: str = "part-0", slate: str = "s1") -> None:
        """Archive what was served of a slate: posts with features, and the names these go by."""
        whose = {"slate_id": slate, "user_id": 1, "ranked_at": ranked_at, "served_at": ranked_at}
        table = pa.Table.from_pylist([whose | page for page in pages], PAGES_SCHEMA)
        self._put(f"feed_served/{ranked_at:day=%Y-%m-%d/hour=%H}/{name}.parquet", table)

    def _put(self, key: str, table: pa.Table) -> None:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        self.objects.put(BUCKET, key, sink.getvalue().to_pybytes(), "application/vnd.apache.parquet")


@pytest.fixture
def world(tmp_path: Path) -> World:
    objects, manifest = InMemoryObjectStore(), _manifest()
    history = History(manifest)
    return World(objects, history, Sources(RawLogs(Lake(objects, tmp_path), BUCKET), history, manifest))


def _column(dataset: Dataset, name: str) -> list[float]:
    column: list[float] = dataset.matrix[:, FEATURE_NAMES.index(name)].tolist()
    return column


def _one_slate(world: World) -> None:
    world.happened("impression", NOON + SECOND, post=10, position=0)
    world.happened("impression", NOON + 3 * SECOND, post=11, position=1)
    world.happened("like", NOON + 4 * SECOND, post=11)


def test_an_impression_is_labelled_by_what_followed_in_its_slate(world: World) -> None:
    _one_slate(world)
    world.happened("impression", NOON + 60 * SECOND, post=11, slate_id="s2", position=0)
    world.happened("save", NOON + 61 * SECOND, post=11, slate_id=None)
    world.write()
    dataset = build_dataset(world.sources, DAY)
    assert dataset.labels.tolist() == [0, 2, 0]
    assert dataset.group_sizes.tolist() == [2, 1]
    assert dataset.positions.tolist() == [0, 1, 0]


def test_features_are_those_known_when_the_slate_was_ranked(world: World) -> None:
    """The second post's like, and all counted since the slate's start, must not leak into its features."""
    _one_slate(world)
    start = NOON + SECOND
    for microseconds, sharpness in ((-2_000_000, 1.0), (-1, 2.0), (0, 3.0), (2_000_000, 4.0), (3_000_000, 5.0)):
        world.history.push(
            "post_content", {"post_id": 11}, start + timedelta(microseconds=microseconds), sharpness=sharpness
        )
    world.write()
    assert _column(build_dataset(world.sources, DAY), "sharpness") == [pytest.approx(np.nan, nan_ok=True), 2.0]


def _page(post: int, names: tuple[str, ...], value: float | None) -> dict[str, Any]:
    values = [value if name == "sharpness" else 0.5 for name in names]
    return {"post_id": post, "feature_names": list(names), "features": values}


def test_features_are_those_that_were_served(world: World) -> None:
    """By their names, in whatever order that release had them; one that was not known is missing."""
    _one_slate(world)
    world.history.push("post_content", {"post_id": 10}, NOON, sharpness=9.0)
    longer = (*reversed(FEATURE_NAMES), "of_a_later_release")
    world.served(NOON, _page(10, longer, 7.0), _page(11, longer, None))
    world.write()
    for origin in (Origin.SERVED, Origin.EITHER):
        dataset = build_dataset(world.sources, DAY, origin=origin)
        assert _column(dataset, "sharpness") == [7.0, pytest.approx(np.nan, nan_ok=True)]
        assert _column(dataset, "aspect") == [0.5, 0.5]
        assert dataset.labels.tolist() == [0, 2]
    assert _column(build_dataset(world.sources, DAY, origin=Origin.JOINED), "sharpness")[0] == 9.0


def test_values_that_were_served_before_a_feature_had_a_cap_get_it(world: World) -> None:
    _one_slate(world)
    large = {"post_id": 10, "feature_names": list(FEATURE_NAMES), "features": [1e9] * len(FEATURE_NAMES)}
    world.served(NOON, large, _page(11, FEATURE_NAMES, 7.0))
    world.write()
    assert np.isfinite(PROGRAM.caps).any()
    first = build_dataset(world.sources, DAY, origin=Origin.SERVED).matrix[0]
    assert first.tolist() == np.minimum(np.float32(1e9), PROGRAM.caps).tolist()


def test_what_was_not_served_with_todays_features_is_joined_as_of_the_ranking(world: World) -> None:
    """A page by popularity, without features; a release that lacked one; a post that the log does not know."""
    _one_slate(world)
    for post, position in ((12, 2), (13, 3)):
        world.happened("impression", NOON + 4 * SECOND, post=post, position=position)
    for post in (10, 11, 12, 13):
        world.history.push("post_content", {"post_id": post}, NOON - SECOND, sharpness=2.0 + post)
        world.history.push("post_content", {"post_id": post}, NOON + SECOND / 2, sharpness=99.0)
    shorter = tuple(name for name in FEATURE_NAMES if name != "aspect")
    nothing: dict[str, Any] = {"post_id": 10, "feature_names": None, "features": []}
    world.served(NOON, nothing, _page(11, shorter, 7.0), _page(12, FEATURE_NAMES, 7.0))
    world.write()
    told: list[tuple[int, int]] = []
    dataset = build_dataset(world.sources, DAY, lambda done, rows: told.append((done, rows)))
    # nobody knows when the last one was ranked: before the slate's first impression
    assert _column(dataset, "sharpness") == [12.0, 13.0, 7.0, 99.0]
    assert told == [(3, 3)]


def test_a_post_that_was_served_again_has_the_features_it_was_shown_with_first(world: World) -> None:
    """Whatever the order of the log's parts; also if there were none then, or the other pages know more posts."""
    _one_slate(world)
    world.happened("impression", NOON + 4 * SECOND, post=12, position=2)
    world.happened("save", NOON + 5 * SECOND, post=12)
    world.history.push("post_content", {"post_id": 11}, NOON - 3 * SECOND, sharpness=1.0)
    nothing: dict[str, Any] = {"post_id": 11, "feature_names": None, "features": []}
    world.served(NOON, *(_page(post, FEATURE_NAMES, 8.0) for post in (10, 11, 12, 99)), name="part-0")
    world.served(NOON - SECOND, _page(10, FEATURE_NAMES, 7.0), name="part-1")
    world.served(NOON - 2 * SECOND, nothing, name="part-2")
    world.served(NOON - 4 * SECOND, _page(10, FEATURE_NAMES, 6.0), slate="another")
    world.write()
    assert _column(build_dataset(world.sources, DAY), "sharpness") == [7.0, 1.0, 8.0]
    assert _column(build_dataset(world.sources, DAY, origin=Origin.SERVED), "sharpness") == [7.0, 8.0]


@pytest.mark.parametrize("origin", [Origin.JOINED, Origin.EITHER])
def test_a_training_set_is_not_held_in_memory(
    world: World, resident: Callable[[NDArray[np.float32]], int], origin: Origin
) -> None:
    _one_slate(world)
    world.served(NOON, _page(10, FEATURE_NAMES, 7.0), _page(11, FEATURE_NAMES, 8.0))
    world.write()
    assert resident(build_dataset(world.sources, DAY, origin=origin).matrix) == 0


def test_a_log_without_any_features_of_today_is_no_training_set(world: World) -> None:
    _one_slate(world)
    world.served(NOON, _page(10, FEATURE_NAMES[1:], 7.0))
    world.write()
    with pytest.raises(EmptyWindowError, match="none of 2 impressions"):
        build_dataset(world.sources, DAY, origin=Origin.SERVED)


def test_counters_fade_to_the_moment_the_slate_was_ranked(world: World) -> None:
    _one_slate(world)
    a_day_before = NOON + SECOND - timedelta(days=1)
    world.history.push(
        "post_engagement",
        {"post_id": 11},
        a_day_before,
        likes_24h=8.0,
        as_of=round(a_day_before.timestamp() * 1e6),
    )
    world.write()
    assert _column(build_dataset(world.sources, DAY), "post_likes_24h") == [0.0, pytest.approx(4.0)]


def test_pairs_and_topics_are_joined_by_both_their_keys(world: World) -> None:
    for user in (1, 2):
        world.happened("impression", NOON, user=user, post=10, topic_id=5)
        world.happened("open", NOON, user=user, post=10) if user == 1 else None
    world.history.push("user_creator", {"user_id": 2, "creator_id": 110}, NOON - SECOND, follows=1.0)
    world.write()
    dataset = build_dataset(world.sources, DAY)
    assert dict(zip(dataset.user_ids.tolist(), _column(dataset, "follows"), strict=True))[2] == 1.0
    assert np.isnan(_column(dataset, "follows")[0])


def test_what_was_taken_back_does_not_count(world: World) -> None:
    for post, undo in ((10, "unlike"), (11, None)):
        world.happened("impression", NOON, post=post)
        world.happened("like", NOON + SECOND, post=post)
        if undo:
            world.happened(undo, NOON + 2 * SECOND, post=post)
    world.happened("impression", NOON, post=12)
    for offset, action in enumerate(("like", "unlike", "like")):
        world.happened(action, NOON + offset * SECOND, post=12)
    world.write()
    dataset = build_dataset(world.sources, DAY)
    assert dict(zip(dataset.post_ids.tolist(), dataset.labels.tolist(), strict=True)) == {10: 0, 11: 2, 12: 2}


def test_looking_counts_from_a_few_seconds_in_all(world: World) -> None:
    for post, times in ((10, (1000, 1500)), (11, (2000, 1500))):
        world.happened("impression", NOON, post=post)
        for milliseconds in times:
            world.happened("dwell", NOON + SECOND, post=post, dwell_ms=milliseconds)
    world.write()
    dataset = build_dataset(world.sources, DAY)
    assert dict(zip(dataset.post_ids.tolist(), dataset.labels.tolist(), strict=True)) == {10: 0, 11: 1}


def test_a_total_look_of_under_a_second_is_a_quick_skip(world: World) -> None:
    for post, times in ((10, (300, 400)), (11, (500, 500)), (12, ()), (13, (400,)), (14, (400,)), (15, (5000,))):
        world.happened("impression", NOON, post=post)
        for milliseconds in times:
            world.happened("dwell", NOON + SECOND, post=post, dwell_ms=milliseconds)
    world.happened("like", NOON + SECOND, post=13)
    world.happened("hide", NOON + SECOND, post=14)
    world.write()
    dataset = build_dataset(world.sources, DAY)
    labels = dict(zip(dataset.post_ids.tolist(), dataset.labels.tolist(), strict=True))
    assert labels == {10: -1, 11: 0, 12: 0, 13: 2, 14: -2, 15: 1}
    assert dataset.relevance.min() == 0


def test_leaving_an_author_counts_for_their_posts_that_were_just_shown(world: World) -> None:
    """Mutes and unfollows are about a person, and name no slate."""
    person: dict[str, Any] = {"post_id": None, "slate_id": None}
    for number, (slate, at) in enumerate((("early", NOON), ("s1", NOON + 7200 * SECOND))):
        for post in range(10, 17):
            world.happened("impression", at, post=post, slate_id=slate, position=post - 10 + 10 * number)
        world.happened("like", at + SECOND, post=16, slate_id=slate)
    for offset, (action, author) in enumerate(
        [("mute", 110), ("unfollow", 111), ("mute", 112), ("unmute", 112), ("unfollow", 113), ("follow", 113)]
    ):
        world.happened(action, NOON + (7210 + offset) * SECOND, creator_id=author, **person)
    world.happened("unfollow", NOON + 7210 * SECOND, creator_id=114, source=ENDED_BY_OTHER, **person)
    world.happened("mute", NOON + 7210 * SECOND, creator_id=115, user=2, **person)
    world.write()
    dataset = build_dataset(world.sources, DAY)
    assert dataset.labels.reshape(2, 7).tolist() == [[0] * 6 + [2], [-2, -2, 0, 0, 0, 0, 2]]


def test_without_engagement_there_is_nothing_to_learn(world: World) -> None:
    for post in (10, 11):
        world.happened("impression", NOON, post=post)
    world.happened("hide", NOON + SECOND, post=11)
    world.write()
    with pytest.raises(OneClassError, match="no post was engaged with among all of 2 impressions"):
        build_dataset(world.sources, DAY)


def test_an_event_that_the_log_holds_twice_counts_once(world: World) -> None:
    world.happened("impression", NOON, post=10)
    world.happened("impression", NOON, post=11)
    world.happened("dwell", NOON, post=10, dwell_ms=2000)
    world.happened("open", NOON, post=11)
    world.write("part-0")
    world.write("part-1")
    dataset = build_dataset(world.sources, DAY)
    assert sorted(dataset.labels.tolist()) == [0, 1]


def test_slates_come_whole_and_in_the_order_of_time(world: World) -> None:
    """A slate belongs to the window that it started in, with all its pages and late likes."""
    world.happened("impression", DAY.start - SECOND, post=1, slate_id="before")
    world.happened("impression", DAY.start + SECOND, post=2, slate_id="before")
    world.happened("impression", DAY.end - SECOND, post=3, slate_id="late")
    world.happened("impression", DAY.end + SECOND, post=4, slate_id="late", position=1)
    world.happened("like", DAY.end + 60 * SECOND, post=4, slate_id="late")
    world.happened("impression", DAY.start, post=5, slate_id="early")
    world.write()
    dataset = build_dataset(world.sources, DAY)
    assert dataset.post_ids.tolist() == [5, 3, 4]
    assert dataset.labels.tolist() == [0, 0, 2]
    assert (np.diff(dataset.slate_start_us) > 0).all()


def test_a_slate_number_made_up_by_another_person_is_another_slate(world: World) -> None:
    _one_slate(world)
    world.happened("impression", NOON + 5 * SECOND, user=2, post=10)
    world.write()
    assert build_dataset(world.sources, DAY).group_sizes.tolist() == [2, 1]


def test_parts_are_downloaded_once(world: World) -> None:
    _one_slate(world)
    world.write()
    build_dataset(world.sources, DAY)
    for key in list(world.objects.keys("lake", "engagement/")):
        world.objects.put("lake", key, b"not downloaded again", "text/plain")
    assert len(build_dataset(world.sources, DAY)) == 2


def test_an_empty_window_is_refused(world: World) -> None:
    with pytest.raises(EmptyWindowError, match="log is empty for 2026-03-01 12:00"):
        build_dataset(world.sources, DAY)
    world.happened("impression", NOON - timedelta(hours=2))
    world.write()
    with pytest.raises(EmptyWindowError, match="no slate started from"):
        build_dataset(world.sources, DAY)


def test_one_class_is_refused_before_features_are_fetched(world: World) -> None:
    world.happened("impression", NOON)
    world.write()
    with pytest.raises(OneClassError, match="the label is 0 for all of 1 impressions"):
        build_dataset(world.sources, DAY)


def test_rows_that_the_feature_store_loses_are_noticed(world: World) -> None:
    _one_slate(world)
    world.write()
    world.history.lost = 1
    with pytest.raises(FeaturesError, match="1 rows for 2"):
        build_dataset(world.sources, DAY)


def test_progress_ends_with_all_rows(world: World) -> None:
    _one_slate(world)
    world.write()
    told: list[tuple[int, int]] = []
    build_dataset(world.sources, DAY, lambda done, rows: told.append((done, rows)))
    assert told[-1] == (2, 2)


def test_the_end_of_a_window_is_outside_and_its_start_is_inside(world: World) -> None:
    for slate, start, post in (("first", DAY.start, 10), ("last", DAY.end - timedelta(microseconds=1), 11)):
        world.happened("impression", start, post=post, slate_id=slate)
    world.happened("impression", DAY.end, post=12, slate_id="after")
    world.happened("open", DAY.start, post=10, slate_id="first")
    world.write()
    assert build_dataset(world.sources, DAY).post_ids.tolist() == [10, 11]


def test_slates_are_ordered_by_their_start_and_rows_by_their_position(world: World) -> None:
    """Whatever their ids: the later slate and the lower position have the smaller ones."""
    world.happened("impression", NOON + 9 * SECOND, post=20, slate_id="a")
    for post, position in ((12, 0), (10, 2), (11, 1)):
        world.happened("impression", NOON + position * SECOND, post=post, position=position, slate_id="b")
    world.happened("open", NOON, post=12, slate_id="b")
    world.write()
    dataset = build_dataset(world.sources, DAY)
    assert dataset.post_ids.tolist() == [12, 11, 10, 20]
    assert dataset.positions.tolist() == [0, 1, 2, 0]
    assert dataset.slate_start_us.tolist() == [round((NOON + s * SECOND).timestamp() * 1e6) for s in (0, 9)]


def test_a_dwell_counts_from_exactly_three_seconds(world: World) -> None:
    for post, milliseconds in ((10, 2999), (11, 3000)):
        world.happened("impression", NOON, post=post)
        world.happened("dwell", NOON + SECOND, post=post, dwell_ms=milliseconds)
    world.write()
    dataset = build_dataset(world.sources, DAY)
    assert dict(zip(dataset.post_ids.tolist(), dataset.labels.tolist(), strict=True)) == {10: 0, 11: 1}


def test_a_post_that_was_seen_twice_has_its_first_position(world: World) -> None:
    world.happened("impression", NOON + 5 * SECOND, post=10, position=7)
    world.happened("impression", NOON, post=10, position=3)
    world.happened("impression", NOON, post=11, position=4)
    world.happened("like", NOON, post=11)
    world.write()
    dataset = build_dataset(world.sources, DAY)
    assert dict(zip(dataset.post_ids.tolist(), dataset.positions.tolist(), strict=True)) == {10: 3, 11: 4}


def test_actions_on_what_was_not_seen_in_the_slate_make_no_row(world: World) -> None:
    """Such as a post that was opened by its link, a profile, or an event outside any slate."""
    _one_slate(world)
    world.happened("open", NOON + 5 * SECOND, post=12)
    world.happened("impression", NOON + 5 * SECOND, post=13, slate_id=None)
    world.events.append(world.events[0] | {"id": "a profile", "post_id": None})
    world.write()
    assert build_dataset(world.sources, DAY).post_ids.tolist() == [10, 11]


def test_a_slate_does_not_start_with_what_is_no_impression_of_a_post(world: World) -> None:
    world.happened("open", NOON, post=10)
    world.events.append(world.events[0] | {"id": "a profile", "action": "impression", "post_id": None})
    world.happened("impression", NOON + 5 * SECOND, post=10)
    world.happened("impression", NOON + 6 * SECOND, post=11)
    world.write()
    assert build_dataset(world.sources, DAY).slate_start_us.tolist() == [round((NOON + 5 * SECOND).timestamp() * 1e6)]


def test_the_topic_is_that_of_the_impression_and_0_where_it_has_none(world: World) -> None:
    world.happened("impression", NOON, post=10, topic_id=5)
    world.happened("impression", NOON, post=11)
    world.happened("like", NOON + SECOND, post=11, topic_id=6)
    world.write()
    shown = impressions(world.sources, DAY, Origin.JOINED)
    assert dict(zip(shown.post_ids.tolist(), shown.topic_ids.tolist(), strict=True)) == {10: 5, 11: 0}


def test_impressions_of_a_malformed_row_or_of_none_that_was_ranked_are_joined(world: World) -> None:
    """A row with fewer values than names, and one without a time of ranking, as of a page by recency."""
    _one_slate(world)
    world.happened("impression", NOON + 4 * SECOND, post=12, position=2)
    for post in (10, 11, 12):
        world.history.push("post_content", {"post_id": post}, NOON - SECOND, sharpness=float(post))
    malformed = _page(10, FEATURE_NAMES, 7.0)
    malformed["features"] = malformed["features"][:-1]
    unranked: dict[str, Any] = _page(11, FEATURE_NAMES, 7.0) | {"ranked_at": None}
    world.served(NOON, malformed, unranked, _page(12, FEATURE_NAMES, 7.0))
    world.write()
    assert _column(build_dataset(world.sources, DAY), "sharpness") == [10.0, 11.0, 7.0]


def test_what_was_served_and_not_seen_changes_nothing(world: World) -> None:
    """Posts of other slates, posts beyond what was scrolled to, and other people with the same slate id."""
    _one_slate(world)
    world.served(NOON, *(_page(post, FEATURE_NAMES, float(post)) for post in (10, 11)))
    world.served(NOON - SECOND, *(_page(post, FEATURE_NAMES, 99.0) for post in (9, 12, 99)), name="part-1")
    world.served(NOON - SECOND, _page(10, FEATURE_NAMES, 99.0) | {"user_id": 2}, name="part-2")
    world.served(NOON - SECOND, _page(11, FEATURE_NAMES, 99.0), name="part-3", slate="s0")
    world.write()
    assert _column(build_dataset(world.sources, DAY), "sharpness") == [10.0, 11.0]


def test_slates_that_lack_served_features_leave_no_gap(world: World) -> None:
    """Of three slates the middle one was not served with features: starts and sizes are those of the others."""
    for number, slate in enumerate(("a", "b", "c")):
        world.happened("impression", NOON + number * SECOND, post=10 + number, slate_id=slate)
        if slate != "b":
            world.served(NOON, _page(10 + number, FEATURE_NAMES, 7.0), slate=slate, name=slate)
    world.happened("like", NOON + 3 * SECOND, post=12, slate_id="c")
    world.write()
    dataset = build_dataset(world.sources, DAY, origin=Origin.SERVED)
    assert dataset.post_ids.tolist() == [10, 12]
    assert dataset.group_sizes.tolist() == [1, 1]
    assert dataset.slate_start_us.tolist() == [round((NOON + s * SECOND).timestamp() * 1e6) for s in (0, 2)]


def test_each_row_fades_to_its_own_moment(world: World) -> None:
    """Two slates of the same post, a half-life apart, joined at once."""
    as_of = NOON - timedelta(days=1)
    world.history.push("post_engagement", {"post_id": 10}, as_of, likes_24h=8.0, as_of=round(as_of.timestamp() * 1e6))
    for slate, start in (("s1", NOON), ("s2", NOON + timedelta(hours=12))):
        world.happened("impression", start, post=10, slate_id=slate)
    world.happened("open", NOON + SECOND, post=10)
    world.write()
    likes = _column(build_dataset(world.sources, DAY), "post_likes_24h")
    assert likes == pytest.approx([4.0, 4.0 / np.sqrt(2)])


def test_a_join_of_many_rows_is_made_in_pieces(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_module, "JOIN_ROWS", 2)
    reported: list[tuple[int, int]] = []
    for post in range(5):
        world.happened("impression", NOON, post=post, user=post % 2, position=post)
        world.history.push("post_content", {"post_id": post}, NOON - SECOND, sharpness=float(post))
    world.happened("like", NOON, post=1, user=1)
    world.write()
    dataset = build_dataset(world.sources, DAY, lambda *done: reported.append(done))
    assert _column(dataset, "sharpness") == dataset.post_ids.tolist()
    assert reported == [(2, 5), (4, 5), (5, 5)]


def test_features_can_be_joined_as_of_a_little_earlier_or_later(world: World) -> None:
    _one_slate(world)
    for seconds in (-2, 0, 2):
        at = NOON + SECOND + seconds * SECOND - timedelta(microseconds=1)
        world.history.push("post_content", {"post_id": 10}, at, sharpness=float(seconds))
    world.write()
    shown = impressions(world.sources, DAY, Origin.JOINED)
    column = FEATURE_NAMES.index("sharpness")
    found = [joined_matrix(world.sources, shown, offset_us=us)[0, column] for us in (-1_000_000, 0, 2_000_000)]
    assert found == [-2.0, 0.0, 2.0]


def test_known_features_keep_the_order_of_the_rows_and_get_defaults(world: World) -> None:
    """The store answers in another order, and with nulls and NaN where it knows nothing."""
    world.history.push("post_engagement", {"post_id": 11}, NOON, likes_24h=3.0)
    world.history.push("post_engagement", {"post_id": 12}, NOON, likes_24h=float("nan"))
    ids = np.array([10, 11, 12])
    rows = EntityRows(ids, ids, ids, ids, np.full(3, round(NOON.timestamp() * 1e6)))
    known = features_known_at(world.history, world.history.manifest, rows)
    assert known["post_engagement__likes_24h"].tolist() == [0.0, 3.0, 0.0]
    assert np.isnan(known["post_content__sharpness"].astype(float)).all()


def test_a_feature_that_the_store_does_not_know_is_named(world: World) -> None:
    schema = RowSchema("test", "weather", (JoinKey("post_id", "INT64"),), (FieldSpec("rain", "DOUBLE", 0.0),))
    more = FeatureManifest(SERVICE, (*world.history.manifest.views, ManifestView(schema, {})))
    ids = np.array([10])
    with pytest.raises(FeaturesError, match="ranker lacks weather__rain: apply the feature repo again"):
        features_known_at(world.history, more, EntityRows(ids, ids, ids, ids, ids))
