"""The worker that writes the lake."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pyarrow as pa

from ingestion.archive import Archive
from ingestion.bootstrap import Run
from ingestion.bootstrap.group_worker import group_worker
from ingestion.progress import Progress
from photofeed import database, topics
from photofeed.allocator import release_on_free
from photofeed.erasures import erased_among
from photofeed.offline_store.compaction import Compaction
from photofeed.offline_store.lake import open_lake
from photofeed.settings import Settings
from photofeed.tracing import linked


@contextmanager
def archive(settings: Settings, stop: threading.Event, progress: Progress) -> Iterator[Run]:
    """The worker that writes the raw history, and merges small parts of the lake in a second thread."""
    # Arrow's own pool keeps what freed batches took, in each thread.
    release_on_free()
    pa.set_memory_pool(pa.system_memory_pool())
    with ExitStack() as owned:
        lake = open_lake(settings)
        pool = owned.enter_context(database.pool(settings))
        handler = Archive(lake, settings.bucket_lake, erased_among(pool))
        worker = group_worker(
            owned,
            settings,
            topics.ARCHIVE_GROUP,
            linked(handler.handle, topics.ARCHIVE_GROUP),
            stop,
            progress,
            batch_size=500,
            linger_seconds=2.0,
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
