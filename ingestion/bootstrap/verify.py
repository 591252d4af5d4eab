"""`photofeed verify` on the systems of the settings."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from ingestion.bootstrap.counting import counted_events
from ingestion.bootstrap.removal import open_leftovers
from ingestion.engagement.counted_events import CountedInParts
from ingestion.verify import Check, Patience
from ingestion.verify.counts import Counts
from ingestion.verify.features import Features, LakeEvents
from ingestion.verify.log import Groups, LogCounted, LogInLake
from ingestion.verify.objects import Objects
from ingestion.verify.removed import Removed
from ingestion.verify.timelines import Pools, Timelines
from photofeed import database
from photofeed.counted_ids import counting_partitions
from photofeed.database import Database
from photofeed.erasures import erased_among
from photofeed.event_log import KafkaGroupOffsets, KafkaReader
from photofeed.feature_store import close_feature_store, load_counter_views, open_feature_store
from photofeed.kafka_groups import groups_without_workers
from photofeed.object_store import S3ObjectStore
from photofeed.offline_store.lake import open_lake
from photofeed.offline_store.spilling import spilling
from photofeed.online_store.feast_schema import row_schema
from photofeed.online_store.reader import PackedReader
from photofeed.redis_client import connect_redis
from photofeed.settings import Settings
from photofeed.topics import SUBSCRIPTIONS

_EVENTS_PER_MB = 2_000  # of entities in memory: 500 bytes an event, if each is of an entity of its own


@contextmanager
def open_checks(settings: Settings, patience: Patience, memory_mb: int) -> Iterator[Sequence[Check]]:
    """All checks, in the order in which data flows.

    Args:
        settings: where the systems are.
        patience: how long messages may take.
        memory_mb: what DuckDB and the counters of one pass may use, each.
    """
    with ExitStack() as owned:
        pool = owned.enter_context(database.pool(settings))
        client = owned.enter_context(connect_redis(settings))
        leftovers = owned.enter_context(open_leftovers(settings))
        store = open_feature_store(settings)
        owned.callback(close_feature_store, store)
        objects, lake, reader = S3ObjectStore.connect(settings), open_lake(settings), KafkaReader(settings)
        erased, duckdb_config = erased_among(pool), spilling(lake.cache_dir, memory_mb)
        parts = [counted_events(settings, client, one) for one in counting_partitions(settings)]
        views = load_counter_views(store)
        schemas = {view.name: row_schema(store.get_feature_view(view.name), store.project) for view in views}
        yield (
            Counts(settings, pool, patience),
            Objects(settings, pool, objects, patience, duckdb_config),
            Groups(
                lambda group: KafkaGroupOffsets(settings, group, SUBSCRIPTIONS[group]),
                reader,
                patience,
                groups_without_workers(settings),
            ),
            LogInLake(reader, lake, settings.bucket_lake, erased, duckdb_config),
            LogCounted(reader, CountedInParts(parts), erased),
            Features(
                LakeEvents(lake, settings.bucket_lake),
                views,
                {name: PackedReader([schema], client=client) for name, schema in schemas.items()},
                patience,
                settings.new_account_us,
                _erasures(pool),
                memory_mb * _EVENTS_PER_MB,
            ),
            Timelines(pool, client, settings.timeline_length, patience),
            Pools(pool, client, patience),
            Removed(leftovers, patience),
        )


def _erasures(pool: Database) -> int:
    with pool.connection() as connection:
        row = connection.execute("select count(*) as n from erasures").fetchone()
    return 0 if row is None else int(row["n"])
