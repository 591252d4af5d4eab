"""Training sees what serving saw: slates served by serving's own code from a real online store, of real pushes."""

import asyncio
import gc
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
import redis.asyncio
from typer.testing import CliRunner

from ingestion.archive import Archive
from ingestion.engagement.feature_sink import FeastSink
from ingestion.engagement.pipeline import EngagementPipeline
from ingestion.engagement.push_journal import StoredPushJournal
from photofeed.errors import ConflictError
from photofeed.events import Action, EngagementEvent, Envelope, engagement_envelope
from photofeed.feature_store import apply_feature_repo, close_feature_store, load_counter_views, open_feature_store
from photofeed.features.manifest import FeatureManifest
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.ids import topic_id, uuid7
from photofeed.object_store import S3ObjectStore
from photofeed.offline_store.compaction import Compaction
from photofeed.offline_store.lake import LakeFolder, open_lake
from photofeed.offline_store.tables import FEED_SERVED
from photofeed.online_store.reader import PackedReader
from photofeed.posts import PostRef, PublishedPost
from photofeed.redis_client import connect_redis
from photofeed.settings import Settings
from photofeed.topics import FEED_SERVED as FEED_PAGES
from serving.feed.candidates import Candidates
from serving.feed.features import FeatureMatrix, FeatureReader, ModelInputs, RequestFeatures
from serving.feed.query import FeedQuery, Viewer
from serving.feed.served_log import ServedLog
from serving.feed.slate import Slate, SlateItems
from serving.feed.source_table import Source
from tests.doubles.counted_events import InMemoryCountedEvents
from tests.doubles.event_log import InMemoryEventLog
from tests.doubles.feed_memory import NoFeedMemory
from training.cli.skew_commands import app
from training.data.dataset import Origin, build_dataset
from training.data.sources import Sources
from training.data.window import Window
from training.monitoring.skew import LARGEST_DIFFERENCE, differences, measure_skew

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

ROUNDS, READERS, POSTS, SLATE_LENGTH = 10, 28, 120, 40
FIRST_ID = 7_100_000_000_000_000_000  # ids of its own: the stack is shared
TOPICS = [topic_id(name) for name in ("mountains", "sea", "cities")]
ACTIONS = [Action.LIKE, Action.OPEN, Action.SAVE, Action.COMMENT, Action.HIDE, Action.SHARE, Action.UNLIKE]


@dataclass(frozen=True)
class Served:
    """What was served, and when."""

    settings: Settings
    window: Window


@pytest.fixture(scope="module")
def served(stack: "EmbeddedStack", tmp_path_factory: pytest.TempPathFactory) -> Served:
    """Rounds of: readers get slates, then look at them, and do all kinds of things with what they see."""
    settings = stack.settings().model_copy(update={"state_dir": tmp_path_factory.mktemp("skew")})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # `feast apply` leaves a registry's connections open
        manifest = apply_feature_repo(settings, S3ObjectStore.connect(settings))
        gc.collect()
    store, lake = open_feature_store(settings), open_lake(settings)
    archive, rng, began = Archive(lake, settings.bucket_lake), np.random.default_rng(5), datetime.now(UTC)
    posts = [_post(number, began) for number in range(POSTS)]
    with connect_redis(settings) as client:
        views = load_counter_views(store)
        sink = FeastSink(store, client, views)
        journal = StoredPushJournal(lake.objects, settings.bucket_lake)
        features = EngagementPipeline(views, InMemoryCountedEvents(), sink, NoFeedMemory(), journal)
        features.handle([Envelope("photo.processed", str(post.ref.post_id), post.to_payload()) for post in posts])
        for _ in range(ROUNDS):
            slates = asyncio.run(_serve(settings, manifest, posts, rng))
            archive.handle(asyncio.run(_logged(slates)))
            looks = [engagement_envelope(slate.user_id, list(_looks(slate, posts, rng))) for slate in slates]
            archive.handle(looks)
            features.handle(looks)
    close_feature_store(store)
    Compaction(lake, settings.bucket_lake, fewest_parts=2).compact()
    return Served(settings, Window(began - timedelta(seconds=1), datetime.now(UTC) + timedelta(seconds=1)))


@pytest.fixture(scope="module")
def sources(served: Served) -> Iterator[Sources]:
    with Sources.open(served.settings) as opened:
        yield opened


def test_both_ways_to_a_training_set_give_the_same_rows_columns_and_values(served: Served, sources: Sources) -> None:
    as_served, joined = (
        build_dataset(sources, served.window, origin=origin) for origin in (Origin.SERVED, Origin.JOINED)
    )
    assert len(as_served) == len(joined) >= 10_000
    assert as_served.feature_names == joined.feature_names == FEATURE_NAMES
    for name in ("matrix", "labels", "group_sizes", "positions", "user_ids", "post_ids", "slate_start_us"):
        one, other = getattr(as_served, name), getattr(joined, name)
        assert one.dtype == other.dtype
        assert name == "matrix" or np.array_equal(one, other)
    assert differences(as_served.matrix, joined.matrix).max() < LARGEST_DIFFERENCE
    # the comparison means something: nearly all features took many values
    varied = [len(np.unique(column[~np.isnan(column)])) for column in as_served.matrix.T]
    assert sum(values > 10 for values in varied) > 30


def test_the_command_says_so(served: Served, monkeypatch: pytest.MonkeyPatch, stack: "EmbeddedStack") -> None:
    monkeypatch.setenv("PHOTOFEED_STATE_DIR", str(stack.state.path))
    until = served.window.end.strftime("%Y-%m-%dT%H:%M:%S")
    days = max((served.window.end - served.window.start).total_seconds() / 86_400, 0.0001)  # of the option, the least
    said = CliRunner().invoke(app, ["--days", str(days), "--until", until])
    assert said.exit_code == 0, said.output
    assert f"{len(FEATURE_NAMES)} features: largest difference 0" in said.output


def test_a_feature_that_serving_computes_otherwise_is_named(
    served: Served, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Serving of another release: one feature a little larger, and one missing, in a log of its own time."""
    later = timedelta(hours=3)
    pages = sources.logs.lake.mirror(LakeFolder(served.settings.bucket_lake, FEED_SERVED))
    assert pages
    shown = measure_skew(sources, served.window, 500)
    assert (shown.rows, shown.skewed) == (500, {})
    bent = FEATURE_NAMES.index("pair_likes_30d")
    right = RequestFeatures.matrix

    def bending(self: RequestFeatures, inputs: ModelInputs | None = None) -> FeatureMatrix:
        matrix = right(self, inputs)
        matrix.values[:, bent] += 1e-3
        matrix.values[0, FEATURE_NAMES.index("aspect")] = np.nan
        return matrix

    monkeypatch.setattr(RequestFeatures, "matrix", bending)
    rng = np.random.default_rng(6)
    posts = [_post(number, served.window.start) for number in range(POSTS)]
    # long after the last push, so that nothing is in flight
    slates = asyncio.run(_serve(served.settings, sources.manifest, posts, rng, datetime.now(UTC) + later))
    archive = Archive(sources.logs.lake, served.settings.bucket_lake)
    archive.handle(asyncio.run(_logged(slates)))
    archive.handle([engagement_envelope(slate.user_id, list(_looks(slate, posts, rng))) for slate in slates])
    window = Window(served.window.end + timedelta(hours=1), datetime.now(UTC) + 2 * later)
    found = measure_skew(sources, window, 10_000)
    assert found.skewed == {"aspect": np.inf, "pair_likes_30d": pytest.approx(1e-3, rel=1e-2)}
    monkeypatch.setattr(Sources, "open", lambda _: sources)
    monkeypatch.setattr(Sources, "close", lambda _: None)
    until = window.end.strftime("%Y-%m-%dT%H:%M:%S")
    monkeypatch.setenv("PHOTOFEED_ENV", "dev")
    refused = CliRunner().invoke(app, ["--days", "0.2", "--until", until])
    assert isinstance(refused.exception, ConflictError)
    assert "pair_likes_30d\t0.001" in refused.output


async def _serve(
    settings: Settings,
    manifest: FeatureManifest,
    posts: list[PublishedPost],
    rng: np.random.Generator,
    now: datetime | None = None,
) -> list[Slate]:
    """One slate a reader, of random posts, with the features that serving's reader finds at this moment."""
    async with redis.asyncio.Redis.from_url(settings.redis_url.get_secret_value()) as client:
        reader = FeatureReader(manifest, PackedReader([], async_client=client))
        return [await _slate(reader, number, posts, rng, now or datetime.now(UTC)) for number in range(READERS)]


async def _slate(
    reader: FeatureReader, number: int, posts: list[PublishedPost], rng: np.random.Generator, now: datetime
) -> Slate:
    refs = [posts[place].ref for place in rng.choice(POSTS, SLATE_LENGTH, replace=False)]
    candidates = Candidates.from_members([ref.member() for ref in refs], Source.FOLLOWING)
    query = FeedQuery(FIRST_ID + 500 + number, now, Viewer(frozenset(), frozenset(), 1))
    matrix = (await reader.read(query, candidates)).matrix()
    items = SlateItems(
        post_ids=candidates.post_ids,
        author_ids=candidates.author_ids,
        sources=candidates.sources.astype(np.int8),
        scores=np.zeros(SLATE_LENGTH),
        propensities=np.ones(SLATE_LENGTH),
        disliked=np.zeros(SLATE_LENGTH, np.int8),
        reasons=np.zeros((SLATE_LENGTH, 3), np.float32),
        features=matrix.values,
    )
    return Slate(
        uuid7(), query.user_id, "popularity", None, None, None, items, ranked_at=now, feature_names=matrix.names
    )


async def _logged(slates: list[Slate]) -> list[Envelope]:
    """What the served log has of slates of one page each."""
    event_log = InMemoryEventLog()
    served_log = ServedLog(event_log)
    served_log.start()
    for slate in slates:
        served_log.add(slate, 0, [(place, place) for place in range(len(slate.items))])
    await served_log.stop()
    return [Envelope.decode(message.value) for message in event_log.read(FEED_PAGES.name)]


def _looks(slate: Slate, posts: list[PublishedPost], rng: np.random.Generator) -> Iterator[EngagementEvent]:
    by_id = {post.ref.post_id: post for post in posts}
    for position, post_id in enumerate(slate.items.post_ids.tolist()):
        post = by_id[post_id]
        seen = EngagementEvent(
            id=uuid7(),
            action=Action.IMPRESSION,
            user_id=slate.user_id,
            creator_id=post.ref.author_id,
            occurred_at=slate.ranked_at + timedelta(milliseconds=position),
            post_id=post_id,
            topic_id=post.ref.topic_id,
            content_type=post.content_type,
            slate_id=slate.id,
            position=position,
        )
        yield seen
        if rng.random() < 0.1:
            yield replace(seen, id=uuid7(), action=ACTIONS[int(rng.integers(len(ACTIONS)))])
        if rng.random() < 0.1:
            yield replace(seen, id=uuid7(), action=Action.DWELL, dwell_ms=int(rng.integers(100, 20_000)))
        if rng.random() < 0.03:
            act = Action.FOLLOW if rng.random() < 0.5 else Action.PROFILE_VISIT
            yield replace(seen, id=uuid7(), action=act, post_id=None, topic_id=None, content_type=None)


def _post(number: int, began: datetime) -> PublishedPost:
    ref = PostRef(
        post_id=FIRST_ID + number,
        author_id=FIRST_ID + 1000 + number % 40,
        topic_id=TOPICS[number % len(TOPICS)],
        posted_ms=round((began - timedelta(hours=number + 1)).timestamp() * 1000),
    )
    return PublishedPost(
        ref,
        content_type="reel" if number % 4 == 0 else "photo",
        caption_length=number % 40,
        tag_count=number % 5,
        public=True,
        imported=True,
        aspect=0.5 + number / POSTS,
        sharpness=number / POSTS,
        brightness=number / POSTS / 2,
        entropy=7.0 + number / POSTS,
    )
