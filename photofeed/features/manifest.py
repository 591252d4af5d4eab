"""The feature manifest: what serving needs to read a FeatureService without Feast.

It is compiled from the registry when the feature repo is applied, and is part of every registered model. A server thus
reads the rows that the model was trained on, in the same layout.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from photofeed.online_store.schema import RowSchema


@dataclass(frozen=True, slots=True)
class ManifestView:
    """One view of a service: the layout of its rows, and its counters.

    Attributes:
        half_lives: counter field -> seconds.
        counts: counter field -> what adds to it (photofeed.features.counters); empty in manifests of release 0.1.
    """

    schema: RowSchema
    half_lives: dict[str, float]
    counts: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The feature view's name."""
        return self.schema.view


@dataclass(frozen=True, slots=True, eq=False)
class FeatureManifest:
    """A FeatureService as serving and training read it.

    Manifests are equal if their hashes are. Manifests are keys of caches that every feed looks up; comparing them view
    by view would take as long as the cached work.

    Attributes:
        hash: changes with every view, field, type, default and half-life.
    """

    service: str
    views: tuple[ManifestView, ...]
    hash: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hash", hashlib.sha256(self.to_json()).hexdigest()[:16])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FeatureManifest) and self.hash == other.hash

    def __hash__(self) -> int:
        return hash(self.hash)

    def view(self, name: str) -> ManifestView:
        """The view of that name."""
        return next(view for view in self.views if view.name == name)

    def only(self, columns: Collection[str]) -> "FeatureManifest":
        """The manifest of these columns `view__field`; views without any of them are left out."""
        views = []
        for view in self.views:
            fields = tuple(one for one in view.schema.fields if f"{view.name}__{one.name}" in columns)
            if fields:
                views.append(replace(view, schema=replace(view.schema, fields=fields)))
        return FeatureManifest(self.service, tuple(views))

    def to_json(self) -> bytes:
        """The manifest as canonical JSON."""
        views = [
            {"schema": view.schema.to_dict(), "halfLives": view.half_lives}
            | ({"counts": view.counts} if view.counts else {})
            for view in self.views
        ]
        return orjson.dumps({"service": self.service, "views": views}, option=orjson.OPT_SORT_KEYS)

    @staticmethod
    def from_json(data: bytes) -> "FeatureManifest":
        """The manifest that `to_json` returned."""
        document: dict[str, Any] = orjson.loads(data)
        views = tuple(
            ManifestView(
                RowSchema.from_dict(view["schema"]),
                # JSON has no infinity: orjson writes it as null
                {name: float("inf") if value is None else float(value) for name, value in view["halfLives"].items()},
                dict(view.get("counts", {})),
            )
            for view in document["views"]
        )
        return FeatureManifest(document["service"], views)
