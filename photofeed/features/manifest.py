"""The feature manifest: what serving must know of a FeatureService to read it without Feast.

It is compiled from the registry when the feature repo is applied, and travels inside every registered model, so that a
server reads exactly the rows, in exactly the layout, that the model was trained on.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import orjson

from photofeed.features.counters import AS_OF_FIELD
from photofeed.online_store.schema import RowSchema


@dataclass(frozen=True, slots=True)
class ManifestView:
    """One view of a service: how its rows are packed, and how fast its counters fade."""

    schema: RowSchema
    half_lives: dict[str, float]  # counter field -> seconds

    @property
    def name(self) -> str:
        """The feature view's name."""
        return self.schema.view

    @property
    def has_counters(self) -> bool:
        """Whether rows carry counters and the moment they are true at."""
        return any(field.name == AS_OF_FIELD for field in self.schema.fields)


@dataclass(frozen=True, slots=True, eq=False)
class FeatureManifest:
    """A FeatureService as serving and training read it.

    Two are equal if their hashes are: what is worked out of one is looked up with every feed, and to compare view by
    view would take as long as the work.

    Attributes:
        hash: changes whenever a view, a field, a type, a default or a half-life does.
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

    def to_json(self) -> bytes:
        """The manifest as canonical JSON."""
        views = [{"schema": view.schema.to_dict(), "halfLives": view.half_lives} for view in self.views]
        return orjson.dumps({"service": self.service, "views": views}, option=orjson.OPT_SORT_KEYS)

    @staticmethod
    def from_json(data: bytes) -> "FeatureManifest":
        """The manifest in `to_json`'s bytes."""
        document: dict[str, Any] = orjson.loads(data)
        views = tuple(
            ManifestView(
                RowSchema.from_dict(view["schema"]),
                # JSON has no infinity: orjson writes it as null
                {name: float("inf") if value is None else float(value) for name, value in view["halfLives"].items()},
            )
            for view in document["views"]
        )
        return FeatureManifest(document["service"], views)
