"""Builds the workers from the settings, and closes what it built."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import structlog

from ingestion.archive import Archive
from ingestion.celebrities import Celebrities
from ingestion.engagement.counted_events import DeposedError, EmptiedError, RedisCountedEvents
from ingestion.engagement.feature_sink import FeastSink
from ingestion.engagement.feed_memory import RedisFeedMemory
from ingestion.engagement.pipeline import EngagementPipeline
from ingestion.fanout import Fanout
from ingestion.leftovers import Leftovers
from ingestion.outbox_relay import OutboxRelay
from ingestion.photos.moderation import OpenNsfwModerator, Thresholds
from ingestion.photos.pipeline import PhotoPipeline
from ingestion.photos.records import PhotoRecords
from ingestion.photos.sandbox import PhotoSandbox
from ingestion.photos.sizes import FEED_SIZES, ZOOM_OUTPUTS, Outputs
from ingestion.photos.storage import PhotoStorage
from ingestion.photos.validate import PhotoLimits
from ingestion.photos.zoom import ZoomPipeline
from ingestion.pools.neighbours import Neighbours
from ingestion.pools.new_creators import NewCreators
from ingestion.pools.topics import Topics
from ingestion.pools.trending import Trending
from ingestion.pools.worker import PoolsWorker
from ingestion.purge import Purge
from ingestion.removal import Removal
from ingestion.sweeper import Sweeper
from photofeed import database, topics
from photofeed.cdn import connect_cdn
from photofeed.errors import ConflictError, NotFoundError
from photofeed.event_log import KafkaGroupConsumer, KafkaPublisher
from photofeed.feature_store import close_feature_store, load_counter_views, open_feature_store
from photofeed.object_store import S3ObjectStore
from photofeed.offline_store.compaction import Compaction
from photofeed.offline_store.lake import open_lake
from photofeed.settings import Settings
from photofeed.timelines import RedisClient, TimelineWriter, connect_redis
from photofeed.worker import Handler, Worker

if TYPE_CHECKING:
    from ingestion.engagement.backfill import Backfilled

log = structlog.get_logger(__name__)

Run = Callable[[], None]

_ZOOM_NICENESS = 10
_FEATURES = "features"  # whose memory of counted events it is
# Larger batches cost less an event; waiting for them costs freshness.
_FEATURES_MESSAGES, _FEATURES_LINGER_SECONDS, _HISTORY_SECONDS = 2_000, 0.05, 2.0


@contextmanager
def relay(settings: Settings, stop: threading.Event) -> Iterator[Run]:
    """The outbox relay."""
    publisher = KafkaPublisher(settings)
    try:
        yield OutboxRelay(lambda: database.connect(settings), publisher, stop).run
    finally:
        publisher.close()


@contextmanager
def photos(settings: Settings, stop: threading.Event) -> Iterator[Run]:
    """A photo worker: one photo at a time, so run one a core."""
    with ExitStack() as owned:
        pool = owned.enter_context(database.pool(settings))
        sandbox = owned.enter_context(
            PhotoSandbox(PhotoLimits.of(settings), Outputs(FEED_SIZES, avif=settings.avif_variants))
        )
        pipeline = PhotoPipeline(
            _storage(settings), PhotoRecords(pool), sandbox, OpenNsfwModerator(), Thresholds.of(settings)
        )
        yield _worker(owned, settings, topics.PHOTOS_GROUP, pipeline.handle, stop, batch_size=1, max_attempts=6).run


@contextmanager
def zoom(settings: Settings, stop: threading.Event) -> Iterator[Run]:
    """The worker that makes the zoom sizes, when nobody else wants the processor."""
    os.nice(_ZOOM_NICENESS)
    with ExitStack() as owned:
        pool = owned.enter_context(database.pool(settings))
        sandbox = owned.enter_context(PhotoSandbox(PhotoLimits.of(settings), ZOOM_OUTPUTS))
        pipeline = ZoomPipeline(_storage(settings), PhotoRecords(pool), sandbox)
        yield _worker(owned, settings, topics.ZOOM_GROUP, pipeline.handle, stop, batch_size=1, max_attempts=6).run


def _storage(settings: Settings) -> PhotoStorage:
    return PhotoStorage(S3ObjectStore.connect(settings), settings.bucket_originals, settings.bucket_variants)


def engagement_pipeline(store: Any, client: RedisClient) -> EngagementPipeline:
    """The engagement path on a Feast feature store and Redis."""
    views = load_counter_views(store)
    return EngagementPipeline(
        views,
        RedisCountedEvents(client, worker=_FEATURES),
        FeastSink(store, client, views),
        RedisFeedMemory(client),
    )


@contextmanager
def features(settings: Settings, stop: threading.Event) -> Iterator[Run]:
    """The worker that turns engagement into features; of several, one works and the others stand by."""
    with ExitStack() as owned:
        client = connect_redis(settings)
        owned.callback(client.close)
        store = open_feature_store(settings)
        owned.callback(close_feature_store, store)
        pipeline = engagement_pipeline(store, client)
        pipeline.gather_seconds = _HISTORY_SECONDS

        def run() -> None:
            # Rows of posts and creators are read, changed and written by one worker at a time.
            with database.connect(settings) as connection:
                if database.wait_to_lead(connection, database.FEATURES_LEADER, stop):
                    _lead(pipeline, settings, store, client)
                    _worker(
                        owned,
                        settings,
                        topics.FEATURES_GROUP,
                        lambda envelopes: _in_office(lambda: pipeline.handle(envelopes), stop),
                        stop,
                        batch_size=_FEATURES_MESSAGES,
                        linger_seconds=_FEATURES_LINGER_SECONDS,
                        idle=lambda: _in_office(pipeline.settle, stop),
                    ).run()

        yield run


def backfill_view(settings: Settings, name: str) -> "Backfilled":
    """Recompute a counter view on the real systems, while no features worker works.

    Raises:
        NotFoundError: no such view of counters is applied.
        ConflictError: a features worker is running, or the archive is behind it.
        EmptiedError: Redis was emptied; rebuild it first.
    """
    from ingestion.engagement.backfill import backfill  # noqa: PLC0415  Feast again, and DuckDB
    from ingestion.engagement.counted_log import counted_log  # noqa: PLC0415

    with ExitStack() as owned:
        connection = owned.enter_context(database.connect(settings))
        if not database.try_to_lead(connection, database.FEATURES_LEADER):
            raise ConflictError("the features worker is running: stop it, backfill, and start it again")
        client = owned.enter_context(connect_redis(settings))
        store = open_feature_store(settings)
        owned.callback(close_feature_store, store)
        views = {view.name: view for view in load_counter_views(store)}
        if name not in views:
            raise NotFoundError(f"there is no view of counters {name!r}; there are {', '.join(views)}")
        # what a worker that died had decided belongs to the other views
        _lead(engagement_pipeline(store, client), settings, store, client)
        lake, counted = open_lake(settings), RedisCountedEvents(client, worker=_FEATURES)
        return backfill(store, lake, client, views[name], counted_log(lake, settings.bucket_lake, counted))


@contextmanager
def fanout(settings: Settings, stop: threading.Event) -> Iterator[Run]:
    """The worker that writes timelines."""
    with ExitStack() as owned:
        pool = owned.enter_context(database.pool(settings))
        client = connect_redis(settings)
        owned.callback(client.close)
        timelines = TimelineWriter(client, settings.timeline_length)
        handler = Fanout(pool, timelines, Celebrities(pool, timelines, settings.celebrity_followers))
        yield _worker(owned, settings, topics.FANOUT_GROUP, handler.handle, stop).run


@contextmanager
def archive(settings: Settings, stop: threading.Event) -> Iterator[Run]:
    """The worker that keeps the raw history, and merges the lake's small parts beside it."""
    with ExitStack() as owned:
        lake = open_lake(settings)
        handler = Archive(lake, settings.bucket_lake)
        worker = _worker(
            owned, settings, topics.ARCHIVE_GROUP, handler.handle, stop, batch_size=500, linger_seconds=2.0
        )

        def run() -> None:
            compaction = Compaction(lake, settings.bucket_lake)
            merging = threading.Thread(target=compaction.run, args=(stop, settings.compact_seconds), name="compaction")
            merging.start()
            try:
                worker.run()
            finally:
                stop.set()
                merging.join()

        yield run


@contextmanager
def purge(settings: Settings, stop: threading.Event) -> Iterator[Run]:
    """The worker that takes removed photos out of the CDN; only of use where there is one."""
    with ExitStack() as owned:
        cdn = connect_cdn(settings)
        owned.callback(cdn.close)
        yield _worker(owned, settings, topics.PURGE_GROUP, Purge(cdn).handle, stop).run


@contextmanager
def removal(settings: Settings, stop: threading.Event) -> Iterator[Run]:
    """The worker that deletes the objects of removed photos."""
    with ExitStack() as owned:
        pool = owned.enter_context(database.pool(settings))
        handler = Removal(settings, pool, S3ObjectStore.connect(settings))
        yield _worker(owned, settings, topics.REMOVAL_GROUP, handler.handle, stop).run


@contextmanager
def sweeper(settings: Settings, stop: threading.Event) -> Iterator[Run]:
    """The sweeper, which reads no topic."""
    with open_sweeper(settings) as sweeping:
        yield lambda: sweeping.run(stop)


@contextmanager
def open_sweeper(settings: Settings) -> Iterator[Sweeper]:
    """The sweeper itself, for a single round."""
    with database.pool(settings) as pool:
        objects = S3ObjectStore.connect(settings)
        yield Sweeper(settings, pool, objects, Removal(settings, pool, objects))


@contextmanager
def pools(settings: Settings, stop: threading.Event) -> Iterator[Run]:
    """The worker that builds the pools of explore; it reads no topic."""
    with open_pools(settings) as building:
        yield lambda: building.run(stop)


@contextmanager
def open_pools(settings: Settings) -> Iterator[PoolsWorker]:
    """The pools worker itself, for a single round."""
    with database.pool(settings) as pool, connect_redis(settings) as client:
        yield PoolsWorker([Trending(pool, client), NewCreators(pool), Topics(pool), Neighbours(pool)], client)


@contextmanager
def open_leftovers(settings: Settings) -> Iterator[Leftovers]:
    """The proof of deletion on real servers."""
    with database.pool(settings) as pool, connect_redis(settings) as client:
        yield Leftovers(settings, pool, S3ObjectStore.connect(settings), client)


WORKERS = {
    "relay": relay,
    "photos": photos,
    "zoom": zoom,
    "features": features,
    "fanout": fanout,
    "archive": archive,
    "purge": purge,
    "removal": removal,
    "sweeper": sweeper,
    "pools": pools,
}


def _worker(
    owned: ExitStack,
    settings: Settings,
    group: str,
    handler: Handler,
    stop: threading.Event,
    *,
    batch_size: int = 100,
    max_attempts: int | None = None,
    linger_seconds: float = 0.0,
    idle: Callable[[], None] | None = None,
) -> Worker:
    publisher = KafkaPublisher(settings)
    owned.callback(publisher.close)
    consumer = KafkaGroupConsumer(settings, group, topics.SUBSCRIPTIONS[group])
    return Worker(
        group,
        consumer,
        publisher,
        handler,
        stop,
        batch_size=batch_size,
        max_attempts=max_attempts,
        linger_seconds=linger_seconds,
        idle=idle,
    )


def _lead(pipeline: EngagementPipeline, settings: Settings, store: Any, client: RedisClient) -> None:
    """Be the one who turns events into features, unless that would be to count from nothing."""
    from photofeed.offline_store.rebuild import is_emptied  # noqa: PLC0415  Feast: seconds no other worker needs

    if is_emptied(store, open_lake(settings), client):
        raise EmptiedError
    pipeline.lead()


def _in_office(work: Run, stop: threading.Event) -> None:
    """Work, and end the worker where what it would decide is asked for no longer, or would be wrong."""
    try:
        work()
    except (DeposedError, EmptiedError) as error:
        log.error("the features worker ends", reason=str(error))
        stop.set()
        raise
