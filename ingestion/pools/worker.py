"""The pools worker: builds each kind of pool as often as it is worth, and puts it where requests read it."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from prometheus_client import Counter, Gauge, Histogram
from psycopg import OperationalError
from redis.exceptions import RedisError

from ingestion.pools import PoolBuilder
from photofeed.timelines import RedisClient

log = structlog.get_logger(__name__)

BUILD_SECONDS = Histogram("photofeed_pools_build_seconds", "Time to build one kind of pool", ["pools"])
FAILED = Counter("photofeed_pools_failed", "Builds that failed; requests go on with the pools before", ["pools"])
POSTS = Gauge("photofeed_pools_built", "Pools of one kind that the last build wrote", ["pools"])

KEPT_SECONDS = 86_400  # a pool that is built no more is wrong after a day
_TICK_SECONDS = 1.0
_REST_PER_WORK = 10.0  # no kind takes more than a tenth of a core for long
_PIPELINE = 1_000


@dataclass(slots=True)
class PoolsWorker:
    """Builds pools; one at a time is enough, more do the same work twice but no harm."""

    builders: Sequence[PoolBuilder]
    redis: RedisClient

    def run(self, stop: threading.Event) -> None:
        """Build what is due until told to stop."""
        due = dict.fromkeys((builder.name for builder in self.builders), 0.0)
        while not stop.is_set():
            for builder in self.builders:
                began = time.monotonic()
                if began >= due[builder.name]:
                    self.build(datetime.now(UTC), [builder])
                    rest = (time.monotonic() - began) * _REST_PER_WORK
                    due[builder.name] = began + max(builder.every_seconds, rest)
            stop.wait(_TICK_SECONDS)

    def build(self, now: datetime, builders: Sequence[PoolBuilder] | None = None) -> dict[str, int]:
        """Build pools, all kinds if none are named; a kind that fails leaves its pools as they are.

        Returns:
            How many pools there are of each kind that was built.
        """
        written = {}
        for builder in self.builders if builders is None else builders:
            try:
                with BUILD_SECONDS.labels(builder.name).time():
                    pools = builder.build(now)
                    self._write(list(pools.items()))
            except (OperationalError, RedisError) as error:
                FAILED.labels(builder.name).inc()
                log.warning("pools stay as they are", pools=builder.name, error=str(error))
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
