"""The features worker, and the command that recomputes a view."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog
from psycopg import Connection
from psycopg import Error as PsycopgError
from psycopg.rows import DictRow

from ingestion.bootstrap import Run
from ingestion.bootstrap.counting import counted_events
from ingestion.bootstrap.group_worker import group_worker
from ingestion.engagement.counted_events import FEATURES, CountedInParts, EmptiedError, FencedError
from ingestion.engagement.feature_sink import FeastSink
from ingestion.engagement.feed_memory import RedisFeedMemory
from ingestion.engagement.partials import PartialExchange, Partitions
from ingestion.engagement.pipeline import EngagementPipeline
from ingestion.engagement.push_journal import StoredPushJournal
from ingestion.engagement.stages import NEVER, StagedPipeline
from ingestion.progress import Progress
from photofeed import database, topics
from photofeed.counted_ids import counting_partitions
from photofeed.erasures import ErasedAmong, erased_among, nobody
from photofeed.errors import ConflictError, NotFoundError
from photofeed.event_log import EventPublisher, KafkaReader
from photofeed.feature_store import close_feature_store, load_counter_views, open_feature_store
from photofeed.features.counters import CounterView
from photofeed.kafka_access import open_publisher
from photofeed.object_store import S3ObjectStore
from photofeed.offline_store.lake import Lake, open_lake
from photofeed.redis_client import RedisClient, connect_redis
from photofeed.settings import TWO_STAGES, Settings
from photofeed.tracing import linked
from photofeed.write_marks import WriteMarks

if TYPE_CHECKING:
    from ingestion.engagement.backfill import BackfillResult

log = structlog.get_logger(__name__)

_WANTED_SECONDS = 2.0  # how often a worker looks whether a command takes over
_TAKE_OVER_SECONDS, _TAKE_OVER_PAUSE_SECONDS = 120.0, 0.2
# Larger batches cost less per event. Waiting for them delays features.
_FEATURES_MESSAGES, _FEATURES_LINGER_SECONDS, _HISTORY_SECONDS = 2_000, 0.05, 2.0


def engagement_pipeline(
    settings: Settings,
    store: Any,
    client: RedisClient,
    erased: ErasedAmong = nobody,
    *,
    partition: int | None = None,
    publisher: EventPublisher | None = None,
    stores: "Stores | None" = None,
) -> EngagementPipeline:
    """The engagement path on a Feast feature store, Redis and object storage.

    Args:
        settings: where the systems are.
        store: the feature store.
        client: of Redis.
        erased: which people are erased.
        partition: the only one that it counts, in two stages.
        publisher: sends what a partition adds to rows of others.
        stores: what it shares with the pipelines of other partitions.
    """
    stores = stores or Stores.open(settings, store, client)
    name = FEATURES if partition is None else f"{FEATURES}:{partition}"
    pipeline = EngagementPipeline(
        stores.views,
        counted_events(settings, client, partition),
        stores.sink,
        RedisFeedMemory(client),
        StoredPushJournal(stores.objects, settings.bucket_lake, partition),
        erased,
        WriteMarks(client, name),
        partition=partition or 0,
        flush_seconds=0.0 if partition is None else NEVER,
        new_account_us=settings.new_account_us,
    )
    if partition is not None and publisher is not None:
        pipeline.exchange = PartialExchange(Partitions(topics.ENGAGEMENT.partitions), publisher)
    pipeline.rebuild = lambda: restore_features(settings, store, client, [pipeline])
    return pipeline


@dataclass(frozen=True, slots=True)
class Stores:
    """Where pipelines write features, connected in a part of a second. Only one thread may use them."""

    views: Sequence[CounterView]
    sink: FeastSink
    objects: S3ObjectStore

    @classmethod
    def open(cls, settings: Settings, store: Any, client: RedisClient) -> "Stores":
        """Connect to the systems of a feature store."""
        views = load_counter_views(store)
        return cls(views, FeastSink(store, client, views), S3ObjectStore.connect(settings))


@dataclass(frozen=True, slots=True)
class RestoredFeatures:
    """What was restored: counted events, events of what people hid, liked or saw, and entities of each view."""

    counted: int
    remembered: int
    entities: dict[str, int]


def restore_features(
    settings: Settings, store: Any, client: RedisClient, pipelines: Sequence[EngagementPipeline]
) -> RestoredFeatures:
    """Restore features and what was counted from the history, the event log and the lake.

    No worker may count meanwhile in the partitions of these pipelines.
    """
    from ingestion.engagement.committed_log import remember_committed, remember_credits
    from ingestion.engagement.online_rebuild import rebuild_online
    from ingestion.engagement.remembered_people import remember_people

    lake, now, counted = open_lake(settings), datetime.now(UTC), 0
    for pipeline in pipelines:
        own = pipeline.partition if settings.features_stages == TWO_STAGES else None
        counted += remember_committed(KafkaReader(settings), pipeline.counted, own) + pipeline.finish_push()
        remember_credits(lake, settings.bucket_lake, pipeline.counted, now, own)
    remembered = remember_people(lake, settings.bucket_lake, pipelines[0].memory, now)
    entities = rebuild_online(store, lake, client)
    for pipeline in pipelines:
        pipeline.counted.begin()
        pipeline.marks.raise_to(pipeline.journal.newest, known=0)
    return RestoredFeatures(counted, remembered, entities)


@contextmanager
def features(settings: Settings, stop: threading.Event, progress: Progress) -> Iterator[Run]:
    """The worker that turns engagement into features. If there are several, one is the leader and the others wait."""
    with ExitStack() as owned:
        client = connect_redis(settings)
        owned.callback(client.close)
        store = open_feature_store(settings)
        owned.callback(close_feature_store, store)
        erased = erased_among(owned.enter_context(database.pool(settings)))
        if settings.features_stages == TWO_STAGES:
            yield _staged_run(owned, settings, stop, progress, Systems(store, client, erased))
            return
        pipeline = engagement_pipeline(settings, store, client, erased)
        pipeline.flush_seconds = _HISTORY_SECONDS

        def run() -> None:
            # Counters are read, changed and written back, so only one worker may do it at a time.
            progress.stands_by()
            with database.connect(settings) as connection:
                if database.wait_for_leadership(connection, database.FEATURES_LEADER, stop):
                    end_when_wanted(connection, stop)
                    _become_leader(pipeline, settings, store)
                    _counting_run(owned, settings, pipeline, stop, progress)()

        yield run


@dataclass(frozen=True, slots=True)
class Systems:
    """What pipelines of partitions share."""

    store: Any
    redis: RedisClient
    erased: ErasedAmong


def begin_partitions(settings: Settings, systems: Systems) -> None:
    """Let all partitions be counted from zero, if nothing was ever counted."""
    from ingestion.engagement.online_rebuild import has_history  # imports Feast

    partitions = [counted_events(settings, systems.redis, one) for one in counting_partitions(settings)]
    if not has_history(systems.store, open_lake(settings)):
        for counted in partitions:
            counted.begin()


def staged_pipeline(settings: Settings, systems: Systems, publisher: EventPublisher) -> StagedPipeline:
    """The engagement path in two stages."""
    store, client = systems.store, systems.redis
    stores = Stores.open(settings, store, client)

    def open_partition(partition: int) -> EngagementPipeline:
        pipeline = engagement_pipeline(
            settings, store, client, systems.erased, partition=partition, publisher=publisher, stores=stores
        )
        if not pipeline.counted.has_begun():
            raise EmptiedError
        pipeline.become_leader()
        return pipeline

    return StagedPipeline(open_partition, stores.sink, _HISTORY_SECONDS)


def _counting_run(
    owned: ExitStack,
    settings: Settings,
    pipeline: EngagementPipeline | StagedPipeline,
    stop: threading.Event,
    progress: Progress,
) -> Run:
    """The loop that reads the topics of features into a pipeline; it ends when another worker is the leader."""
    handle = linked(pipeline.handle, topics.FEATURES_GROUP)
    return group_worker(
        owned,
        settings,
        topics.FEATURES_GROUP,
        lambda envelopes: _stopping_if_fenced(lambda: handle(envelopes), stop),
        stop,
        progress,
        batch_size=_FEATURES_MESSAGES,
        linger_seconds=_FEATURES_LINGER_SECONDS,
        idle=lambda: _stopping_if_fenced(pipeline.flush, stop),
        may_commit=lambda: pipeline.is_flushed,
    ).run


def _staged_run(
    owned: ExitStack, settings: Settings, stop: threading.Event, progress: Progress, systems: Systems
) -> Run:
    """The loop of one of several workers that count at the same time, each its own partitions."""
    publisher = open_publisher(settings)
    owned.callback(publisher.close)
    pipeline = staged_pipeline(settings, systems, publisher)

    def run() -> None:
        progress.stands_by()
        with database.connect(settings) as connection:
            # shared among the workers: commands that change all features need it alone
            if database.wait_for_leadership(connection, database.FEATURES_LEADER, stop, shared=True):
                end_when_wanted(connection, stop)
                begin_partitions(settings, systems)
                _counting_run(owned, settings, pipeline, stop, progress)()

    return run


def backfill_view(settings: Settings, name: str) -> "BackfillResult":
    """Recompute a counter view on the systems of the settings. The features worker must be stopped.

    Raises:
        NotFoundError: no counter view of that name is applied.
        ConflictError: a features worker is running, or the archive has not caught up with it.
        EmptiedError: Redis was emptied: rebuild it first.
    """
    with ExitStack() as owned:
        connection = owned.enter_context(database.connect(settings))
        if not database.try_leadership(connection, database.FEATURES_LEADER):
            raise ConflictError("the features worker is running: stop it, backfill, and start it again")
        with counting_alone(settings) as alone:
            return alone.backfill(name)


@dataclass(frozen=True, slots=True)
class CountingAlone:
    """The features of a photofeed in which nobody else counts."""

    settings: Settings
    store: Any
    client: RedisClient
    lake: Lake
    pipelines: Sequence[EngagementPipeline]

    def backfill(self, name: str) -> "BackfillResult":
        """Recompute a counter view; raises as `backfill_view`."""
        from ingestion.engagement.backfill import backfill  # imports Feast and DuckDB
        from ingestion.engagement.counted_log import counted_log

        views = {view.name: view for view in load_counter_views(self.store)}
        if name not in views:
            raise NotFoundError(f"no counter view {name!r}; there are {', '.join(views)}")
        counted = CountedInParts([pipeline.counted for pipeline in self.pipelines])
        log_of_all = counted_log(self.lake, self.settings.bucket_lake, counted)
        return backfill(self.store, self.lake, self.client, views[name], log_of_all, self.settings.new_account_us)

    def remember_imports(self) -> None:
        """Remember what imported events credit people with, and what they hid, liked and saw, as if counted."""
        from ingestion.engagement.committed_log import remember_credits
        from ingestion.engagement.remembered_people import remember_people

        now, bucket = datetime.now(UTC), self.settings.bucket_lake
        for pipeline in self.pipelines:
            own = pipeline.partition if self.settings.features_stages == TWO_STAGES else None
            remember_credits(self.lake, bucket, pipeline.counted, now, own)
        remember_people(self.lake, bucket, self.pipelines[0].memory, now)


@contextmanager
def counting_alone(settings: Settings) -> Iterator[CountingAlone]:
    """The features of the settings' systems, for a caller that is the leader of features."""
    with ExitStack() as owned:
        client = owned.enter_context(connect_redis(settings))
        store = open_feature_store(settings)
        owned.callback(close_feature_store, store)
        # pushes the pending batches of a worker that died, which have rows of other views too
        pipelines, stores = [], Stores.open(settings, store, client)
        for partition in counting_partitions(settings):
            pipeline = engagement_pipeline(settings, store, client, partition=partition, stores=stores)
            _become_leader(pipeline, settings, store)
            pipeline.flush()
            pipelines.append(pipeline)
        yield CountingAlone(settings, store, client, open_lake(settings), pipelines)


@contextmanager
def taking_over_features(settings: Settings) -> Iterator[CountingAlone]:
    """The features of the settings' systems; a running features worker ends, and one that starts again waits.

    Raises:
        ConflictError: a worker did not end in time.
    """
    with database.connect(settings) as connection:
        database.wait_for_leadership(connection, database.FEATURES_WANTED, threading.Event())
        until = time.monotonic() + _TAKE_OVER_SECONDS
        while not database.try_leadership(connection, database.FEATURES_LEADER):
            if time.monotonic() > until:
                raise ConflictError("the features worker is busy and did not end: stop it, and try again")
            time.sleep(_TAKE_OVER_PAUSE_SECONDS)
        with counting_alone(settings) as alone:
            yield alone


def end_when_wanted(connection: Connection[DictRow], stop: threading.Event) -> None:
    """Set `stop` when a command wants to be the leader; a worker that is started again waits until it is done.

    A thread looks every two seconds, on the connection that holds the worker's leadership.
    """
    threading.Thread(target=_wait_until_wanted, args=(connection, stop), name="take-over", daemon=True).start()


def _wait_until_wanted(connection: Connection[DictRow], stop: threading.Event) -> None:
    while not stop.wait(_WANTED_SECONDS):
        try:
            # shared: workers that look at the same time must not take each other for a command
            wanted = not database.try_leadership_now(connection, database.FEATURES_WANTED, shared=True)
        except PsycopgError as error:
            log.warning("the features worker lost the connection of its leadership", error=repr(error))
            return
        if wanted:
            log.info("the features worker ends: a command takes over")
            stop.set()


def _become_leader(pipeline: EngagementPipeline, settings: Settings, store: Any) -> None:
    """Make the pipeline the leader, unless Redis has lost the counters and it would count from zero."""
    from ingestion.engagement.online_rebuild import has_history  # imports Feast: seconds that no other worker needs

    if not pipeline.counted.has_begun() and has_history(store, open_lake(settings)):
        raise EmptiedError
    pipeline.become_leader()


def _stopping_if_fenced(work: Run, stop: threading.Event) -> None:
    """Run `work`; stop this worker if it is no longer the leader (FencedError) or Redis was emptied (EmptiedError)."""
    try:
        work()
    except (FencedError, EmptiedError) as error:
        log.error("features worker stops", reason=str(error))
        stop.set()
        raise
