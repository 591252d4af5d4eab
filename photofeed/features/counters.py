"""Which counters an engagement event adds to, and how much: parsed from the tags of Feast fields.

A field of a counter view carries two tags. `half_life_seconds` is a number or `inf`. `counts` lists contributions as
`[reverse:]action[@content_type]=weight`, separated by spaces; a weight is a number or `seconds`, the dwell time capped
at DWELL_CAP_SECONDS; `any` stands for every action. `reverse:` counts towards the reversed pair: the creator's row
about the user.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photofeed.errors import InvalidError
from photofeed.events import Action
from photofeed.features.event_columns import EventColumns

COUNTS_TAG, HALF_LIFE_TAG = "counts", "half_life_seconds"
AS_OF_FIELD = "as_of"  # microseconds since the epoch at which a row's counters are true
DWELL_CAP_SECONDS = 60.0
ANY = "any"


@dataclass(frozen=True, slots=True)
class Contribution:
    """One term of a counter: events that match add `weight` (None: their seconds of dwell)."""

    action: Action | None
    content_type: str | None
    weight: float | None
    reverse: bool

    def amounts(self, events: EventColumns) -> NDArray[np.float64]:
        """The amount that each event adds, (n,); 0 where the event does not match."""
        matches = np.ones(len(events), np.bool_) if self.action is None else events.did(self.action)
        if self.content_type is not None:
            matches &= events.content_type == self.content_type
        weight = np.minimum(events.dwell_seconds, DWELL_CAP_SECONDS) if self.weight is None else self.weight
        return np.where(matches, weight, 0.0)


@dataclass(frozen=True, slots=True)
class Counter:
    """One decayed counter of a view."""

    name: str
    half_life_seconds: float
    contributions: tuple[Contribution, ...]


@dataclass(frozen=True, slots=True)
class CounterView:
    """A feature view made of decayed counters that share one time, kept per combination of join keys."""

    name: str
    join_keys: tuple[str, ...]
    counters: tuple[Counter, ...]

    def keys_of(self, events: EventColumns, *, reverse: bool) -> NDArray[np.int64]:
        """The join keys of the row that each event counts towards, (n, keys); 0 where the event lacks a key."""
        swapped = {"user_id": "creator_id", "creator_id": "user_id"} if reverse else {}
        return np.stack([getattr(events, swapped.get(key, key)) for key in self.join_keys], axis=1)

    def amounts(self, events: EventColumns, *, reverse: bool) -> NDArray[np.float64]:
        """The amount that each event adds to each counter, (n, counters)."""
        added = np.zeros((len(events), len(self.counters)))
        for column, counter in enumerate(self.counters):
            for contribution in counter.contributions:
                if contribution.reverse is reverse:
                    added[:, column] += contribution.amounts(events)
        return added

    @property
    def counter_names(self) -> tuple[str, ...]:
        """The counters' names, in order."""
        return tuple(counter.name for counter in self.counters)

    @property
    def half_lives(self) -> NDArray[np.float64]:
        """Seconds in which each counter halves, (counters,)."""
        return np.array([counter.half_life_seconds for counter in self.counters])

    @property
    def is_of_everybody(self) -> bool:
        """Whether a row counts what all people do, so that it changes the feeds of others."""
        return "user_id" not in self.join_keys

    @property
    def has_reverse(self) -> bool:
        """Whether an event may also count towards the reversed pair."""
        return any(c.reverse for counter in self.counters for c in counter.contributions)


def parse_counter(name: str, tags: Mapping[str, str]) -> Counter:
    """The counter that a field's tags declare.

    Raises:
        InvalidError: the tags are not of the form above; the message names the field.
    """
    try:
        half_life = float(tags[HALF_LIFE_TAG])
        contributions = tuple(_parse_contribution(term) for term in tags[COUNTS_TAG].split())
    except (KeyError, ValueError) as error:
        raise InvalidError(f"invalid tags of counter {name!r}: {error}") from error
    if not half_life > 0 or math.isnan(half_life):
        raise InvalidError(f"counter {name!r} needs a half-life above 0")
    return Counter(name, half_life, contributions)


def _parse_contribution(term: str) -> Contribution:
    what, _, weight = term.partition("=")
    reverse = what.startswith("reverse:")
    action, _, content_type = what.removeprefix("reverse:").partition("@")
    return Contribution(
        action=None if action == ANY else Action(action),
        content_type=content_type or None,
        weight=None if weight == "seconds" else float(weight),
        reverse=reverse,
    )


def counter_view(name: str, join_keys: Iterable[str], fields: Iterable[tuple[str, Mapping[str, str]]]) -> CounterView:
    """The counter view of these join keys and (field name, tags) pairs; fields without a `counts` tag are left out."""
    counters = tuple(parse_counter(field, tags) for field, tags in fields if COUNTS_TAG in tags)
    return CounterView(name, tuple(join_keys), counters)
