"""Partial sums: what a batch of one partition adds to rows that another partition has.

Engagement is partitioned by user. Rows of users have the partition of their user, and rows of posts and creators one
that follows from their id. Each partition alone writes its rows. What a batch adds to rows of others is summed up per
row, decayed to one time, and sent to the partition of the row as a message with an id, so that it is added once (ADR
27). A decayed counter is a sum, and a sum of parts decayed to one time is the counter.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.engagement.accumulate import CounterDelta, CounterState, accumulate, distinct_rows
from photofeed.errors import PoisonError
from photofeed.event_log import EventPublisher
from photofeed.events import Action, Envelope
from photofeed.features.counters import CounterView
from photofeed.features.event_columns import ACTIONS, EventColumns
from photofeed.partitioning import key_of, partition_of

PARTIAL = "engagement.partial"
_USER_KEY = "user_id"
_MOST_SENT = 4_000  # contributions in a message: half a megabyte
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # of Fibonacci hashing: ids of one moment differ in few bits


@dataclass(frozen=True, slots=True)
class Partitions:
    """The partitions of engagement, and of the partial sums: as many."""

    count: int

    def of_rows(self, view: CounterView, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """The partition that writes each row, (n,), of rows with these keys, (n, join keys)."""
        if _USER_KEY in view.join_keys:
            users = keys[:, view.join_keys.index(_USER_KEY)]
            return np.array([partition_of(str(user), self.count) for user in users.tolist()], np.int64)
        hashed = keys[:, 0].astype(np.uint64) * _SPREAD >> np.uint64(32)
        homes: NDArray[np.int64] = (hashed % np.uint64(self.count)).astype(np.int64)
        return homes

    def split(
        self, deltas: Sequence[CounterDelta], events: EventColumns, own: int, now_us: int
    ) -> tuple[list[CounterDelta], list[Envelope]]:
        """What a batch of partition `own` adds to its own rows, and messages for the partitions of the other rows.

        Rows without a user always go by message, so that each is written once for the batches of all partitions.
        """
        mine: list[CounterDelta] = []
        sent: dict[int, list[CounterDelta]] = {}
        for delta in deltas:
            homes = self.of_rows(delta.view, delta.keys)
            here = (homes == own) & (_USER_KEY in delta.view.join_keys)
            if here.any():
                mine.append(_part(delta, here))
            for partition in np.unique(homes[~here]).tolist():
                part = _summed(_part(delta, ~here & (homes == partition)), now_us)
                sent.setdefault(partition, []).extend(_pieces(part))
        posts = _posts(events)
        homes = self.of_rows(_POST_VIEW, posts)
        return mine, [
            Envelope(
                PARTIAL,
                key_of(partition, self.count),
                {"source": own, "deltas": [_encode(part)], "posts": np.ascontiguousarray(posts[homes == partition])},
            )
            for partition, parts in sent.items()
            for part in parts
        ]


@dataclass(frozen=True, slots=True)
class PartialExchange:
    """How a partition sends partial sums to the others."""

    partitions: Partitions
    publisher: EventPublisher


_POST_VIEW = CounterView("", ("post_id",), ())


def deltas_of(payloads: Sequence[dict[str, Any]], views: Sequence[CounterView]) -> list[CounterDelta]:
    """What messages of partial sums add, by view. Sums of views that have changed since are left out.

    Raises:
        PoisonError: a message is of another form.
    """
    declared = {view.name: view for view in views}
    found: dict[str, list[CounterDelta]] = {}
    try:
        for payload in payloads:
            for name, counters, *columns in payload["deltas"]:
                view = declared.get(name)
                if view is not None and list(view.counter_names) == counters:
                    found.setdefault(name, []).append(_decode(view, columns))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise PoisonError(f"not a message of partial sums: {error!r}") from error
    return [_joined(parts) for parts in found.values()]


def posts_of(payloads: Sequence[dict[str, Any]]) -> EventColumns:
    """The posts of partial sums with their creators and topics, as events that the feed does not remember."""
    rows = np.concatenate([np.array(payload["posts"], np.int64).reshape(-1, 3) for payload in payloads])
    post_id, creator_id, topic_id = np.ascontiguousarray(rows.T)
    count = len(rows)
    return EventColumns(
        id=np.full(count, "", np.object_),
        action=np.full(count, ACTIONS.index(Action.OPEN), np.int8),
        user_id=np.zeros(count, np.int64),
        creator_id=creator_id,
        post_id=post_id,
        topic_id=topic_id,
        content_type=np.full(count, "", np.str_),
        occurred_us=np.zeros(count, np.int64),
        dwell_seconds=np.zeros(count),
        imported=np.zeros(count, np.bool_),
    )


def _part(delta: CounterDelta, which: NDArray[np.bool_]) -> CounterDelta:
    """The contributions to some of the entities."""
    number = np.cumsum(which) - 1
    taken = which[delta.entity]
    return CounterDelta(
        delta.view,
        delta.keys[which],
        number[delta.entity[taken]],
        delta.occurred_us[taken],
        delta.since_us[taken],
        delta.amounts[taken],
        delta.imported[taken],
    )


def _summed(delta: CounterDelta, now_us: int) -> CounterDelta:
    """One contribution per entity for all live ones. Imported ones stay: each makes a row of history by itself."""
    live = np.flatnonzero(~delta.imported)
    if not len(live):
        return delta
    entities, entity = np.unique(delta.entity[live], return_inverse=True)
    alone = CounterDelta(
        delta.view,
        delta.keys[entities],
        entity,
        delta.occurred_us[live],
        delta.since_us[live],
        delta.amounts[live],
        delta.imported[live],
    )
    nothing = CounterState(np.zeros(len(entities), np.int64), np.zeros((len(entities), len(delta.view.counters))))
    rows = accumulate(alone, nothing, now_us)
    imported = delta.imported
    return CounterDelta(
        delta.view,
        delta.keys,
        np.concatenate([delta.entity[imported], entities]),
        np.concatenate([delta.occurred_us[imported], rows.as_of_us]),
        np.concatenate([delta.since_us[imported], rows.as_of_us]),
        np.concatenate([delta.amounts[imported], rows.values]),
        np.concatenate([delta.imported[imported], np.zeros(len(entities), np.bool_)]),
    )


def _pieces(delta: CounterDelta) -> Iterator[CounterDelta]:
    """The delta in parts that fit into a message."""
    for start in range(0, len(delta.entity), _MOST_SENT):
        chosen = np.arange(start, min(start + _MOST_SENT, len(delta.entity)))
        entities, entity = np.unique(delta.entity[chosen], return_inverse=True)
        yield CounterDelta(
            delta.view,
            delta.keys[entities],
            entity,
            delta.occurred_us[chosen],
            delta.since_us[chosen],
            delta.amounts[chosen],
            delta.imported[chosen],
        )


def _encode(delta: CounterDelta) -> list[Any]:
    """The delta as JSON; of the amounts only those that are not 0."""
    rows, counters = np.nonzero(delta.amounts)
    amounts = delta.amounts[rows, counters]
    columns = (delta.keys, delta.entity, delta.occurred_us, delta.since_us, delta.imported.astype(np.int8))
    return [
        delta.view.name,
        list(delta.view.counter_names),
        *(np.ascontiguousarray(column) for column in (*columns, rows, counters, amounts)),
    ]


def _decode(view: CounterView, columns: Sequence[Any]) -> CounterDelta:
    keys, entity, occurred_us, since_us, imported, rows, counters, amounts = columns
    values = np.zeros((len(entity), len(view.counters)))
    values[np.array(rows, np.intp), np.array(counters, np.intp)] = amounts
    return CounterDelta(
        view,
        np.array(keys, np.int64).reshape(-1, len(view.join_keys)),
        np.array(entity, np.intp),
        np.array(occurred_us, np.int64),
        np.array(since_us, np.int64),
        values,
        np.array(imported, np.int8).astype(np.bool_),
    )


def _joined(parts: Sequence[CounterDelta]) -> CounterDelta:
    keys = np.concatenate([part.keys for part in parts])
    offsets = np.cumsum([0, *(len(part.keys) for part in parts[:-1])])
    first, which = distinct_rows(keys)
    entity = np.concatenate([part.entity + offset for part, offset in zip(parts, offsets, strict=True)])
    return CounterDelta(
        parts[0].view,
        keys[first],
        which[entity],
        np.concatenate([part.occurred_us for part in parts]),
        np.concatenate([part.since_us for part in parts]),
        np.concatenate([part.amounts for part in parts]),
        np.concatenate([part.imported for part in parts]),
    )


def _posts(events: EventColumns) -> NDArray[np.int64]:
    """Distinct posts of events with their creators and topics, (n, 3)."""
    posts, first = np.unique(events.post_id, return_index=True)
    rows = np.stack([posts, events.creator_id[first], events.topic_id[first]], axis=1)
    known: NDArray[np.int64] = rows[posts != 0]
    return known
