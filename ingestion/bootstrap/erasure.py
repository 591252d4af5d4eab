"""The eraser of deleted accounts: for the worker `removal`, and for commands."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ingestion.bootstrap.counting import counted_events
from ingestion.engagement.push_journal import StoredPushJournal
from ingestion.erasure import Store
from ingestion.erasure.eraser import Eraser
from ingestion.erasure.files import FileStore
from ingestion.erasure.journal import JournalStore
from ingestion.erasure.lake import LakeStore
from ingestion.erasure.log import LogStore
from ingestion.erasure.memory import MemoryStore
from ingestion.erasure.tables import TableStore
from ingestion.removal import Removal
from photofeed import database
from photofeed.counted_ids import counting_partitions
from photofeed.event_log import KafkaReader
from photofeed.object_store import S3ObjectStore
from photofeed.offline_store.lake import open_lake
from photofeed.redis_client import connect_redis
from photofeed.settings import Settings


@contextmanager
def open_eraser(settings: Settings) -> Iterator[Eraser]:
    """The eraser on the systems of the settings. It does not read the log, which forgets by itself."""
    with ExitStack() as owned:
        pool = owned.enter_context(database.pool(settings))
        client = owned.enter_context(connect_redis(settings))
        objects = S3ObjectStore.connect(settings)
        stores: list[Store] = [
            TableStore(settings, pool, Removal(settings, pool, objects)),
            FileStore(settings, objects),
            *(
                JournalStore(
                    StoredPushJournal(objects, settings.bucket_lake, partition),
                    counted_events(settings, client, partition),
                )
                for partition in counting_partitions(settings)
            ),
            MemoryStore(client),
            LakeStore(open_lake(settings), settings.bucket_lake),
        ]
        yield Eraser(settings, pool, stores)


def log_store(settings: Settings) -> LogStore:
    """The log as a store, for proofs."""
    return LogStore(KafkaReader(settings))
