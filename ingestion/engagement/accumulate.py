"""Adding events to decayed counters: pure, in memory, the same for live events and replayed history."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from photofeed.events import EngagementEvent
from photofeed.features.counters import CounterView
from photofeed.features.decay import decay_factor

MICROSECONDS = 1_000_000

Entity = tuple[str, tuple[int, ...]]  # view name, ids in the order of the view's join keys


@dataclass(frozen=True, slots=True)
class CounterRow:
    """One entity's counters of one view, true at `as_of_us`."""

    view: str
    keys: tuple[int, ...]
    as_of_us: int
    values: tuple[float, ...]
    created_us: int


def entities_touched(events: Iterable[EngagementEvent], views: Sequence[CounterView]) -> set[Entity]:
    """Whose counters the events change, view by view."""
    touched: set[Entity] = set()
    for event in events:
        for view in views:
            for reverse in (False, True) if view.has_reverse else (False,):
                keys = view.keys_of(event, reverse=reverse)
                if keys is not None and any(view.amounts(event, reverse=reverse)):
                    touched.add((view.name, keys))
    return touched


def accumulate(
    events: Sequence[EngagementEvent],
    views: Sequence[CounterView],
    stored: dict[Entity, CounterRow],
    now: datetime,
) -> list[CounterRow]:
    """Every row that the events make, in order of time: the last one of an entity is its new state.

    Args:
        events: distinct, not counted before; counted in order of occurrence.
        views: the counter views of the registry.
        stored: rows the entities have now; updated in place to their new state.
        now: when the events became known; imported ones count as known since they occurred.

    An event older than its entity's row adds what is left of it at the row's time, so late events end in the same
    values as punctual ones. A row's time always moves on (by 1 µs where need be): stores skip rows that are not newer.
    """
    rows: list[CounterRow] = []
    now_us = to_us(now)
    for event in sorted(events, key=lambda e: e.occurred_at):
        occurred_us = to_us(event.occurred_at)
        for view in views:
            for reverse in (False, True) if view.has_reverse else (False,):
                keys = view.keys_of(event, reverse=reverse)
                amounts = view.amounts(event, reverse=reverse) if keys is not None else []
                if keys is None or not any(amounts):
                    continue
                entity = (view.name, keys)
                row = _add(view, keys, stored.get(entity), amounts, occurred_us)
                stored[entity] = row = CounterRow(
                    row.view, row.keys, row.as_of_us, row.values, row.as_of_us if event.imported else now_us
                )
                rows.append(row)
    return rows


def _add(
    view: CounterView, keys: tuple[int, ...], row: CounterRow | None, amounts: Sequence[float], occurred_us: int
) -> CounterRow:
    if row is None:
        return CounterRow(view.name, keys, occurred_us, tuple(amounts), occurred_us)
    as_of_us = max(row.as_of_us + 1, occurred_us)
    faded = (as_of_us - row.as_of_us) / MICROSECONDS
    late = (as_of_us - occurred_us) / MICROSECONDS
    values = tuple(
        value * decay_factor(faded, counter.half_life_seconds) + amount * decay_factor(late, counter.half_life_seconds)
        for value, amount, counter in zip(row.values, amounts, view.counters, strict=True)
    )
    return CounterRow(view.name, keys, as_of_us, values, as_of_us)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970, exact."""
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * MICROSECONDS + delta.microseconds
