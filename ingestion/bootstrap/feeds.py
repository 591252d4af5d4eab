"""The workers of candidates: timelines and the pools of explore."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from ingestion.bootstrap import Run
from ingestion.bootstrap.group_worker import group_worker
from ingestion.celebrities import Celebrities
from ingestion.fanout import Fanout
from ingestion.kept_marks import KeptMarks
from ingestion.pools.neighbours import Neighbours
from ingestion.pools.new_creators import NewCreators
from ingestion.pools.topics import Topics
from ingestion.pools.trending import Trending
from ingestion.pools.worker import PoolsWorker
from ingestion.post_traces import keeping_traces
from ingestion.progress import Progress
from ingestion.timeline_rebuild import TimelineRebuild
from photofeed import database, topics
from photofeed.events import Envelope
from photofeed.redis_client import connect_redis
from photofeed.settings import Settings
from photofeed.timelines import TimelineWriter
from photofeed.tracing import continued


@contextmanager
def fanout(settings: Settings, stop: threading.Event, progress: Progress) -> Iterator[Run]:
    """The worker that writes timelines."""
    with ExitStack() as owned:
        pool = owned.enter_context(database.pool(settings))
        client = connect_redis(settings)
        owned.callback(client.close)
        timelines = TimelineWriter(client, settings.timeline_length)
        handler = Fanout(pool, timelines, Celebrities(pool, timelines, settings.celebrity_followers))
        deliver = continued(keeping_traces(handler.handle, client), topics.FANOUT_GROUP)
        rebuild = TimelineRebuild(pool, client, settings.timeline_length, KeptMarks(pool, client, topics.FANOUT_GROUP))

        def handle(envelopes: Sequence[Envelope]) -> None:
            rebuild.ensure()
            deliver(envelopes)
            rebuild.finish()

        yield group_worker(owned, settings, topics.FANOUT_GROUP, handle, stop, progress, idle=rebuild.ensure).run


@contextmanager
def pools(settings: Settings, stop: threading.Event, progress: Progress) -> Iterator[Run]:
    """The worker that builds the pools of explore. It reads no topic."""
    with open_pools(settings) as building:
        yield lambda: building.run(stop, progress)


@contextmanager
def open_pools(settings: Settings) -> Iterator[PoolsWorker]:
    """The pools worker, for a single build."""
    with database.pool(settings) as pool, connect_redis(settings) as client:
        yield PoolsWorker([Trending(pool, client), NewCreators(pool), Topics(pool), Neighbours(pool)], client)
