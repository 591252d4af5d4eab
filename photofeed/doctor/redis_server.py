"""Redis or Valkey: version, role, eviction policy, memory and clock."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import redis

from photofeed.doctor.clocks import clock
from photofeed.doctor.finding import Finding, first_line, ok, warning, wrong
from photofeed.redis_client import connect_redis, primaries
from photofeed.settings import Settings

OLDEST = (7, 0)
POLICY = "volatile-ttl"
_FULL = 0.9


def redis_server(settings: Settings, now: Callable[[], float] = time.time) -> Iterator[Finding]:
    """Check Redis. INFO says all that is needed: managed services refuse CONFIG."""
    try:
        with closing(connect_redis(settings)) as client:
            for one in primaries(client):
                info = one.info()
                before = now()
                seconds, microseconds = one.time()
                after = now()
                yield from server(info)
                yield from clock("redis", seconds + microseconds / 1e6, before, after)
    except (redis.RedisError, ValueError) as error:
        yield wrong("redis.connection", first_line(error), "start the server, or correct PHOTOFEED_REDIS_URL")


def server(info: dict[str, Any]) -> Iterator[Finding]:
    """What the reply to INFO says about the server."""
    version = str(info.get("redis_version", "0.0"))
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        yield wrong("redis.version", f"version {version}", "upgrade to Redis 7.0 or Valkey 7.2, or later")
    else:
        yield ok("redis.version", f"version {info.get('valkey_version', version)}")
    if info.get("role") not in {"master", "primary"}:
        yield wrong("redis.role", "a replica, which refuses writes", "point PHOTOFEED_REDIS_URL to the primary")
    policy, limit, used = info.get("maxmemory_policy"), int(info.get("maxmemory", 0)), int(info.get("used_memory", 0))
    if policy == POLICY:
        yield ok("redis.policy", f"maxmemory-policy is {POLICY}")
    else:
        yield wrong(
            "redis.policy",
            f"maxmemory-policy is {policy}, which evicts features and timelines, or refuses writes when it is full",
            f"set maxmemory-policy to {POLICY}",
        )
    if not limit:
        yield warning("redis.memory", "maxmemory is not set", "set it below the memory of the machine")
    elif used > _FULL * limit:
        yield warning("redis.memory", f"{used / limit:.0%} of maxmemory is used", "raise maxmemory")
