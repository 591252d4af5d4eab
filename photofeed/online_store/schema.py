"""The schema of a feature view's packed rows: names, types, defaults, and a hash that identifies them."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

import numpy as np

# Feast value types of fixed width, and their numpy types in a row. Every other type is stored as a serialized proto.
FIXED_TYPES: dict[str, str] = {
    "FLOAT": "<f4",
    "DOUBLE": "<f8",
    "INT32": "<i4",
    "INT64": "<i8",
    "BOOL": "?",
    "UNIX_TIMESTAMP": "<i8",
}
FLOAT_TYPES = frozenset({"FLOAT", "DOUBLE"})
MISSING: Final = -1
"""The offset of a row that does not exist."""

Default = float | int | bool | None


class SchemaMismatchError(ValueError):
    """Stored rows were written by another version of the feature view."""

    def __init__(self, view: str, rows: int) -> None:
        super().__init__(
            f"{rows} stored rows of feature view {view!r} were written with another schema. "
            f"Write the view again (feast materialize, or push), or read it with the schema that it was written with."
        )


@dataclass(frozen=True, slots=True)
class JoinKey:
    """One column of the entity key: its name and Feast value type (`INT64`, `STRING`, ...)."""

    name: str
    value_type: str


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One feature: its name, Feast value type, and the default that a reader gets if there is no value.

    Only fixed-width types have a default.
    """

    name: str
    value_type: str
    default: Default = None

    def __post_init__(self) -> None:
        if self.default is None and self.is_fixed:
            object.__setattr__(self, "default", math.nan if self.value_type in FLOAT_TYPES else 0)

    @property
    def is_fixed(self) -> bool:
        """Whether the value has a fixed width, so that readers get it as a numpy column."""
        return self.value_type in FIXED_TYPES


@dataclass(frozen=True)
class RowSchema:
    """The packed form of a feature view.

    `join_keys` are kept sorted by name, because keys are built in that order; `fields` stay as declared.

    Raises:
        ValueError: a colon in the project's or view's name (Feast's references end a name with one), a duplicate name,
            or no fields.
    """

    project: str
    view: str
    join_keys: tuple[JoinKey, ...]
    fields: tuple[FieldSpec, ...]

    def __post_init__(self) -> None:
        if ":" in self.project or ":" in self.view:
            raise ValueError(f"a colon in {self.project!r} or {self.view!r} would make keys ambiguous")
        names = [key.name for key in self.join_keys] + [field.name for field in self.fields]
        if not self.fields or len(set(names)) < len(names):
            raise ValueError(f"feature view {self.view!r} needs at least one field, and unique names: {names}")
        object.__setattr__(self, "join_keys", tuple(sorted(self.join_keys, key=lambda key: key.name)))

    @cached_property
    def fixed_fields(self) -> tuple[FieldSpec, ...]:
        """Fields that readers get as numpy columns, in declared order."""
        return tuple(field for field in self.fields if field.is_fixed)

    @cached_property
    def variable_fields(self) -> tuple[FieldSpec, ...]:
        """Fields that only Feast can read, in declared order."""
        return tuple(field for field in self.fields if not field.is_fixed)

    @cached_property
    def values_dtype(self) -> np.dtype[np.void]:
        """The packed structured dtype of the fixed-width fields."""
        return np.dtype([(field.name, FIXED_TYPES[field.value_type]) for field in self.fixed_fields])

    @cached_property
    def hash(self) -> int:
        """32-bit hash of view name, join keys, field names and types, in order; without defaults and project."""
        parts = [self.view, *(f"{key.name}:{key.value_type}" for key in self.join_keys), "->"]
        parts += [f"{field.name}:{field.value_type}" for field in self.fields]
        return int.from_bytes(hashlib.blake2b("\n".join(parts).encode(), digest_size=4).digest())

    def to_dict(self) -> dict[str, Any]:
        """The schema as plain data for `from_dict`; NaN defaults become None."""
        return {
            "project": self.project,
            "view": self.view,
            "join_keys": [{"name": key.name, "type": key.value_type} for key in self.join_keys],
            "fields": [
                {
                    "name": field.name,
                    "type": field.value_type,
                    "default": None if field.default is None or math.isnan(field.default) else field.default,
                }
                for field in self.fields
            ],
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The schema in plain data; a field without `default` gets NaN (floats) or 0."""
        return cls(
            project=plain["project"],
            view=plain["view"],
            join_keys=tuple(JoinKey(key["name"], key["type"]) for key in plain["join_keys"]),
            fields=tuple(FieldSpec(field["name"], field["type"], field.get("default")) for field in plain["fields"]),
        )

    def to_json(self) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The schema that `to_json` returned."""
        return cls.from_dict(json.loads(text))
