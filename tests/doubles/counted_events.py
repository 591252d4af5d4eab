"""The memory of counted events, in this process."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ingestion.engagement.accumulate import CounterRows, Ints
from ingestion.engagement.counted_events import EventIds, Partial, PendingBatch
from ingestion.engagement.credits import Credits, WeekCredits
from photofeed.features.event_columns import EventColumns


class InMemoryCountedEvents:
    """Counted events and pending batches in this process."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._pending: list[PendingBatch] = []
        self._credits = WeekCredits()

    def become_leader(self) -> None:
        """Nothing: there is no other worker."""

    def has_begun(self) -> bool:
        """Always."""
        return True

    def begin(self) -> None:
        """Nothing."""

    def uncounted(self, events: EventColumns) -> EventColumns:
        """The events that have not been counted."""
        events = events.distinct()
        return events.take(~self.known(events))

    def known(self, events: EventIds) -> NDArray[np.bool_]:
        """Which of the events have been counted."""
        return np.array([name in self._ids for name in events.id], np.bool_)

    def count(self) -> int:
        """Number of events remembered as counted."""
        return len(self._ids)

    def remember(self, events: EventIds) -> None:
        """Remember events as counted."""
        self._ids.update(events.id.tolist())

    def credits(self, slots: Ints) -> Credits:
        """The states of slots."""
        return self._credits.read(slots)

    def merge_credits(self, states: Credits) -> None:
        """Merge the states of slots with those that are remembered."""
        self._credits.write(self.credits(states.slots).merged(states))

    def add_pending(
        self, events: EventIds, rows: Sequence[CounterRows], states: Credits, partials: Sequence[Partial] = ()
    ) -> None:
        """Remember events and add their pending batch."""
        self.remember(events)
        self._credits.write(states)
        self._pending.append(PendingBatch(events.id, events.day, rows, states, None, partials))

    def pending(self) -> list[PendingBatch]:
        """The pending batches."""
        return list(self._pending)

    def clear_pending(self) -> None:
        """Remove the pending batches."""
        self._pending = []

    def restore(self, batches: Sequence[PendingBatch]) -> None:
        """Remember these batches."""
        for batch in batches:
            self.remember(batch)
            self.merge_credits(batch.credits)
