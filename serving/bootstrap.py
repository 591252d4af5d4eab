"""The bootstrap: builds and starts the API's services from the settings, and stops them in reverse order."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import numpy as np
import structlog

from photofeed import database, tracing
from photofeed.dead_letters import DeadLetters
from photofeed.errors import InvalidError
from photofeed.event_log import EventPublisher, EventReader, KafkaReader
from photofeed.experiments import load_experiments
from photofeed.feature_store import load_manifest
from photofeed.features.manifest import FeatureManifest
from photofeed.features.ranking import require_stored
from photofeed.ids import IdGenerator
from photofeed.kafka_access import check_access
from photofeed.kafka_publisher import KafkaPublisher
from photofeed.models.registry import ModelRegistry
from photofeed.object_store import S3ObjectStore
from photofeed.online_store.published_rows import is_published
from photofeed.online_store.reader import PackedReader
from photofeed.redis_client import connect_redis_async, is_cluster, server_url
from photofeed.settings import Settings
from photofeed.tokens import TokenVerifier
from serving.engagement.left_authors import LeftAuthors
from serving.engagement.recorder import EngagementRecorder
from serving.external_ids import ExternalIds
from serving.feed import candidates
from serving.feed.arrivals import Arrivals
from serving.feed.chain import ShownPosts
from serving.feed.features import FeatureReader, is_shared
from serving.feed.filters.hidden_authors import HiddenAuthors
from serving.feed.filters.hidden_posts import HiddenPosts
from serving.feed.filters.own import OwnPosts
from serving.feed.given import MOST_GIVEN, GivenRanker
from serving.feed.history import HistoryReader
from serving.feed.pipeline import SLATE_LENGTH, FeedPipeline
from serving.feed.rerankers import Reranker, warm
from serving.feed.rerankers.author_spacing import AuthorSpacing
from serving.feed.rerankers.diversity import AUTHORS, KINDS, TOPICS
from serving.feed.rerankers.explore_slots import ExploreSlots, slots_for
from serving.feed.rerankers.freshness import Freshness
from serving.feed.rerankers.near_duplicates import NearDuplicates
from serving.feed.rerankers.repeats import Repeats
from serving.feed.rerankers.shown_less import ShownLess
from serving.feed.scorers.fallback_chain import FallbackChain
from serving.feed.scorers.popularity import PopularityScorer
from serving.feed.scorers.recency import RecencyScorer
from serving.feed.scorers.shuffled import ShuffledScorer
from serving.feed.served_log import ServedLog
from serving.feed.shadow import ShadowScorer
from serving.feed.slate import CursorSigner, SlateStore
from serving.feed.slate_ranker import SlateRanker
from serving.feed.sources import CandidateSource
from serving.feed.sources.celebrities import CelebritySource
from serving.feed.sources.following import FollowingSource
from serving.feed.sources.items import ItemSource
from serving.feed.sources.pools import PoolSource
from serving.feed.sources.postgres import PostgresSource
from serving.feed.sources.taste import TasteSource
from serving.feed.stage_times import trace_stages
from serving.hot_rows import following
from serving.identities import Identities
from serving.image_addresses import ImageAddresses
from serving.item_facts import ItemReader
from serving.items import Items
from serving.log_writer import PATIENCE_SECONDS, LogWriter
from serving.model_slot import ModelSlot
from serving.notification_signals import NotificationSignals
from serving.notifications import Notifications
from serving.oidc import OidcProvider
from serving.operations import Operations
from serving.pipelined_cluster import PipelinedCluster
from serving.pipelined_redis import PipelinedRedis, RedisCommands
from serving.posts import Posts
from serving.rate_limits import RateLimiter, shared_counts
from serving.reads import Reads
from serving.receipts import ReceiptSealer
from serving.services import Services
from serving.sessions import Sessions
from serving.stop_signal import StopSignal
from serving.streams import Streams

log = structlog.get_logger(__name__)

REDIS_SECONDS = 1.0
FEATURE_SECONDS = 0.5


def connect_log(settings: Settings) -> EventPublisher:
    """The event log, for callers that wait no longer than a request."""
    try:
        check_access(settings)
    except InvalidError as error:  # feeds need no Kafka
        log.error("no event is accepted before this is corrected", error=str(error))
    return KafkaPublisher(settings, seconds=PATIENCE_SECONDS)


@asynccontextmanager
async def services(
    settings: Settings,
    connect_publisher: Callable[[Settings], EventPublisher] = connect_log,
    connect_reader: Callable[[Settings], EventReader] = KafkaReader,
    redis_seconds: float = REDIS_SECONDS,
) -> AsyncIterator[Services]:
    """The API's services, running while the context is open."""
    async with AsyncExitStack() as owned:
        pool, reads = database.async_pool(settings), Reads(settings)
        await pool.open()
        owned.push_async_callback(pool.close)
        owned.push_async_callback(reads.aclose)
        client = connect_redis_async(settings, redis_seconds)
        owned.push_async_callback(client.aclose)
        pipelined: RedisCommands = (
            PipelinedCluster(connect_redis_async(settings, redis_seconds), redis_seconds)
            if is_cluster(settings)
            else PipelinedRedis(client, redis_seconds)
        )
        owned.push_async_callback(pipelined.aclose)
        publisher = connect_publisher(settings)
        owned.callback(publisher.close)
        registry = ModelRegistry.connect(settings)
        owned.callback(registry.close)
        objects = S3ObjectStore.connect(settings)
        manifest = load_manifest(settings, objects)
        require_stored(manifest)
        features = await owned.enter_async_context(feature_reader(settings, manifest))
        rng = np.random.default_rng()
        rules = reranking_rules(settings.explore_share, rng)
        warm(rules)
        candidates.warm()

        experiments = load_experiments(settings.experiments_file)
        model_slot = ModelSlot(settings, registry, features)
        model_slot.start()
        owned.push_async_callback(model_slot.stop)
        shadow = ShadowScorer(model_slot) if experiments.shadow else None
        served_log = _traced_log(publisher, shadow, pipelined) if tracing.is_on() else ServedLog(publisher, shadow)
        served_log.start()
        owned.push_async_callback(served_log.stop)

        rate_limiter = RateLimiter(settings, shared_counts(client, server_url(settings)))
        rate_limiter.start()
        owned.push_async_callback(rate_limiter.stop)
        stop = StopSignal()
        signals = NotificationSignals(client, stop)
        signals.start()
        owned.push_async_callback(signals.stop)

        provider = OidcProvider(settings) if settings.oidc_issuer else None
        if provider is not None:
            owned.push_async_callback(provider.aclose)
        ids = IdGenerator()
        images, receipts = ImageAddresses(settings), ReceiptSealer(settings)
        posts = Posts(reads, images)
        graph: list[CandidateSource] = [FollowingSource(pipelined), CelebritySource(pipelined)]
        chain = FallbackChain(model_slot, [PopularityScorer(), RecencyScorer()], [ShuffledScorer(rng)])
        external_ids = ExternalIds(pool, ids)
        feed = FeedPipeline(
            settings=settings,
            reads=reads,
            sources=graph,
            explore=[PoolSource(pipelined, rng, settings.explore_pools_seconds), TasteSource(pipelined, rng)],
            filters=[OwnPosts(), HiddenAuthors(), HiddenPosts()],
            history=HistoryReader(pipelined),
            postgres=PostgresSource(reads),
            ranker=SlateRanker(features, chain, rules),
            slates=SlateStore(pipelined),
            shown_posts=ShownPosts(pipelined),
            cursors=CursorSigner(settings),
            receipts=receipts,
            posts=posts,
            served_log=served_log,
            arrivals=Arrivals(pipelined, graph),
            experiments=experiments,
        )
        verifier = TokenVerifier(settings)
        await model_slot.looked()
        yield Services(
            settings=settings,
            ids=ids,
            database=pool,
            redis=client,
            objects=objects,
            publisher=publisher,
            verifier=verifier,
            identities=Identities(pool, reads, ids, settings.jwt_provision),
            sessions=Sessions(settings, pool, provider, verifier),
            rate_limiter=rate_limiter,
            streams=Streams(settings),
            engagement=EngagementRecorder(pool, LogWriter(publisher), ids, receipts, signals, LeftAuthors(pipelined)),
            external_ids=external_ids,
            item_reader=ItemReader(reads, external_ids),
            given=given_ranker(feed, rng),
            items=Items(pool, ids),
            model_slot=model_slot,
            operations=Operations(settings, registry, DeadLetters(connect_reader(settings), publisher)),
            feed=feed,
            posts=posts,
            images=images,
            notifications=Notifications(reads, images),
            signals=signals,
            stop=stop,
        )


def _traced_log(publisher: EventPublisher, shadow: ShadowScorer | None, redis: RedisCommands) -> ServedLog:
    """The served log of a server that traces; its stages become spans too."""
    from serving.feed.shown_traces import TracedServedLog  # noqa: PLC0415  imports OpenTelemetry
    from serving.feed.stage_spans import TracedStage  # noqa: PLC0415

    trace_stages(TracedStage)
    return TracedServedLog(publisher, shadow, redis)


@asynccontextmanager
async def feature_reader(settings: Settings, manifest: FeatureManifest) -> AsyncIterator[FeatureReader]:
    """Reads features, and keeps the rows of posts and their authors in the process."""
    reader = PackedReader([], async_client=connect_redis_async(settings, FEATURE_SECONDS))
    shared = [view.schema for view in manifest.views if is_shared(view.schema) and is_published(view.schema)]
    kept = reader.keep(shared if settings.hot_rows else [], settings.hot_rows)
    try:
        async with following(settings, kept):
            yield FeatureReader(manifest, reader)
    finally:
        await reader.aclose()


def given_ranker(feed: FeedPipeline, rng: np.random.Generator) -> GivenRanker:
    """Ranks candidates that requests bring along as the feed ranks its own; no slate of theirs is too long."""
    share = feed.settings.explore_share
    rules = reranking_rules(share, rng, length=slots_for(MOST_GIVEN, share))
    return GivenRanker(
        reads=feed.reads,
        history=feed.history,
        filters=feed.filters,
        items=ItemSource(feed.reads),
        ranker=replace(feed.ranker, rules=rules),
        receipts=feed.receipts,
        served_log=feed.served_log,
        experiments=feed.experiments,
    )


def reranking_rules(explore_share: float, rng: np.random.Generator, length: int = SLATE_LENGTH) -> list[Reranker]:
    """The reranking rules in order: soft rules change scores, then hard rules select and order `length` posts."""
    return [
        ShownLess(),
        Freshness(),
        AUTHORS,
        TOPICS,
        KINDS,
        NearDuplicates(),
        ExploreSlots(explore_share, length, rng),
        Repeats(),
        AuthorSpacing(),
    ]
