"""Which engagement counts: a person once per post and action in a week, whatever order the events arrive in.

A slot is a (week, target, user, action). The target is the post or, for visits to a profile, the person. Of all events
of a slot one counts: the earliest or, for dwell, the longest, of at most DWELL_CAP_SECONDS. A like or save counts
unless the last event of its slot takes it back, for which there is time until the end of the next week.

The state of a slot is two integers. Both are a maximum over its events, so the result does not depend on the order of
events, on repeated events, or on how they are split into batches. The features worker, a rebuild and a backfill use
the same functions. If an event changes what counts, the former contribution is subtracted as of its own time, so
counters are as if it had never been counted.

Follows are not credited: they change state in PostgreSQL, which makes an event only when the state changes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ingestion.engagement.accumulate import Ints, distinct_rows, rounds
from photofeed.action_weights import UNDONE_BY
from photofeed.events import Action
from photofeed.features.counters import DWELL_CAP_SECONDS
from photofeed.features.event_columns import ACTIONS, EventColumns
from photofeed.times import MICROSECONDS

WEEK_US = 7 * 86_400 * MICROSECONDS
_TIME_BITS = 40  # a week has 6e11 microseconds
_NONE = -1
_NOT_CREDITED = frozenset({Action.FOLLOW, Action.UNFOLLOW, Action.MUTE, Action.UNMUTE})
_UNDOES = {undo: action for action, undo in UNDONE_BY.items()}


def _by_action(value: Callable[[Action], Any], kind: type) -> NDArray[Any]:
    return np.array([value(action) for action in ACTIONS], kind)


# By the action's code: the code of the action that is credited, whether it takes that back, whether it can be taken
# back, and whether it is credited at all.
_CREDITED_AS = _by_action(lambda action: ACTIONS.index(_UNDOES.get(action, action)), np.int8)
_IS_UNDO = _by_action(lambda action: action in _UNDOES, np.bool_)
_IS_UNDOABLE = _by_action(lambda action: action in UNDONE_BY or action in _UNDOES, np.bool_)
_IS_CREDITED = _by_action(lambda action: action not in _NOT_CREDITED, np.bool_)


@dataclass(frozen=True, slots=True)
class Credits:
    """The states of n slots.

    Attributes:
        slots: (n, 4) int64: week since 1970, target, user, and the code of the action.
        best: (n,) int64, the event that counts, as dwell in milliseconds and time before the end of the week; -1 for
            none.
        last: (n,) int64, the last event of an action that can be taken back, as twice its time since the week began,
            plus one unless it takes the action back; -1 for other actions.
    """

    slots: Ints
    best: Ints
    last: Ints

    def __len__(self) -> int:
        return len(self.slots)

    @classmethod
    def none_of(cls, slots: Ints) -> Self:
        """The states of slots without events."""
        return cls(slots, np.full(len(slots), _NONE), np.full(len(slots), _NONE))

    def take(self, which: NDArray[Any]) -> Self:
        """The slots at these indexes, or where this mask is True."""
        return type(self)(self.slots[which], self.best[which], self.last[which])

    def merged(self, other: Self) -> Self:
        """The states after the events of both; the slots must be the same."""
        return type(self)(self.slots, np.maximum(self.best, other.best), np.maximum(self.last, other.last))

    @property
    def counts(self) -> NDArray[np.bool_]:
        """Whether an event of the slot counts, (n,)."""
        counts: NDArray[np.bool_] = (self.best != _NONE) & ((self.last == _NONE) | (self.last % 2 == 1))
        return counts

    @property
    def since_us(self) -> Ints:
        """Since when the event counts, (n,), microseconds since 1970; undefined where none does."""
        since: Ints = (self.slots[:, 0] + 1) * WEEK_US - 1 - self.best % (1 << _TIME_BITS)
        return since

    @property
    def dwell_seconds(self) -> NDArray[np.float64]:
        """The dwell that counts, (n,); 0 for other actions."""
        return (self.best >> _TIME_BITS) / 1000


ReadCredits = Callable[[Ints], Credits]


@dataclass(frozen=True, slots=True)
class CreditedEvents:
    """n changes of what counts, as events.

    Attributes:
        events: what is added or subtracted; `occurred_us` is when that became so.
        since_us: (n,) int64, the time from which the contribution decays.
        sign: (n,) float64, 1 if it is added, -1 if a former contribution is subtracted.
    """

    events: EventColumns
    since_us: Ints
    sign: NDArray[np.float64]

    @classmethod
    def all_of(cls, events: EventColumns) -> Self:
        """Every event, added as of its own time."""
        return cls(events, events.occurred_us, np.ones(len(events)))

    @classmethod
    def join(cls, parts: "list[Self]") -> Self:
        """The changes of all parts, of which there is at least one."""
        return cls(
            EventColumns.join([part.events for part in parts]),
            np.concatenate([part.since_us for part in parts]),
            np.concatenate([part.sign for part in parts]),
        )


def credit(events: EventColumns, read: ReadCredits) -> tuple[CreditedEvents, Credits]:
    """What events change, given the states of their slots.

    Live events of one batch become known together, so their slots change once. Imported events take effect one after
    the other, so that history is right at every moment.

    Args:
        events: distinct events that have not been credited.
        read: returns the states of distinct slots, (n, 4).

    Returns:
        What to add to the counters, and the new states of the slots that changed.
    """
    is_credited = _IS_CREDITED[events.action]
    parts = [CreditedEvents.all_of(events.take(~is_credited))]
    events, slots, which = _slots(events.take(is_credited))
    before = read(slots)
    after = Credits(slots, before.best.copy(), before.last.copy())
    for indices in rounds(which, events.occurred_us, events.imported):
        parts += _change(events.take(indices), which[indices], after)
    return CreditedEvents.join(parts), after.take((after.best != before.best) | (after.last != before.last))


def credits_of(events: EventColumns) -> Credits:
    """The states of the slots of these events alone."""
    return credit(events, Credits.none_of)[1]


def _slots(events: EventColumns) -> tuple[EventColumns, Ints, NDArray[np.intp]]:
    """Events with the distinct slots that they change, and the index of each event's slot.

    An event that takes an action back is returned twice: for the slot of its week, and for that of the week before.
    """
    undo = _IS_UNDO[events.action]
    week = events.occurred_us // WEEK_US
    week = np.concatenate([week, week[undo] - 1])
    events = EventColumns.join([events, events.take(undo)])
    target = np.where(events.post_id != 0, events.post_id, events.creator_id)
    slots = np.stack([week, target, events.user_id, _CREDITED_AS[events.action].astype(np.int64)], axis=1)
    first, which = distinct_rows(slots)
    return events, slots[first], which


def _change(events: EventColumns, which: NDArray[np.intp], state: Credits) -> list[CreditedEvents]:
    """Add events to the states of their slots, in place; returns what is subtracted and what is added."""
    touched, slot = np.unique(which, return_inverse=True)
    before = state.take(touched)
    after = before.merged(_states(events, slot, before.slots))
    state.best[touched], state.last[touched] = after.best, after.last
    is_other = (before.counts != after.counts) | (after.best != before.best)
    known_us = np.zeros(len(touched), np.int64)
    np.maximum.at(known_us, slot, events.occurred_us)
    index = np.zeros(len(touched), np.intp)
    index[slot] = np.arange(len(slot))
    shown = replace(events.take(index), action=before.slots[:, 3].astype(np.int8), occurred_us=known_us)
    return [
        CreditedEvents(
            replace(shown.take(changed), dwell_seconds=states.dwell_seconds[changed]),
            states.since_us[changed],
            np.full(int(changed.sum()), sign),
        )
        for states, changed, sign in (
            (before, before.counts & is_other, -1.0),
            (after, after.counts & is_other, 1.0),
        )
    ]


def _states(events: EventColumns, slot: NDArray[np.intp], slots: Ints) -> Credits:
    """The states of the slots after these events alone."""
    states = Credits.none_of(slots)
    offset = events.occurred_us - slots[slot, 0] * WEEK_US
    dwell_ms = np.rint(np.clip(events.dwell_seconds, 0.0, DWELL_CAP_SECONDS) * 1000).astype(np.int64)
    does, undoable = ~_IS_UNDO[events.action], _IS_UNDOABLE[events.action]
    best = (dwell_ms << _TIME_BITS) | (WEEK_US - 1 - offset)
    np.maximum.at(states.best, slot[does], best[does])
    np.maximum.at(states.last, slot[undoable], (2 * offset + does)[undoable])
    return states


class WeekCredits:
    """The states of slots in this process, for events in order of time: earlier weeks are dropped."""

    def __init__(self) -> None:
        self._states: dict[tuple[int, ...], tuple[int, int]] = {}

    def read(self, slots: Ints) -> Credits:
        """The states of slots."""
        none = (_NONE, _NONE)
        states = [self._states.get(tuple(slot), none) for slot in slots.tolist()]
        best, last = np.array(states, np.int64).reshape(len(slots), 2).T
        return Credits(slots, best, last)

    def write(self, states: Credits) -> None:
        """Replace the states of slots."""
        slots = map(tuple, states.slots.tolist())
        self._states |= dict(zip(slots, zip(states.best.tolist(), states.last.tolist(), strict=True), strict=True))

    def forget_before(self, week: int) -> None:
        """Drop the slots of weeks before this one."""
        self._states = {slot: state for slot, state in self._states.items() if slot[0] >= week}
