"""The pools worker: builds each kind of pool at its interval, and writes it to Redis for requests to read."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from prometheus_client import Counter, Gauge, Histogram

from ingestion.pools import PoolBuilder
from ingestion.progress import Progress
from photofeed.redis_client import RedisClient
from photofeed.unavailable import is_unavailable

log = structlog.get_logger(__name__)

BUILD_SECONDS = Histogram("photofeed_pools_build_seconds", "Time to build one kind of pool", ["pools"])
FAILED = Counter("photofeed_pools_failed", "Builds that failed; requests use the previous pools", ["pools"])
POSTS = Gauge("photofeed_pools_built", "Pools of one kind that the last build wrote", ["pools"])

KEPT_SECONDS = 86_400  # a pool that is no longer built expires after a day
_TICK_SECONDS = 1.0
_REST_PER_WORK = 10.0  # no kind uses more than a tenth of a core in the long run
_PIPELINE = 1_000


@dataclass(slots=True)
class PoolsWorker:
    """Builds pools. One worker is enough; more repeat the same work and do no harm."""

    builders: Sequence[PoolBuilder]
    redis: RedisClient

    def __post_init__(self) -> None:
        for builder in self.builders:
            FAILED.labels(builder.name)  # from zero on, for alerts

    def run(self, stop: threading.Event, progress: Progress) -> None:
        """Build what is due until `stop` is set."""
        due = dict.fromkeys((builder.name for builder in self.builders), 0.0)
        while not stop.is_set():
            for builder in self.builders:
                began = time.monotonic()
                if began >= due[builder.name]:
                    with progress.working():
                        built = self.build(datetime.now(UTC), [builder])
                    progress.waiting(None if built else f"no {builder.name}: PostgreSQL or Redis is unavailable")
                    progress.committed()
                    rest = (time.monotonic() - began) * _REST_PER_WORK
                    due[builder.name] = began + max(builder.every_seconds, rest)
            stop.wait(_TICK_SECONDS)

    def build(self, now: datetime, builders: Sequence[PoolBuilder] | None = None) -> dict[str, int]:
        """Build pools, all kinds if none are named. A kind that fails keeps its previous pools.

        Returns:
            The number of pools of each kind that was built.
        """
        written = {}
        for builder in self.builders if builders is None else builders:
            try:
                with BUILD_SECONDS.labels(builder.name).time():
                    pools = builder.build(now)
                    self._write(list(pools.items()))
            except Exception as error:
                if not is_unavailable(error):
                    raise
                FAILED.labels(builder.name).inc()
                log.warning("pools not built: previous pools stay", pools=builder.name, error=str(error))
            else:
                written[builder.name] = len(pools)
                POSTS.labels(builder.name).set(len(pools))
        return written

    def _write(self, pools: Sequence[tuple[str, bytes]]) -> None:
        for start in range(0, len(pools), _PIPELINE):
            pipeline = self.redis.pipeline(transaction=False)
            for key, value in pools[start : start + _PIPELINE]:
                pipeline.set(key, value, ex=KEPT_SECONDS)
            pipeline.execute()
