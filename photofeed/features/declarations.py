"""Declarations of ranking features, as data: a model's contract carries those that the model was trained on.

A declaration is a ratio of stored features (photofeed.features.rates makes rates and momentum of it), the age of a
stored moment, the cosine of two vectors of stored features, or a function of the server by name and version.
"""

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeAlias

from photofeed.errors import InvalidError
from photofeed.features.ratios import Ratio

HOUR_SECONDS = 3600.0
LONGEST_NAME = 100
VIEW_AND_FIELD = 2


class DeclarationError(InvalidError):
    """A declaration that is not of a known form."""

    code = "feature_declaration"


@dataclass(frozen=True, slots=True)
class Age:
    """The time since a stored moment in units of `unit_seconds`, at least 0; NaN where the moment is unknown."""

    view: str
    field: str
    unit_seconds: float = HOUR_SECONDS

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the columns it reads."""
        return (f"{self.view}__{self.field}",)


@dataclass(frozen=True, slots=True)
class Cosine:
    """The cosine of two vectors of stored features, -1 to 1; 0 where one of them has no length.

    `left` and `right` have the (view, field) of each component, and are equally long.
    """

    left: tuple[tuple[str, str], ...]
    right: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        if not self.left or len(self.left) != len(self.right):
            raise DeclarationError(f"a cosine needs two vectors of one length, not {len(self.left)}, {len(self.right)}")

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the columns it reads."""
        return tuple(f"{view}__{field}" for view, field in (*self.left, *self.right))


@dataclass(frozen=True, slots=True)
class Function:
    """A function of photofeed.features.functions, by name and version."""

    name: str
    version: int


Declared: TypeAlias = Ratio | Age | Cosine | Function

KINDS: dict[str, type[Any]] = {"ratio": Ratio, "age": Age, "cosine": Cosine, "function": Function}
_KIND_OF = {kind: name for name, kind in KINDS.items()}


@dataclass(frozen=True, slots=True)
class RankingFeature:
    """One column of a model's input. `monotone`: 1 if more must never rank lower, -1 if never higher, else 0."""

    name: str
    family: str
    of: Declared
    monotone: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not 0 < len(self.name) <= LONGEST_NAME:
            raise DeclarationError(f"the name of a feature has 1 to {LONGEST_NAME} characters, not {self.name!r}")
        if type(self.of) not in _KIND_OF:
            raise DeclarationError(f"{self.name} is declared by a {type(self.of).__name__}: use {', '.join(KINDS)}")
        if self.monotone not in (-1, 0, 1):
            raise DeclarationError(f"{self.name} has the direction {self.monotone!r}, must be -1, 0 or 1")
        for field in fields(self.of):
            _check(self.name, field, getattr(self.of, field.name))

    @property
    def cap(self) -> float:
        """The largest value that counts; infinity without a cap."""
        return self.of.cap if isinstance(self.of, Ratio) else math.inf

    def to_plain(self) -> dict[str, Any]:
        """The declaration as types that JSON has, without parameters that have their default."""
        values = {field.name: (getattr(self.of, field.name), field.default) for field in fields(self.of)}
        given = {name: value for name, (value, default) in values.items() if value != default}
        named = {"name": self.name, "family": self.family, "monotone": self.monotone}
        return named | {"of": {"kind": _KIND_OF[type(self.of)]} | given}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "RankingFeature":
        """The declaration that `to_plain` returned.

        Raises:
            DeclarationError: it has an unknown kind, or lacks a parameter.
        """
        name = plain.get("name")
        try:
            parameters = dict(plain["of"])
            kind = parameters.pop("kind")
            if kind not in KINDS:
                raise DeclarationError(f"feature {name!r} is of the kind {kind!r}, which this release does not know")
            values = {key: _tupled(value) for key, value in parameters.items()}
            return cls(plain["name"], plain["family"], KINDS[kind](**values), plain.get("monotone", 0))
        except (KeyError, TypeError, ValueError) as error:
            raise DeclarationError(f"feature {name!r} is not a declaration: {error!r}") from error


def _tupled(value: Any) -> Any:
    return tuple(map(_tupled, value)) if isinstance(value, list) else value


def _check(feature: str, field: Any, value: Any) -> None:
    """Raise DeclarationError if a parameter has another type than its field declares."""
    kind = str(field.type)
    if field.default is not MISSING and value is field.default:
        return
    fits = {
        "float": isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value),
        "int": isinstance(value, int) and not isinstance(value, bool),
    }.get(_named(field.type), isinstance(value, str))
    if "tuple" in kind:
        fits = isinstance(value, tuple) and all(_is_column(one) for one in value)
    if not fits:
        raise DeclarationError(f"feature {feature!r} has {field.name} = {value!r}, which is not of the type {kind}")


def _named(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind)


def _is_column(value: Any) -> bool:
    named = isinstance(value, tuple) and len(value) == VIEW_AND_FIELD
    return named and all(isinstance(part, str) and part for part in value)
