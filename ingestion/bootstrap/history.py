"""The worker that writes the lake."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ingestion.archive import Archive
from ingestion.bootstrap import Run
from ingestion.bootstrap.group_worker import group_worker
from photofeed import topics
from photofeed.offline_store.compaction import Compaction
from photofeed.offline_store.lake import open_lake
from photofeed.settings import Settings


@contextmanager
def archive(settings: Settings, stop: threading.Event) -> Iterator[Run]:
    """The worker that keeps the raw history, and merges the lake's small parts beside it."""
    with ExitStack() as owned:
        lake = open_lake(settings)
        handler = Archive(lake, settings.bucket_lake)
        worker = group_worker(
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
