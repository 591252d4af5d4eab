"""Adds events to decayed counters: pure functions in memory, columns in and columns out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from photofeed.features.counters import CounterView
from photofeed.features.decay import decay
from photofeed.times import MICROSECONDS

if TYPE_CHECKING:
    from ingestion.engagement.credits import CreditedEvents

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CounterRows:
    """n rows of one view: counters of entities, each as of its moment. The rows of an entity are in order of time.

    Attributes:
        view: the counter view's name.
        counters: the names of its counters.
        keys: (n, join keys) int64, in the order of the view's join keys.
        as_of_us: (n,) int64, microseconds since 1970.
        created_us: (n,) int64, when the row became known, microseconds since 1970.
        values: (n, counters) float64.
    """

    view: str
    counters: tuple[str, ...]
    keys: Ints
    as_of_us: Ints
    created_us: Ints
    values: Floats


@dataclass(frozen=True, slots=True)
class CounterDelta:
    """What a batch of events adds to the counters of one view: n contributions.

    Attributes:
        view: the counter view.
        keys: (entities, join keys) int64, the distinct entities.
        entity: (n,) the index of the contribution's entity in `keys`.
        occurred_us: (n,) int64, when the contribution became known.
        since_us: (n,) int64, the time from which it decays.
        amounts: (n, counters) float64.
        imported: (n,) bool.
    """

    view: CounterView
    keys: Ints
    entity: NDArray[np.intp]
    occurred_us: Ints
    since_us: Ints
    amounts: Floats
    imported: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CounterState:
    """The counters of a CounterDelta's entities before it; as_of_us 0 and zeros for an entity without a row."""

    as_of_us: Ints  # (entities,)
    values: Floats  # (entities, counters)


def counter_delta(view: CounterView, credited: "CreditedEvents", new_account_us: int = 0) -> CounterDelta:
    """What events add to the counters of a view. Events that change no counter or lack a join key are left out.

    Args:
        view: the counter view.
        credited: what counts, and no longer counts.
        new_account_us: what a person does in this time after joining does not count where it would change the feeds of
            others, in microseconds; nor does what is dated before. 0: everything counts. It depends on the person and
            the time of the contribution alone, so what is subtracted is what was added, whatever the order of events.
    """
    events = credited.events
    directions = (False, True) if view.has_reverse else (False,)
    keys = np.concatenate([view.keys_of(events, reverse=reverse) for reverse in directions])
    amounts = np.concatenate(
        [view.amounts(events, reverse=reverse) * credited.sign[:, np.newaxis] for reverse in directions]
    )
    counted = amounts.any(axis=1) & keys.all(axis=1)
    if view.is_of_everybody and new_account_us:
        counted &= np.tile(credited.since_us - events.joined_us >= new_account_us, len(directions))
    keys = keys[counted]
    first, entity = distinct_rows(keys)
    return CounterDelta(
        view,
        keys[first],
        entity,
        np.tile(events.occurred_us, len(directions))[counted],
        np.tile(credited.since_us, len(directions))[counted],
        amounts[counted],
        np.tile(events.imported, len(directions))[counted],
    )


def accumulate(delta: CounterDelta, state: CounterState, now_us: int) -> CounterRows:
    """The rows that the events make. `state` is updated to the counters after them.

    Args:
        delta: of distinct events that have not been counted.
        state: the counters of the delta's entities now; updated in place.
        now_us: when the live events became known. Their rows are not later, whatever an event's time says: counters
            that were decayed past now would be too low.

    Live events of one batch become known together, so an entity gets one row for all of them. An imported event counts
    as known since it occurred, so each makes a row of its own and history can be joined at any moment.

    An event older than its entity's row adds its weight decayed to the row's time, so late events lead to the same
    values as punctual ones. The time of a row always increases, by at least 1 µs: stores skip rows that are not newer.
    """
    *imported, live_events = rounds(delta.entity, delta.occurred_us, delta.imported)
    made = [_add(delta, picked, state, delta.occurred_us[picked]) for picked in imported]
    made.append(_add(delta, live_events, state, np.minimum(delta.occurred_us[live_events], now_us)))
    entities = np.concatenate([entities for entities, _, _ in made])
    as_of_us = np.concatenate([moments for _, moments, _ in made])
    values = np.concatenate([values for _, _, values in made])
    live = len(made[-1][0])
    created_us = as_of_us.copy()
    created_us[len(created_us) - live :] = now_us
    view = delta.view
    return CounterRows(view.name, view.counter_names, delta.keys[entities], as_of_us, created_us, values)


def rounds(entity: NDArray[np.intp], occurred_us: Ints, imported: NDArray[np.bool_]) -> Iterator[NDArray[np.intp]]:
    """Indices of imported events in rounds with at most one per entity, earlier events first; then all live events.

    Args:
        entity: (n,), what an event changes.
        occurred_us: (n,).
        imported: (n,) bool.
    """
    among = np.flatnonzero(imported)
    order = among[np.lexsort((occurred_us[among], entity[among]))]
    index, ordered = np.arange(len(order)), entity[order]
    begins = np.r_[True, ordered[1:] != ordered[:-1]] if len(order) else np.zeros(0, np.bool_)
    rank = index - np.maximum.accumulate(np.where(begins, index, 0))
    edges = np.cumsum(np.bincount(rank))[:-1] if len(order) else np.zeros(0, np.intp)
    if len(order):
        yield from np.split(order[np.argsort(rank, kind="stable")], edges)
    yield np.flatnonzero(~imported)


def _add(
    delta: CounterDelta, picked: NDArray[np.intp], state: CounterState, known_us: Ints
) -> tuple[NDArray[np.intp], Ints, Floats]:
    """Add some of the events, known at these times, to `state`; returns the changed entities with their new rows."""
    half_lives = delta.view.half_lives
    entities, group = np.unique(delta.entity[picked], return_inverse=True)
    since_us = delta.since_us[picked]
    before_us = state.as_of_us[entities]
    as_of_us = before_us + 1
    np.maximum.at(as_of_us, group, known_us)
    values = decay(state.values[entities], _seconds(as_of_us - before_us), half_lives)
    np.add.at(values, group, decay(delta.amounts[picked], _seconds(as_of_us[group] - since_us), half_lives))
    state.as_of_us[entities], state.values[entities] = as_of_us, values
    return entities, as_of_us, values


def distinct_rows(keys: Ints) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of the first of each distinct row, and for each row the index of its distinct row."""
    code = np.zeros(len(keys), np.int64)
    for column in keys.T:
        # numbered column by column: sorting whole rows takes ten times as long
        _, number = np.unique(column, return_inverse=True)
        code = code * (len(keys) + 1) + number
    _, first, which = np.unique(code, return_index=True, return_inverse=True)
    return first, which


def _seconds(elapsed_us: Ints) -> Floats:
    return (elapsed_us / MICROSECONDS)[:, None]
