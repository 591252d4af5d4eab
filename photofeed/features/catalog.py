"""The catalog: every feature view of the registry, as people who look for a feature want to read it."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from redis import Redis

from photofeed.online_store.codec import RowCodec, timestamps
from photofeed.online_store.keys import scan_pattern
from photofeed.online_store.schema import RowSchema

FRESHNESS_SAMPLE = 2000
"""Rows of a view that are looked at for its freshness: a scan of all would load Redis."""


@dataclass(frozen=True, slots=True)
class CatalogFeature:
    """One feature as it was declared. `tags` without the unit, which has a place of its own."""

    name: str
    dtype: str
    unit: str
    description: str
    tags: dict[str, str]


@dataclass(frozen=True, slots=True)
class CatalogView:
    """One feature view: what it is about, whose it is, which services serve it, what it holds."""

    name: str
    description: str
    owner: str
    join_keys: tuple[str, ...]
    services: tuple[str, ...]
    tags: dict[str, str]
    features: tuple[CatalogFeature, ...]


def catalog(views: Iterable[Any], services: Iterable[Any]) -> list[CatalogView]:
    """The catalog of Feast's views and services, views by name, features as declared."""
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


def newest_event(client: Redis, schema: RowSchema) -> int | None:
    """Event time of the newest among up to FRESHNESS_SAMPLE online rows, microseconds since 1970; None without rows."""
    found = client.scan_iter(scan_pattern(schema.project, schema.view), count=FRESHNESS_SAMPLE)
    keys = list(itertools.islice(found, FRESHNESS_SAMPLE))
    if not keys:
        return None
    stored: Any = client.mget(keys)
    rows = RowCodec(schema).decode(stored).rows
    return int(np.max(timestamps(rows["event"]))) if len(rows) else None


def _feature(field: Any) -> CatalogFeature:
    tags = dict(field.tags)
    return CatalogFeature(field.name, str(field.dtype), tags.pop("unit", ""), field.description, tags)
