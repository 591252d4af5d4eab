"""The workers and commands that take photos away, and prove that they are gone."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from ingestion.bootstrap import Run
from ingestion.bootstrap.group_worker import group_worker
from ingestion.leftovers import Leftovers
from ingestion.purge import Purge
from ingestion.removal import Removal
from ingestion.sweeper import Sweeper
from photofeed import database, topics
from photofeed.cdn import connect_cdn
from photofeed.object_store import S3ObjectStore
from photofeed.settings import Settings
from photofeed.timelines import connect_redis


@contextmanager
def purge(settings: Settings, stop: threading.Event) -> Iterator[Run]:
    """The worker that takes removed photos out of the CDN; only of use where there is one."""
    with ExitStack() as owned:
        cdn = connect_cdn(settings)
        owned.callback(cdn.close)
        yield group_worker(owned, settings, topics.PURGE_GROUP, Purge(cdn).handle, stop).run


@contextmanager
def removal(settings: Settings, stop: threading.Event) -> Iterator[Run]:
    """The worker that deletes the objects of removed photos."""
    with ExitStack() as owned:
        pool = owned.enter_context(database.pool(settings))
        handler = Removal(settings, pool, S3ObjectStore.connect(settings))
        yield group_worker(owned, settings, topics.REMOVAL_GROUP, handler.handle, stop).run


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
    with database.pool(settings) as pool, connect_redis(settings) as client, closing(connect_cdn(settings)) as cdn:
        yield Leftovers(settings, pool, S3ObjectStore.connect(settings), client, cdn)
