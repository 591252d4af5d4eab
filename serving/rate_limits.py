"""Rate limits: how many calls of a class a person or an address may make in a span of time.

A process counts the calls in memory, so a call waits for nothing. The first LOCAL_SHARE of a limit is counted there
alone, and most callers never reach it. Beyond it, counts are added to Redis every SYNC_SECONDS (`limits`, sliding
window counter), which tells what the other processes have admitted. So n processes together admit at most
LOCAL_SHARE * n more than the limit, and the calls of SYNC_SECONDS. If Redis does not answer, each process counts alone.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import structlog
from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import RedisClusterStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from prometheus_client import Counter
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import RedisError

from photofeed.settings import Settings

log = structlog.get_logger(__name__)

REFUSED = Counter("photofeed_rate_limited", "Calls refused by a rate limit", ["route_class", "by"])
UNSHARED = Counter("photofeed_rate_limits_unshared", "Counts of calls that Redis did not take")

RATE_LIMIT_HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "RateLimit-Policy")
LOCAL_SHARE, SYNC_SECONDS = 0.1, 0.2
MAX_KEYS = 100_000
_SPANS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


class RouteClass(StrEnum):
    """Classes of calls, each with a limit of its own."""

    READS = "reads"
    WRITES = "writes"
    UPLOADS = "uploads"
    EVENTS = "events"
    SEARCH = "search"
    SIGN_IN = "sign_in"
    IMAGES = "images"


class Standing(NamedTuple):
    """What a caller may still do: `limit` calls per `span` seconds, of which `remaining` are left.

    `reset` is the seconds until the count starts anew, `retry_after` those until a refused call would be admitted.
    """

    limit: int
    span: int
    remaining: int
    reset: int
    retry_after: int = 0

    @property
    def admitted(self) -> bool:
        """Whether the call may go on."""
        return self.retry_after == 0


@dataclass(slots=True)
class _Count:
    """The calls of one key: in this window and the one before, not yet in Redis, and those of other processes."""

    window: int
    current: int = 0
    previous: int = 0
    unsent: int = 0
    elsewhere: int = 0

    def turn(self, window: int) -> None:
        """Go to another window."""
        if window != self.window:
            self.previous = self.current if window == self.window + 1 else 0
            self.window, self.current, self.elsewhere = window, 0, 0


class _Key(NamedTuple):
    route_class: RouteClass
    caller: str  # a person or an address
    factor: int


def shared_counts(client: Redis | RedisCluster, url: str) -> SlidingWindowCounterRateLimiter:
    """The counts that all processes share, in the Redis of a client; `url` is its address."""
    if isinstance(client, RedisCluster):
        return SlidingWindowCounterRateLimiter(_cluster_storage(client))
    options: dict[str, Any] = {"connection_pool": client.connection_pool}  # `limits` declares plain values only
    storage = RedisStorage(f"async+{url}", implementation="redispy", key_prefix="rate", **options)
    return SlidingWindowCounterRateLimiter(storage)


def _cluster_storage(client: RedisCluster) -> RedisClusterStorage:
    """The storage of `limits` on a cluster. It makes a client of its own, which is replaced before it connects."""
    storage = RedisClusterStorage("async+redis+cluster://replaced:1", implementation="redispy", key_prefix="rate")
    bridge: Any = storage.bridge
    bridge.storage, bridge.connection_getter = client, lambda _: client
    bridge.register_scripts()
    return storage


class RateLimiter:
    """Counts calls in a sliding window: those of the current one, and those of the one before by its remaining part."""

    def __init__(
        self, settings: Settings, shared: SlidingWindowCounterRateLimiter, clock: Callable[[], float] = time.time
    ) -> None:
        self._items = {one: _item(getattr(settings, f"rate_{one}")) for one in RouteClass}
        self._limits = {one: (item.amount, item.get_expiry()) for one, item in self._items.items()}
        self._clock = clock
        self._shared = shared
        self._counts: dict[_Key, _Count] = {}
        self._unsent: set[_Key] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to share counts. Call it inside the event loop."""
        self._task = asyncio.create_task(self._keep_sharing())

    async def stop(self) -> None:
        """Stop sharing counts."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def admit(self, route_class: RouteClass, caller: str, factor: int = 1) -> Standing:
        """Count a call, if the limit allows it.

        Args:
            route_class: of the call.
            caller: who is counted: a person or an address.
            factor: times that the limit of a person applies; an address has many people.
        """
        (limit, span), key, now = self._limits[route_class], _Key(route_class, caller, factor), self._clock()
        limit *= factor
        window = int(now // span)
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = _Count(window)
            self._make_room()
        count.turn(window)
        until_end = span - now % span
        left = until_end / span  # the part of the window that remains
        used = count.current + count.elsewhere + count.previous * left
        reset = math.ceil(until_end)
        if used + 1 > limit:
            return Standing(limit, span, 0, reset, _retry_after(count, limit, span, until_end))
        count.current += 1
        count.unsent += 1
        if used >= limit * LOCAL_SHARE:
            self._unsent.add(key)
        return Standing(limit, span, int(limit - used - 1), reset)

    async def share(self) -> None:
        """Add the counts of this process to Redis, and take over those of the others."""
        keys, self._unsent = self._unsent, set()
        for key in keys:
            count = self._counts.get(key)
            if count is None:
                continue
            item = self._items[key.route_class]
            many = RateLimitItemPerSecond(item.amount * key.factor, item.get_expiry())
            sent, count.unsent = count.unsent, 0
            try:
                fits = await self._shared.hit(many, key.route_class, key.caller, cost=sent)
                stats = await self._shared.get_window_stats(many, key.route_class, key.caller)
            except (RedisError, OSError) as error:
                UNSHARED.inc()
                log.warning("rate limits are not shared: Redis does not answer", error=repr(error))
                return
            total = many.amount - stats.remaining + (0 if fits else sent)
            left = 1 - self._clock() % many.get_expiry() / many.get_expiry()
            count.elsewhere = max(math.floor(total - count.current - count.previous * left) + count.unsent, 0)

    async def _keep_sharing(self) -> None:
        while True:
            await asyncio.sleep(SYNC_SECONDS)
            await self.share()

    def _make_room(self) -> None:
        """Forget counts that have ended, or the oldest, if there are too many."""
        if len(self._counts) <= MAX_KEYS:
            return
        now = self._clock()
        ended = [
            key
            for key, count in self._counts.items()
            if count.window < int(now // self._items[key.route_class].get_expiry()) - 1
        ]
        for key in ended or [next(iter(self._counts))]:
            del self._counts[key]


def _item(text: str) -> RateLimitItem:
    """The limit in a setting, such as 60/minute."""
    amount, _, unit = text.partition("/")
    return RateLimitItemPerSecond(int(amount), _SPANS[unit])


def _retry_after(count: _Count, limit: int, span: int, until_end: float) -> int:
    """Whole seconds until one more call fits."""
    now_used = count.current + count.elsewhere
    room = limit - 1 - now_used
    if room >= 0 and count.previous:  # as soon as enough of the window before has passed
        seconds = until_end - span * room / count.previous
    else:  # in the next window, of which this one is then the one before
        seconds = until_end + span * max(1 - (limit - 1) / now_used, 0)
    return max(math.ceil(round(seconds, 6)), 1)


def headers_of(standing: Standing) -> Mapping[str, str]:
    """The headers of a reply: the draft of the IETF's httpapi group with one number a header, and Retry-After."""
    values = (standing.limit, standing.remaining, standing.reset, f"{standing.limit};w={standing.span}")
    headers = dict(zip(RATE_LIMIT_HEADERS, map(str, values), strict=True))
    return headers if standing.admitted else headers | {"Retry-After": str(standing.retry_after)}
