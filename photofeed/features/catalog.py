"""The feature catalog: every feature view of the registry, for people who look for a feature."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.cluster import RedisCluster

from photofeed.online_store.codec import event_times
from photofeed.online_store.keys import scan_pattern
from photofeed.online_store.schema import RowSchema

FRESHNESS_SAMPLE = 2000
"""How many rows of a view are read to tell its freshness: a scan of all rows would load Redis."""


@dataclass(frozen=True, slots=True)
class CatalogFeature:
    """One feature as declared. `tags` leaves out the unit, which is an attribute of its own."""

    name: str
    dtype: str
    unit: str
    description: str
    tags: dict[str, str]


@dataclass(frozen=True, slots=True)
class CatalogView:
    """One feature view: description, owner, join keys, the feature services it belongs to, and its features."""

    name: str
    description: str
    owner: str
    join_keys: tuple[str, ...]
    services: tuple[str, ...]
    tags: dict[str, str]
    features: tuple[CatalogFeature, ...]


def catalog(views: Iterable[Any], services: Iterable[Any]) -> list[CatalogView]:
    """The catalog of Feast's views and services: views sorted by name, features in declared order."""
    serving = [(service.name, {each.name for each in service.feature_view_projections}) for service in services]
    return [
        CatalogView(
            name=view.name,
            description=view.description,
            owner=view.owner,
            join_keys=tuple(sorted(view.join_keys)),
            services=tuple(sorted(name for name, served in serving if view.name in served)),
            tags=dict(view.tags),
            features=tuple(_feature(field) for field in view.features),
        )
        for view in sorted(views, key=lambda view: str(view.name))
    ]


def newest_event(client: Redis | RedisCluster, schema: RowSchema) -> int | None:
    """Newest event time of up to FRESHNESS_SAMPLE online rows, microseconds since 1970; None if there are no rows."""
    found = client.scan_iter(scan_pattern(schema.project, schema.view), count=FRESHNESS_SAMPLE)
    keys = list(itertools.islice(found, FRESHNESS_SAMPLE))
    if not keys:
        return None
    stored: Any = client.mget_nonatomic(keys) if isinstance(client, RedisCluster) else client.mget(keys)
    events = event_times(stored)
    return int(events.max()) if len(events) else None


def _feature(field: Any) -> CatalogFeature:
    tags = dict(field.tags)
    return CatalogFeature(field.name, str(field.dtype), tags.pop("unit", ""), field.description, tags)
