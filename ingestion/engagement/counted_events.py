"""Which events have been counted, what people are credited with, and which batches of rows are pending.

A batch is pending while it is not known to be in both feature stores. All of this is written by one script, before
rows are pushed. If the worker dies before they are pushed, the next leader pushes the pending batches again. Rows are
absolute values, so pushing them twice changes nothing: every event has its effect exactly once.

On a Redis Cluster, all keys of a worker share a hash tag, so that one node has them and the script may write them
together. Rows do not: they are spread over the nodes (ADR 21).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from struct import Struct
from typing import Any, Final, Protocol, Self, TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray

from ingestion.engagement.accumulate import CounterRows, Ints
from ingestion.engagement.credits import Credits
from photofeed import topics
from photofeed.counted_ids import COUNTED_PREFIX, counted_key
from photofeed.errors import RetryableError
from photofeed.events import LATEST_EVENTS, Envelope
from photofeed.features.event_columns import ACTIONS, EventColumns
from photofeed.redis_client import RedisClient

# How long an event id is remembered. The event log must not keep the event longer.
REMEMBERED_FOR = topics.ENGAGEMENT.retention + timedelta(days=1)
# How long credits are remembered after they last changed. An event may change those of its week and the week before.
CREDITED_FOR = timedelta(days=14) + LATEST_EVENTS + timedelta(days=1)
FEATURES = "features"  # the worker's name in the Redis keys of counted events
_CREDITS = "credits:"
_USER, _CREDIT, _SLOT_PARTS = Struct("<q"), Struct("<qq"), 4
_PENDING, _SEQUENCE = "features:pending", "features:sequence"
_FORMER_PENDING = "features:decided"  # a list, in releases before the hash; their batches are finished after an upgrade
_SCANNED_AT_ONCE, _DAY_SECONDS = 1_000, 86_400
_OF_MESSAGES = "partial:"  # begins the ids of messages of partial sums, all of a batch or none
_KEY_LAYOUT = 2  # raised with every change to the keys or the header of packed rows


# Writes only within the epoch of the caller, and only after the write that the caller made last. Executing it again
# changes nothing: a client repeats it when the connection is lost.
# KEYS: epoch, sequence. ARGV: epoch, last sequence, next sequence, and per command its number of words and its words.
_COMMANDS = """
local i = 4
while i <= #ARGV do
  local words = tonumber(ARGV[i])
  redis.call(unpack(ARGV, i + 1, i + words))
  i = i + words + 1
end
"""
_WRITE: Final = f"""
local epoch = redis.call('GET', KEYS[1])
if not epoch then
  if ARGV[1] ~= '0' then return 'emptied' end
elseif epoch ~= ARGV[1] then
  return 'fenced'
end
local sequence = redis.call('GET', KEYS[2]) or '0'
if sequence ~= ARGV[2] and sequence ~= ARGV[3] then return 'rolled back' end
{_COMMANDS}
redis.call('SET', KEYS[2], ARGV[3])
return 'written'
"""
# The same after Redis has lost writes: the epoch and the sequence may be older ones.
_RESTORE: Final = f"""
local epoch = redis.call('GET', KEYS[1])
if not epoch then
  if ARGV[1] ~= '0' then return 'emptied' end
elseif tonumber(epoch) > tonumber(ARGV[1]) then
  return 'fenced'
else
  redis.call('SET', KEYS[1], ARGV[1])
end
{_COMMANDS}
redis.call('SET', KEYS[2], ARGV[2])
return 'written'
"""
_WORDS = 2_000  # of one command: Lua's stack holds 8,000


def features_epoch_key(worker: str = "features", tag: str = "") -> str:
    """The Redis key of the epoch: how many leaders there have been.

    If it is missing, Redis was emptied and the counters are lost, or the counters have another key layout and cannot be
    found.
    """
    return f"{tag}features:term:{_KEY_LAYOUT}:{worker}"


class FencedError(RetryableError):
    """Another worker is the leader of a later epoch, so writes of this one are refused."""

    code = "deposed"


class EmptiedError(RetryableError):
    """Redis has lost the counters. Counting on would start from zero, so events wait until counters are rebuilt."""

    code = "emptied"

    def __init__(self) -> None:
        super().__init__(
            "Redis was emptied, or has rows of an older layout: run `photofeed features rebuild`, then start the "
            "features worker again"
        )


class RolledBackError(RetryableError):
    """Redis has lost its last writes: it was restarted from an older state, or a replica without them was promoted."""

    code = "rolled_back"

    def __init__(self) -> None:
        super().__init__("Redis came back without its last writes")


Partial: TypeAlias = tuple[str, bytes]  # key and encoded envelope of a message
Command: TypeAlias = tuple[str | bytes, ...]


class EventIds(Protocol):
    """Ids of n events, and the days since 1970 on which they occurred."""

    @property
    def id(self) -> NDArray[np.object_]:
        """(n,) object."""

    @property
    def day(self) -> NDArray[np.int64]:
        """(n,) int64."""


@dataclass(frozen=True, slots=True)
class MessageIds:
    """Ids of n messages, and the days since 1970 on which they were made, (n,)."""

    id: NDArray[np.object_]
    day: NDArray[np.int64]

    @classmethod
    def of(cls, messages: Sequence[Envelope]) -> Self:
        """The ids of these messages."""
        days = [int(message.occurred_at.timestamp() // _DAY_SECONDS) for message in messages]
        ids = [f"{_OF_MESSAGES}{message.id}" for message in messages]
        return cls(np.array(ids, np.object_), np.array(days, np.int64))


class KnownEvents(Protocol):
    """Tells which events have been counted."""

    def known(self, events: EventIds) -> NDArray[np.bool_]:
        """Which of the events have been counted, (n,)."""

    def count(self) -> int:
        """Number of events remembered as counted."""


@dataclass(frozen=True, slots=True)
class PendingBatch:
    """The result of one batch of events: their ids and days, the rows they made in all views, and their credits.

    `events` are the events themselves, without their ids, if they are known: what the feed remembers of them is not in
    the rows. `partials` are messages of partial sums, for rows of other partitions.
    """

    id: NDArray[np.object_]
    day: NDArray[np.int64]
    rows: Sequence[CounterRows]
    credits: Credits
    events: EventColumns | None = None
    partials: Sequence[Partial] = ()

    def encode(self, *, with_events: bool = False) -> bytes:
        """The batch as one line of JSON."""
        rows = [[r.view, r.counters, r.keys, r.as_of_us, r.created_us, r.values] for r in self.rows]
        states = [self.credits.slots, self.credits.best, self.credits.last]
        events = _encode_events(self.events) if with_events and self.events is not None else None
        partials = [[key, orjson.Fragment(message)] for key, message in self.partials]
        line = [self.id.tolist(), self.day, rows, states, events, partials]
        return orjson.dumps(line, option=orjson.OPT_SERIALIZE_NUMPY)

    @classmethod
    def decode(cls, line: bytes) -> Self:
        """The batch in a line that `encode` wrote, also before there were credits."""
        # an older release wrote no credits
        columns: list[Any] = [*orjson.loads(line), None, None, None]
        ids, days, rows, states, events, partials = columns[:6]
        credited: list[Any] = states or [[], [], []]
        slots, best, last = (np.array(column, np.int64) for column in credited)
        return cls(
            np.array(ids, np.object_),
            np.array(days, np.int64),
            [
                CounterRows(
                    view,
                    tuple(counters),
                    np.array(keys, np.int64),
                    np.array(as_of, np.int64),
                    np.array(created, np.int64),
                    np.array(values, np.float64),
                )
                for view, counters, keys, as_of, created, values in rows
            ],
            Credits(slots.reshape(-1, _SLOT_PARTS), best, last),
            None if events is None else _decode_events(events),
            [(key, orjson.dumps(message)) for key, message in partials or ()],
        )


def _encode_events(events: EventColumns) -> list[Any]:
    actions = [ACTIONS[code].value for code in events.action.tolist()]
    return [actions, events.user_id, events.creator_id, events.post_id, events.topic_id, events.occurred_us]


def _decode_events(columns: Sequence[Any]) -> EventColumns:
    actions, *ids, occurred_us = columns
    count, codes = len(actions), {action.value: code for code, action in enumerate(ACTIONS)}
    user_id, creator_id, post_id, topic_id = (np.array(column, np.int64) for column in ids)
    return EventColumns(
        id=np.full(count, "", np.object_),
        action=np.array([codes[action] for action in actions], np.int8),
        user_id=user_id,
        creator_id=creator_id,
        post_id=post_id,
        topic_id=topic_id,
        content_type=np.full(count, "", np.str_),
        occurred_us=np.array(occurred_us, np.int64),
        dwell_seconds=np.zeros(count),
        imported=np.zeros(count, np.bool_),
    )


class CountedEvents(Protocol):
    """Remembers which events have been counted, and holds pending batches."""

    def become_leader(self) -> None:
        """Begin a new epoch with this worker as its leader. Writes of earlier leaders are refused from then on."""

    def has_begun(self) -> bool:
        """Whether there has been a leader; False if Redis was emptied since."""

    def begin(self) -> None:
        """Have had a leader, if there was none: what was counted has been restored."""

    def uncounted(self, events: EventColumns) -> EventColumns:
        """The events that have not been counted, each id once."""

    def known(self, events: EventIds) -> NDArray[np.bool_]:
        """Which of the events have been counted, (n,)."""

    def count(self) -> int:
        """Number of events remembered as counted."""

    def remember(self, events: EventIds) -> None:
        """Remember events as counted. Their rows must be in both stores."""

    def credits(self, slots: Ints) -> Credits:
        """The states of distinct slots, (n, 4)."""

    def merge_credits(self, states: Credits) -> None:
        """Merge the states of slots with those that are remembered. No worker may count meanwhile."""

    def add_pending(
        self, events: EventIds, rows: Sequence[CounterRows], states: Credits, partials: Sequence[Partial] = ()
    ) -> None:
        """Remember events as counted and credited, and add their rows as a pending batch, in one transaction.

        Raises:
            FencedError: another worker is the leader; nothing was written.
            EmptiedError: Redis has lost the counted events; nothing was written.
            RolledBackError: Redis has lost the last of them; nothing was written.
        """

    def pending(self) -> list[PendingBatch]:
        """The pending batches, in the order in which they were added.

        Raises:
            EmptiedError: Redis has lost them.
        """

    def clear_pending(self) -> None:
        """Remove the pending batches, whose rows are in both stores.

        Raises:
            FencedError: another worker is the leader.
            EmptiedError: Redis has lost them.
            RolledBackError: Redis has lost the last of them.
        """

    def restore(self, batches: Sequence[PendingBatch]) -> None:
        """Remember what Redis may have lost: these batches, whose rows are in history, and what this worker added.

        Raises:
            FencedError: another worker is the leader.
            EmptiedError: Redis has lost all.
        """


class RedisCountedEvents:
    """Counted events in Redis: a set of ids for each day on which events occurred, and a hash of pending batches."""

    def __init__(self, client: RedisClient, worker: str, tag: str = "") -> None:
        """Count as this worker, with this hash tag in all keys; a cluster needs one."""
        self._redis, self._tag = client, tag
        self._pending_key, self._epoch_key = f"{tag}{_PENDING}:{worker}", features_epoch_key(worker, tag)
        self._sequence_key, self._former_key = f"{tag}{_SEQUENCE}:{worker}", f"{tag}{_FORMER_PENDING}:{worker}"
        self._epoch = self._sequence = 0
        self._added: dict[int, PendingBatch] = {}  # since pending batches were removed, by number

    def become_leader(self) -> None:
        """Increment the epoch."""
        self._epoch = int(self._redis.incr(self._epoch_key))
        self._sequence = int(self._redis.get(self._sequence_key) or 0)

    def has_begun(self) -> bool:
        """Whether there is an epoch."""
        return bool(self._redis.exists(self._epoch_key))

    def begin(self) -> None:
        """Write the first epoch, if there is none."""
        self._redis.set(self._epoch_key, 0, nx=True)

    def uncounted(self, events: EventColumns) -> EventColumns:
        """The events that have not been counted."""
        events = events.distinct()
        known = self.known(events)
        return events.take(~known) if known.any() else events

    def known(self, events: EventIds) -> NDArray[np.bool_]:
        """Which of the events have been counted; one round trip."""
        days = self._by_day(events)
        pipeline: Any = self._redis.pipeline(transaction=False)
        for key, indices in days.items():
            pipeline.smismember(key, events.id[indices].tolist())
        known = np.zeros(len(events.id), np.bool_)
        for indices, answers in zip(days.values(), pipeline.execute(), strict=True):
            known[indices] = answers
        return known

    def count(self) -> int:
        """Number of events remembered as counted."""
        keys = self._redis.scan_iter(f"{self._tag}{COUNTED_PREFIX}*", count=_SCANNED_AT_ONCE)
        return sum(int(self._redis.scard(key)) for key in keys)

    def remember(self, events: EventIds) -> None:
        """Remember events as counted."""
        self._execute(self._remember(events))

    def credits(self, slots: Ints) -> Credits:
        """The states of distinct slots; one round trip."""
        found = Credits.none_of(slots)
        targets = self._by_target(slots)
        pipeline: Any = self._redis.pipeline(transaction=False)
        for key, indices in targets.items():
            pipeline.hmget(key, [_slot_field(slots[index]) for index in indices])
        for indices, states in zip(targets.values(), pipeline.execute(), strict=True):
            for index, state in zip(indices, states, strict=True):
                if state is not None:
                    found.best[index], found.last[index] = _CREDIT.unpack(state)
        return found

    def merge_credits(self, states: Credits) -> None:
        """Merge the states of slots with those that are remembered."""
        self._execute(self._write_credits(self.credits(states.slots).merged(states)))

    def add_pending(
        self, events: EventIds, rows: Sequence[CounterRows], states: Credits, partials: Sequence[Partial] = ()
    ) -> None:
        """Remember events and add their rows by one script, which writes nothing outside the epoch of this worker."""
        batch = PendingBatch(events.id, events.day, rows, states, None, partials)
        pending = ("HSET", self._pending_key, str(self._sequence + 1), batch.encode())
        self._write([*self._remember(events), *self._write_credits(states), pending])
        self._added[self._sequence] = batch

    def pending(self) -> list[PendingBatch]:
        """The pending batches."""
        former, batches = self._redis.lrange(self._former_key, 0, -1), self._redis.hgetall(self._pending_key)
        has_epoch = self._redis.exists(self._epoch_key)  # last: what was read before it was whole
        if self._epoch and not has_epoch:
            raise EmptiedError
        # one whose script was executed although its reply was lost is not overwritten by the next
        self._sequence = max(self._sequence, *map(int, batches), 0)
        return [PendingBatch.decode(batch) for batch in [*former, *(batches[key] for key in sorted(batches, key=int))]]

    def clear_pending(self) -> None:
        """Remove the pending batches."""
        self._write([("DEL", self._pending_key, self._former_key)])
        self._added.clear()

    def restore(self, batches: Sequence[PendingBatch]) -> None:
        """Remember the batches, then add the pending ones of this worker again by one script."""
        commands: list[Command] = []
        for number, batch in self._added.items():
            states = self.credits(batch.credits.slots).merged(batch.credits)
            pending = ("HSET", self._pending_key, str(number), batch.encode())
            commands += [*self._remember(batch), *self._write_credits(states), pending]
        self._evaluate(_RESTORE, commands)
        for batch in batches:
            self.remember(batch)
            self.merge_credits(batch.credits)

    def _write(self, commands: Sequence[Command]) -> None:
        """Execute commands all or not at all, and only within the epoch of this worker."""
        self._evaluate(_WRITE, commands)
        self._sequence += 1

    def _evaluate(self, script: str, commands: Sequence[Command]) -> None:
        arguments: list[str | bytes] = [str(self._epoch), str(self._sequence), str(self._sequence + 1)]
        for command in commands:
            arguments += [str(len(command)), *command]
        outcome = self._redis.eval(script, 2, self._epoch_key, self._sequence_key, *arguments)
        match outcome:
            case b"written":
                return
            case b"emptied":
                raise EmptiedError
            case b"fenced":
                raise FencedError("another features worker is the leader")
            case _:
                raise RolledBackError

    def _execute(self, commands: Iterable[Command]) -> None:
        with self._redis.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            pipeline.execute()

    def _remember(self, events: EventIds) -> Iterator[Command]:
        for key, indices in self._by_day(events).items():
            for start in range(0, len(indices), _WORDS):
                yield ("SADD", key, *events.id[indices[start : start + _WORDS]].tolist())
            yield ("EXPIRE", key, str(int(REMEMBERED_FOR.total_seconds())))

    def _write_credits(self, states: Credits) -> Iterator[Command]:
        for key, indices in self._by_target(states.slots).items():
            fields: list[bytes] = []
            for index in indices:
                state = _CREDIT.pack(int(states.best[index]), int(states.last[index]))
                fields += [_slot_field(states.slots[index]), state]
            for start in range(0, len(fields), _WORDS):
                yield ("HSET", key, *fields[start : start + _WORDS])
            yield ("EXPIRE", key, str(int(CREDITED_FOR.total_seconds())))

    def _by_target(self, slots: Ints) -> dict[str, list[int]]:
        """Keys of the hashes of slots, each with the indices of its slots."""
        targets: dict[str, list[int]] = defaultdict(list)
        for index, (week, target) in enumerate(slots[:, :2].tolist()):
            targets[f"{self._tag}{_CREDITS}{week}:{target}"].append(index)
        return targets

    def _by_day(self, events: EventIds) -> dict[str, NDArray[np.intp]]:
        """Keys of the sets of ids, each with the indices of its events."""
        # ids of messages are apart: they are not of events
        apart = _OF_MESSAGES if len(events.id) and str(events.id[0]).startswith(_OF_MESSAGES) else ""
        return {
            counted_key(np.datetime64(int(day), "D").item(), f"{self._tag}{apart}"): np.flatnonzero(events.day == day)
            for day in np.unique(events.day)
        }


def _slot_field(slot: Ints) -> bytes:
    """The user, and the name of the action: codes change when an action is added."""
    return _USER.pack(int(slot[2])) + ACTIONS[int(slot[3])].value.encode()


@dataclass(frozen=True, slots=True)
class CountedInParts:
    """What several memories have counted together."""

    parts: Sequence[CountedEvents]

    def known(self, events: EventIds) -> NDArray[np.bool_]:
        """Which of the events any of them has counted, (n,)."""
        known: NDArray[np.bool_] = np.any([part.known(events) for part in self.parts], axis=0)
        return known

    def count(self) -> int:
        """Number of events remembered as counted."""
        return sum(part.count() for part in self.parts)
