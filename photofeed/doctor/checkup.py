"""All checks, run side by side."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from photofeed.doctor.buckets import buckets
from photofeed.doctor.certificates import certificates
from photofeed.doctor.environment import environment_of
from photofeed.doctor.finding import Check, Finding
from photofeed.doctor.identity import identity
from photofeed.doctor.kafka_cluster import kafka_cluster
from photofeed.doctor.model import features, model
from photofeed.doctor.postgres import postgres
from photofeed.doctor.redis_server import redis_server
from photofeed.settings import Settings

CHECKS: tuple[Check, ...] = (
    environment_of(os.environ),
    postgres,
    redis_server,
    kafka_cluster,
    buckets,
    features,
    model,
    identity,
    certificates,
)


def examine(settings: Settings, checks: Sequence[Check] = CHECKS) -> Iterator[Finding]:
    """The findings of all checks, in their order. They run at the same time; none changes anything."""
    with ThreadPoolExecutor(len(checks)) as pool:
        for running in [pool.submit(_all_of, check, settings) for check in checks]:
            yield from running.result()


def _all_of(check: Check, settings: Settings) -> list[Finding]:
    return list(check(settings))
