"""The workers and commands that remove photos, and verify that they are removed."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial

from ingestion.bootstrap import Run
from ingestion.bootstrap.erasure import open_eraser
from ingestion.bootstrap.group_worker import group_worker
from ingestion.cdn import connect_cdn
from ingestion.leftovers import Leftovers
from ingestion.progress import Progress
from ingestion.purge import Purge
from ingestion.removal import Removal
from ingestion.sweeper import Sweeper
from photofeed import database, topics
from photofeed.object_store import S3ObjectStore
from photofeed.redis_client import connect_redis
from photofeed.settings import Settings
from photofeed.tracing import continued


@contextmanager
def purge(settings: Settings, stop: threading.Event, progress: Progress) -> Iterator[Run]:
    """The worker that purges removed photos from the CDN. It is only needed if there is one."""
    with ExitStack() as owned:
        cdn = connect_cdn(settings)
        owned.callback(cdn.close)
        yield group_worker(
            owned, settings, topics.PURGE_GROUP, continued(Purge(cdn).handle, topics.PURGE_GROUP), stop, progress
        ).run


@contextmanager
def removal(settings: Settings, stop: threading.Event, progress: Progress) -> Iterator[Run]:
    """The worker that deletes the objects of removed photos and, in a second thread, erases deleted accounts."""
    with ExitStack() as owned:
        pool = owned.enter_context(database.pool(settings))
        handler = Removal(settings, pool, S3ObjectStore.connect(settings))
        worker = group_worker(
            owned, settings, topics.REMOVAL_GROUP, continued(handler.handle, topics.REMOVAL_GROUP), stop, progress
        )
        eraser = owned.enter_context(open_eraser(settings))

        def run() -> None:
            connect = partial(database.connect, settings)
            erasing = threading.Thread(target=eraser.run, args=(connect, stop), name="eraser")
            erasing.start()
            try:
                worker.run()
            finally:
                stop.set()
                erasing.join()

        yield run


@contextmanager
def sweeper(settings: Settings, stop: threading.Event, progress: Progress) -> Iterator[Run]:
    """The sweeper. It reads no topic."""
    with open_sweeper(settings) as sweeping:
        yield lambda: sweeping.run(stop, progress)


@contextmanager
def open_sweeper(settings: Settings) -> Iterator[Sweeper]:
    """The sweeper, for a single sweep."""
    with database.pool(settings) as pool:
        objects = S3ObjectStore.connect(settings)
        yield Sweeper(settings, pool, objects, Removal(settings, pool, objects))


@contextmanager
def open_leftovers(settings: Settings) -> Iterator[Leftovers]:
    """The search for leftovers of removed photos, on the systems of the settings."""
    with database.pool(settings) as pool, connect_redis(settings) as client, closing(connect_cdn(settings)) as cdn:
        yield Leftovers(settings, pool, S3ObjectStore.connect(settings), client, cdn)
