"""Adding events to decayed counters: pure, in memory, columns in and columns out."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photofeed.features.counters import CounterView
from photofeed.features.decay import decay
from photofeed.features.event_columns import MICROSECONDS, EventColumns

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CounterRows:
    """n rows of one view: counters of entities, each true at its moment; an entity's rows stand in order of time.

    Attributes:
        view: the counter view's name.
        counters: the names of its counters.
        keys: (n, join keys) int64, in the order of the view's join keys.
        as_of_us: (n,) int64, microseconds since 1970.
        created_us: (n,) int64, when the row became known.
        values: (n, counters) float64.
    """

    view: str
    counters: tuple[str, ...]
    keys: Ints
    as_of_us: Ints
    created_us: Ints
    values: Floats


@dataclass(frozen=True, slots=True)
class Touched:
    """What events add to the counters of one view.

    Attributes:
        view: the counter view.
        keys: (entities, join keys) int64, the distinct entities.
        entity: (n,) which of them each contribution is for.
        occurred_us: (n,) int64.
        amounts: (n, counters) float64.
        imported: (n,) bool.
    """

    view: CounterView
    keys: Ints
    entity: NDArray[np.intp]
    occurred_us: Ints
    amounts: Floats
    imported: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CounterState:
    """The counters that the entities of a Touched have before it: as_of_us 0 and zeros where there are none."""

    as_of_us: Ints  # (entities,)
    values: Floats  # (entities, counters)


def touch(view: CounterView, events: EventColumns) -> Touched:
    """Whose counters of a view the events change, and by how much; events that change none are left out."""
    directions = (False, True) if view.has_reverse else (False,)
    keys = np.concatenate([view.keys_of(events, reverse=reverse) for reverse in directions])
    amounts = np.concatenate([view.amounts(events, reverse=reverse) for reverse in directions])
    counted = amounts.any(axis=1) & keys.all(axis=1)
    keys = keys[counted]
    first, entity = _distinct(keys)
    return Touched(
        view,
        keys[first],
        entity,
        np.tile(events.occurred_us, len(directions))[counted],
        amounts[counted],
        np.tile(events.imported, len(directions))[counted],
    )


def accumulate(touched: Touched, state: CounterState, now_us: int) -> CounterRows:
    """The rows that the events make, and in `state` what the entities' counters are after them.

    Args:
        touched: of distinct events, not counted before.
        state: what the entities have now; updated in place.
        now_us: when the events became known.

    Live events of one batch become known together, so an entity gets one row for all of them. Imported events count as
    known since they occurred: each makes a row of its own, so that history can be joined at any moment.

    An event older than its entity's row adds what is left of it at the row's time, so late events end in the same
    values as punctual ones. A row's time always moves on (by 1 µs where need be): stores skip rows that are not newer.
    """
    made = [_add(touched, picked, state) for picked in _rounds(touched)]
    entities = np.concatenate([entities for entities, _, _ in made])
    as_of_us = np.concatenate([moments for _, moments, _ in made])
    values = np.concatenate([values for _, _, values in made])
    live = len(made[-1][0])
    created_us = as_of_us.copy()
    created_us[len(created_us) - live :] = now_us
    view = touched.view
    return CounterRows(view.name, view.counter_names, touched.keys[entities], as_of_us, created_us, values)


def _rounds(touched: Touched) -> Iterator[NDArray[np.intp]]:
    """Imported events in rounds that have each entity at most once, earlier events first; then all live ones."""
    imported = np.flatnonzero(touched.imported)
    order = imported[np.lexsort((touched.occurred_us[imported], touched.entity[imported]))]
    place, entity = np.arange(len(order)), touched.entity[order]
    begins = np.r_[True, entity[1:] != entity[:-1]] if len(order) else np.zeros(0, np.bool_)
    rank = place - np.maximum.accumulate(np.where(begins, place, 0))
    edges = np.cumsum(np.bincount(rank))[:-1] if len(order) else np.zeros(0, np.intp)
    if len(order):
        yield from np.split(order[np.argsort(rank, kind="stable")], edges)
    yield np.flatnonzero(~touched.imported)


def _add(touched: Touched, picked: NDArray[np.intp], state: CounterState) -> tuple[NDArray[np.intp], Ints, Floats]:
    """Add some events; returns the entities they changed with their new moments and values."""
    half_lives = touched.view.half_lives
    entities, group = np.unique(touched.entity[picked], return_inverse=True)
    occurred_us = touched.occurred_us[picked]
    before_us = state.as_of_us[entities]
    as_of_us = before_us + 1
    np.maximum.at(as_of_us, group, occurred_us)
    values = decay(state.values[entities], _seconds(as_of_us - before_us), half_lives)
    np.add.at(values, group, decay(touched.amounts[picked], _seconds(as_of_us[group] - occurred_us), half_lives))
    state.as_of_us[entities], state.values[entities] = as_of_us, values
    return entities, as_of_us, values


def _distinct(keys: Ints) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Places of the first of each distinct row, and for each row which of these it is."""
    code = np.zeros(len(keys), np.int64)
    for column in keys.T:
        # numbered column by column: sorting whole rows takes ten times as long
        _, number = np.unique(column, return_inverse=True)
        code = code * (len(keys) + 1) + number
    _, first, which = np.unique(code, return_index=True, return_inverse=True)
    return first, which


def _seconds(elapsed_us: Ints) -> Floats:
    return (elapsed_us / MICROSECONDS)[:, None]
