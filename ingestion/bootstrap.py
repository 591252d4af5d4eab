"""Builds the workers from the settings, and closes what it built."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ingestion.archive import Archive
from ingestion.engagement.counted_events import RedisCountedEvents
from ingestion.engagement.feature_sink import FeastSink
from ingestion.engagement.feed_memory import RedisFeedMemory
from ingestion.engagement.pipeline import EngagementPipeline
from ingestion.fanout import Fanout
from ingestion.leftovers import Leftovers
from ingestion.outbox_relay import OutboxRelay
from ingestion.photos.pipeline import PhotoPipeline
from ingestion.photos.records import PhotoRecords
from ingestion.photos.sandbox import PhotoSandbox
from ingestion.photos.validate import PhotoLimits
from ingestion.removal import Removal
from ingestion.sweeper import Sweeper
from photofeed import database, topics
from photofeed.event_log import KafkaGroupConsumer, KafkaPublisher
from photofeed.feature_store import close_feature_store, load_counter_views, open_feature_store
from photofeed.object_store import S3ObjectStore
from photofeed.online_store.feast_schema import row_schema
from photofeed.online_store.reader import PackedReader
from photofeed.settings import Settings
from photofeed.timelines import RedisClient, TimelineWriter, connect_redis
from photofeed.worker import Handler, Worker

Run = Callable[[], None]


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
        limits = PhotoLimits(settings.upload_max_bytes, settings.upload_max_pixels)
        sandbox = owned.enter_context(PhotoSandbox(limits))
        pipeline = PhotoPipeline(settings, S3ObjectStore.connect(settings), PhotoRecords(pool), sandbox)
        yield _worker(owned, settings, topics.PHOTOS_GROUP, pipeline.handle, stop, batch_size=1, max_attempts=6).run


def engagement_pipeline(store: Any, client: RedisClient) -> EngagementPipeline:
    """The engagement path on a Feast feature store and Redis."""
    views = load_counter_views(store)
    readers = {
        view.name: PackedReader([row_schema(store.get_feature_view(view.name), store.project)], client=client)
        for view in views
    }
    return EngagementPipeline(
        views,
        RedisCountedEvents(client, worker="features"),
        FeastSink(store, readers, views),
        RedisFeedMemory(client),
    )


@contextmanager
def features(settings: Settings, stop: threading.Event) -> Iterator[Run]:
    """The worker that turns engagement into features."""
    with ExitStack() as owned:
        client = connect_redis(settings)
        owned.callback(client.close)
        store = open_feature_store(settings)
        owned.callback(close_feature_store, store)
        pipeline = engagement_pipeline(store, client)
        pipeline.recover()
        yield _worker(owned, settings, topics.FEATURES_GROUP, pipeline.handle, stop, batch_size=100).run


@contextmanager
def fanout(settings: Settings, stop: threading.Event) -> Iterator[Run]:
    """The worker that writes timelines."""
    with ExitStack() as owned:
        pool = owned.enter_context(database.pool(settings))
        client = connect_redis(settings)
        owned.callback(client.close)
        handler = Fanout(pool, TimelineWriter(client, settings.timeline_length), settings.celebrity_followers)
        yield _worker(owned, settings, topics.FANOUT_GROUP, handler.handle, stop).run


@contextmanager
def archive(settings: Settings, stop: threading.Event) -> Iterator[Run]:
    """The worker that keeps the raw history."""
    with ExitStack() as owned:
        handler = Archive(S3ObjectStore.connect(settings), settings.bucket_lake)
        worker = _worker(owned, settings, topics.ARCHIVE_GROUP, handler.handle, stop, batch_size=500)
        worker.linger_seconds = 2.0
        yield worker.run


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
def open_leftovers(settings: Settings) -> Iterator[Leftovers]:
    """The proof of deletion on real servers."""
    with database.pool(settings) as pool, connect_redis(settings) as client:
        yield Leftovers(settings, pool, S3ObjectStore.connect(settings), client)


WORKERS = {
    "relay": relay,
    "photos": photos,
    "features": features,
    "fanout": fanout,
    "archive": archive,
    "removal": removal,
    "sweeper": sweeper,
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
) -> Worker:
    publisher = KafkaPublisher(settings)
    owned.callback(publisher.close)
    consumer = KafkaGroupConsumer(settings, group, topics.SUBSCRIPTIONS[group])
    return Worker(group, consumer, publisher, handler, stop, batch_size=batch_size, max_attempts=max_attempts)
