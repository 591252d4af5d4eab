"""The worker that turns engagement into features, and the command that counts a view anew."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import structlog

from ingestion.bootstrap import Run
from ingestion.bootstrap.group_worker import group_worker
from ingestion.engagement.counted_events import DeposedError, EmptiedError, RedisCountedEvents
from ingestion.engagement.feature_sink import FeastSink
from ingestion.engagement.feed_memory import RedisFeedMemory
from ingestion.engagement.pipeline import EngagementPipeline
from ingestion.engagement.push_journal import StoredPushJournal
from photofeed import database, topics
from photofeed.errors import ConflictError, NotFoundError
from photofeed.feature_store import close_feature_store, load_counter_views, open_feature_store
from photofeed.object_store import S3ObjectStore
from photofeed.offline_store.lake import open_lake
from photofeed.settings import Settings
from photofeed.timelines import RedisClient, connect_redis

if TYPE_CHECKING:
    from ingestion.engagement.backfill import Backfilled

log = structlog.get_logger(__name__)

_FEATURES = "features"  # whose memory of counted events it is
# Larger batches cost less an event; waiting for them costs freshness.
_FEATURES_MESSAGES, _FEATURES_LINGER_SECONDS, _HISTORY_SECONDS = 2_000, 0.05, 2.0


def engagement_pipeline(settings: Settings, store: Any, client: RedisClient) -> EngagementPipeline:
    """The engagement path on a Feast feature store, Redis and object storage."""
    views = load_counter_views(store)
    return EngagementPipeline(
        views,
        RedisCountedEvents(client, worker=_FEATURES),
        FeastSink(store, client, views),
        RedisFeedMemory(client),
        StoredPushJournal(S3ObjectStore.connect(settings), settings.bucket_lake),
    )


@contextmanager
def features(settings: Settings, stop: threading.Event) -> Iterator[Run]:
    """The worker that turns engagement into features; of several, one works and the others stand by."""
    with ExitStack() as owned:
        client = connect_redis(settings)
        owned.callback(client.close)
        store = open_feature_store(settings)
        owned.callback(close_feature_store, store)
        pipeline = engagement_pipeline(settings, store, client)
        pipeline.gather_seconds = _HISTORY_SECONDS

        def run() -> None:
            # Rows of posts and creators are read, changed and written by one worker at a time.
            with database.connect(settings) as connection:
                if database.wait_to_lead(connection, database.FEATURES_LEADER, stop):
                    _lead(pipeline, settings, store, client)
                    group_worker(
                        owned,
                        settings,
                        topics.FEATURES_GROUP,
                        lambda envelopes: _in_office(lambda: pipeline.handle(envelopes), stop),
                        stop,
                        batch_size=_FEATURES_MESSAGES,
                        linger_seconds=_FEATURES_LINGER_SECONDS,
                        idle=lambda: _in_office(pipeline.settle, stop),
                        settled=lambda: pipeline.settled,
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
        _lead(engagement_pipeline(settings, store, client), settings, store, client)
        lake, counted = open_lake(settings), RedisCountedEvents(client, worker=_FEATURES)
        return backfill(store, lake, client, views[name], counted_log(lake, settings.bucket_lake, counted))


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
