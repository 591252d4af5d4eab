"""Where the features worker remembers the ids of the events that it has counted."""

from collections.abc import Sequence
from datetime import date

from photofeed.redis_client import is_cluster
from photofeed.settings import TWO_STAGES, Settings
from photofeed.topics import ENGAGEMENT

COUNTED_PREFIX = "counted:"


def counted_key(day: date, tag: str = "") -> str:
    """The Redis key of the set of counted ids of the events that occurred on one day, UTC.

    `tag` is the hash tag of the worker's keys, with its braces, if Redis is a cluster.
    """
    return f"{tag}{COUNTED_PREFIX}{day:%Y%m%d}"


def counted_keys(settings: Settings, day: date) -> list[str]:
    """The keys of the counted ids of one day: one, or one per partition."""
    cluster = is_cluster(settings)
    return [
        counted_key(day, features_tag(is_cluster=cluster, partition=partition))
        for partition in counting_partitions(settings)
    ]


def counting_partitions(settings: Settings) -> Sequence[int | None]:
    """The partitions that are counted each by itself; a single None if all are counted together."""
    return range(ENGAGEMENT.partitions) if settings.features_stages == TWO_STAGES else (None,)


def features_tag(*, is_cluster: bool, partition: int | None = None) -> str:
    """The hash tag of the keys that the features worker writes together: a cluster writes keys of one slot at once.

    If features are counted in two stages, each partition has a tag of its own.
    """
    if partition is not None:
        return f"{{features:{partition}}}"
    return "{features}" if is_cluster else ""
