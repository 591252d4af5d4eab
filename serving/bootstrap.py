"""Builds everything the API needs from the settings, starts it, and stops it in reverse order."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import numpy as np
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from photofeed import database
from photofeed.event_log import EventPublisher, KafkaPublisher
from photofeed.experiments import load_experiments
from photofeed.feature_store import load_manifest
from photofeed.features.ranking import require_stored
from photofeed.ids import IdGenerator
from photofeed.model_contract import ModelRegistry
from photofeed.object_store import S3ObjectStore
from photofeed.online_store.reader import PackedReader
from photofeed.settings import Settings
from photofeed.tokens import TokenVerifier
from serving.engagement import EngagementRecorder
from serving.feed.arrivals import Arrivals
from serving.feed.features import FeatureReader
from serving.feed.filters.hidden_authors import HiddenAuthors
from serving.feed.filters.hidden_posts import HiddenPosts
from serving.feed.filters.own import OwnPosts
from serving.feed.history import HistoryReader
from serving.feed.pipeline import SLATE_LENGTH, FeedPipeline
from serving.feed.rerankers import Reranker, warm
from serving.feed.rerankers.author_spacing import AuthorSpacing
from serving.feed.rerankers.diversity import AUTHORS, KINDS, TOPICS
from serving.feed.rerankers.explore_slots import ExploreSlots
from serving.feed.rerankers.freshness import Freshness
from serving.feed.rerankers.near_duplicates import NearDuplicates
from serving.feed.rerankers.repeats import Repeats
from serving.feed.scorers.ladder import Ladder
from serving.feed.scorers.popularity import PopularityScorer
from serving.feed.scorers.recency import RecencyScorer
from serving.feed.scorers.shuffled import ShuffledScorer
from serving.feed.served_log import ServedLog
from serving.feed.shadow import ShadowScorer
from serving.feed.slate import CursorSigner, SlateStore
from serving.feed.sources import CandidateSource
from serving.feed.sources.archive import Archive
from serving.feed.sources.celebrities import CelebritySource
from serving.feed.sources.following import FollowingSource
from serving.feed.sources.pools import PoolSource
from serving.feed.sources.taste import TasteSource
from serving.model_slot import ModelSlot
from serving.pipelined_redis import PipelinedRedis
from serving.posts import Posts
from serving.reads import Reads
from serving.services import Services

REDIS_SECONDS = 1.0


@asynccontextmanager
async def services(
    settings: Settings, connect_publisher: Callable[[Settings], EventPublisher] = KafkaPublisher
) -> AsyncIterator[Services]:
    """The API's services on real systems, running for as long as the context is open."""
    async with AsyncExitStack() as owned:
        pool, reads = database.async_pool(settings), Reads(settings)
        await pool.open()
        owned.push_async_callback(pool.close)
        owned.push_async_callback(reads.aclose)
        redis_url = settings.redis_url.get_secret_value()
        client = redis.asyncio.Redis.from_url(
            redis_url,
            socket_timeout=REDIS_SECONDS,
            socket_connect_timeout=REDIS_SECONDS,
            retry=Retry(NoBackoff(), 1),
        )
        owned.push_async_callback(client.aclose)
        pipelined = PipelinedRedis(client, REDIS_SECONDS)
        owned.push_async_callback(pipelined.aclose)
        publisher = connect_publisher(settings)
        owned.callback(publisher.close)
        registry = ModelRegistry.connect(settings)
        owned.callback(registry.close)
        objects = S3ObjectStore.connect(settings)
        manifest = load_manifest(settings, objects)
        require_stored(manifest)
        reader = PackedReader([view.schema for view in manifest.views], async_client=client)
        activity = PackedReader([manifest.view("user_activity").schema], async_client=client)
        rng = np.random.default_rng()
        rules = reranking_rules(settings.explore_share, rng)
        warm(rules)

        experiments = load_experiments(settings.experiments_file)
        model_slot = ModelSlot(settings, registry)
        model_slot.start()
        owned.push_async_callback(model_slot.stop)
        served_log = ServedLog(publisher, ShadowScorer(model_slot) if experiments.shadow else None)
        served_log.start()
        owned.push_async_callback(served_log.stop)

        ids = IdGenerator()
        graph: list[CandidateSource] = [FollowingSource(pipelined), CelebritySource(pipelined)]
        feed = FeedPipeline(
            settings=settings,
            reads=reads,
            sources=graph,
            explore=[PoolSource(pipelined, rng, settings.explore_pools_seconds), TasteSource(pipelined, rng)],
            filters=[OwnPosts(), HiddenAuthors(), HiddenPosts()],
            history=HistoryReader(pipelined),
            archive=Archive(reads),
            features=FeatureReader(manifest, reader),
            ladder=Ladder(model_slot, [PopularityScorer(), RecencyScorer()], [ShuffledScorer(rng)]),
            rules=rules,
            slates=SlateStore(pipelined),
            cursors=CursorSigner(settings),
            posts=Posts(reads, settings.public_url),
            served_log=served_log,
            arrivals=Arrivals(pipelined, graph),
            experiments=experiments,
        )
        yield Services(
            settings=settings,
            ids=ids,
            database=pool,
            redis=client,
            objects=objects,
            publisher=publisher,
            verifier=TokenVerifier(settings),
            engagement=EngagementRecorder(pool, publisher, ids),
            model_slot=model_slot,
            feed=feed,
            activity=activity,
        )


def reranking_rules(explore_share: float, rng: np.random.Generator) -> list[Reranker]:
    """The rules of a slate in their order: soft ones change scores, hard ones then choose and order what is shown."""
    return [
        Freshness(),
        AUTHORS,
        TOPICS,
        KINDS,
        NearDuplicates(),
        ExploreSlots(explore_share, SLATE_LENGTH, rng),
        Repeats(),
        AuthorSpacing(),
    ]
