"""The compiled loops of a table of hot rows (hot_rows.py): a hash index with open addressing over a fixed set of rows.

Entries that no request has used since the clock's hand last passed them make room for new ones.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from photofeed.online_store.compiled import compiled
from photofeed.online_store.raw_memory import copy_bytes, load_big_endian
from photofeed.online_store.schema import MISSING

_MIX = np.uint64(0x9E3779B97F4A7C15)  # Knuth's multiplier for 64 bits: 2^64 by the golden ratio
_READ, _USED = 1, 2  # flags: the row was read from Redis; used since the hand last passed
_COUNT, _HAND, _EVICTED = 0, 1, 2  # state: number of entries; the clock's hand; latest change among evicted entries
_EVENT_AT, _CREATED_AT = 5, 13  # offsets of both moments in a row (codec.py)


class TableArrays(NamedTuple):
    """The memory of a table of c entries.

    Attributes:
        slots: (power of two,) int32, the entry of each slot, or MISSING.
        shift: 64 minus the number of bits of a slot.
        ids: (c,) int64 of entries.
        rows: (c * stride,) bytes: the row of each entry.
        layouts: (c,) int16, number of each row's layout; MISSING if the store has no row.
        flags: (c,) uint8.
        read_at: (c,) float64, when each row was read from the store, in seconds of the caller's clock.
        changed: (c,) int64, the number of the change that last named each entry; 0 for none.
        state: (3,) int64.
    """

    slots: NDArray[np.int32]
    shift: np.uint64
    ids: NDArray[np.int64]
    rows: NDArray[np.uint8]
    layouts: NDArray[np.int16]
    flags: NDArray[np.uint8]
    read_at: NDArray[np.float64]
    changed: NDArray[np.int64]
    state: NDArray[np.int64]


def make_table(capacity: int, stride: int) -> TableArrays:
    """An empty table. Memory of entries is only taken from the machine when they are used."""
    bits = max(int(2 * capacity - 1).bit_length(), 1)
    return TableArrays(
        slots=np.full(1 << bits, MISSING, np.int32),
        shift=np.uint64(64 - bits),
        ids=np.empty(capacity, np.int64),
        rows=np.empty(capacity * stride, np.uint8),
        layouts=np.empty(capacity, np.int16),
        flags=np.empty(capacity, np.uint8),
        read_at=np.empty(capacity, np.float64),
        changed=np.empty(capacity, np.int64),
        state=np.zeros(3, np.int64),
    )


def warm_table() -> None:
    """Compile the loops or load them from numba's cache, so that no read waits for it."""
    table, ids, none = make_table(1, 1), np.empty(0, np.int64), np.empty(0, np.uint8)
    take_rows(table, ids, 0.0, 1, none, ids, ids, ids)
    fill_rows(none, ids, ids, ids, 1, none, ids, ids, ids, ids)
    keep_rows(table, ids, none, ids, ids, ids, 0.0, 0)
    # what is published cannot be written to, which is another type for the compiler
    change_rows(table, np.frombuffer(b"", "<i8"), np.frombuffer(b"", np.uint8), 1, 0, 0)
    forget_rows(table)


@compiled
def take_rows(
    table: TableArrays,
    ids: NDArray[np.int64],
    oldest: float,
    stride: int,
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    numbers: NDArray[np.int64],
    missing: NDArray[np.int64],
) -> int:
    """Copy the rows of n entities that were read since `oldest`.

    Args:
        table: the table.
        ids: (n,) of the entities.
        oldest: rows that were read before this moment are not taken.
        stride: bytes from one row to the next, in the table and in `data`.
        data: (n * stride,) written to.
        offsets: (n,) written to: offset of each row in `data`, or MISSING if the store has none.
        numbers: (n,) written to: number of each row's layout.
        missing: (n,) written to: indices of the entities that have to be read from the store.

    Returns:
        The number of missing entities.
    """
    # Tables are larger than caches: the loads of one short loop wait for memory together, those of a long one in turns.
    entries, count = _entries_of(table, ids), 0
    for row in range(len(ids)):
        entry = entries[row]
        offsets[row], numbers[row] = MISSING, 0
        if entry == MISSING or not table.flags[entry] & _READ or table.read_at[entry] < oldest:
            missing[count] = row
            count += 1
            continue
        table.flags[entry] |= _USED
        if table.layouts[entry] != MISSING:
            offsets[row], numbers[row] = row * stride, table.layouts[entry]
    for row in range(len(ids)):
        if offsets[row] != MISSING:
            copy_bytes(data, row * stride, table.rows, entries[row] * stride, stride)
    return count


@compiled
def fill_rows(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    numbers: NDArray[np.int64],
    missing: NDArray[np.int64],
    stride: int,
    stored: NDArray[np.uint8],
    stored_offsets: NDArray[np.int64],
    stored_numbers: NDArray[np.int64],
    index: NDArray[np.int64],
    sizes: NDArray[np.int64],
) -> None:
    """Copy the rows that were read among those that were taken.

    Args:
        data: (n * stride,) written to, as `offsets` and `numbers`; see take_rows.
        offsets: (n,).
        numbers: (n,).
        missing: (m,) indices of the entities that were read.
        stride: bytes from one row to the next, at least the largest of `sizes`.
        stored: bytes that contain the rows that were read.
        stored_offsets: (k,) offset of each distinct row in `stored`, or MISSING.
        stored_numbers: (k,) number of each row's layout.
        index: (m,) index of the row of each missing entity.
        sizes: (layouts,) bytes of a row of each layout.
    """
    for one in range(len(missing)):
        row, at = missing[one], stored_offsets[index[one]]
        if at != MISSING:
            offsets[row], numbers[row] = row * stride, stored_numbers[index[one]]
            copy_bytes(data, offsets[row], stored, at, sizes[numbers[row]])


@compiled
def keep_rows(
    table: TableArrays,
    ids: NDArray[np.int64],
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    numbers: NDArray[np.int64],
    sizes: NDArray[np.int64],
    now: float,
    since: int,
) -> None:
    """Keep rows that were read from the store. Rows that changed meanwhile win if they are newer.

    Args:
        table: the table.
        ids: (k,) distinct, of the entities that were read.
        data: bytes that contain the rows.
        offsets: (k,) offset of each row in `data`, or MISSING if the store has none.
        numbers: (k,) number of each row's layout.
        sizes: (layouts,) bytes of a row of each layout.
        now: when the read began.
        since: number of the last change that was known when the read began.
    """
    stride = len(table.rows) // len(table.ids)
    for row in range(len(ids)):
        entry = _find(table, ids[row])
        if entry == MISSING:
            if table.state[_EVICTED] > since:
                continue  # the row that was evicted may have been newer
            entry = _add(table, ids[row])
            # reads that began before the latest eviction may have an earlier row
            table.changed[entry] = table.state[_EVICTED]
        # what was read before is replaced by what is there now, even if that is older: somebody replaced it
        is_same = table.flags[entry] & _READ and table.changed[entry] <= since
        at = offsets[row]
        if at == MISSING:
            if is_same:
                table.layouts[entry] = MISSING
        elif is_same or table.layouts[entry] == MISSING or _is_newer(data, at, table.rows, entry * stride):
            copy_bytes(table.rows, entry * stride, data, at, sizes[numbers[row]])
            table.layouts[entry] = numbers[row]
        table.read_at[entry] = now
        table.flags[entry] |= _READ | _USED


@compiled
def change_rows(
    table: TableArrays, ids: NDArray[np.int64], data: NDArray[np.uint8], size: int, layout: int, number: int
) -> None:
    """Apply written rows: the newest one of each entity stays, as in the store.

    A row of an entity without an entry is kept for the reads that are under way: they may have read an earlier row. It
    is not used before one of them ends.

    Args:
        table: the table.
        ids: (k,) of the entities, in the order of the writes.
        data: (k * size,) their rows.
        size: bytes of a row.
        layout: number of the layout of all these rows.
        number: of this change, higher than that of all changes before.
    """
    stride = len(table.rows) // len(table.ids)
    for row in range(len(ids)):
        entry = _find(table, ids[row])
        if entry == MISSING:
            entry = _add(table, ids[row])
        begin = entry * stride
        if table.layouts[entry] == MISSING or _replaces(table, entry, begin, data, row * size, layout):
            copy_bytes(table.rows, begin, data, row * size, size)
            table.layouts[entry] = layout
        table.changed[entry] = number
        table.flags[entry] |= _USED


@compiled
def forget_rows(table: TableArrays) -> None:
    """Remove all entries."""
    table.slots[:] = MISSING
    table.state[:] = 0


@compiled
def _replaces(table: TableArrays, entry: int, begin: int, data: NDArray[np.uint8], at: int, layout: int) -> bool:
    """As the script of writers decides (newest.py): an equally new row of another layout replaces a row, too."""
    if _is_newer(data, at, table.rows, begin):
        return True
    return layout != table.layouts[entry] and not _is_newer(table.rows, begin, data, at)


@compiled
def _is_newer(one: NDArray[np.uint8], at: int, other: NDArray[np.uint8], begin: int) -> bool:
    """Whether a row has a later event or, of the same event, was created later."""
    event, before = load_big_endian(one, at + _EVENT_AT), load_big_endian(other, begin + _EVENT_AT)
    if event != before:
        return bool(event > before)
    return bool(load_big_endian(one, at + _CREATED_AT) > load_big_endian(other, begin + _CREATED_AT))


@compiled
def _slot(table: TableArrays, one: Any) -> Any:
    return np.int64((np.uint64(one) * _MIX) >> table.shift)


@compiled
def _find(table: TableArrays, one: Any) -> Any:
    last, slot = len(table.slots) - 1, _slot(table, one)
    while table.slots[slot] != MISSING:
        if table.ids[table.slots[slot]] == one:
            return np.int64(table.slots[slot])
        slot = (slot + 1) & last
    return MISSING


@compiled
def _entries_of(table: TableArrays, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) the entries of n ids; MISSING for those without one."""
    entries = np.empty(len(ids), np.int64)
    for row in range(len(ids)):
        entries[row] = table.slots[_slot(table, ids[row])]
    for row in range(len(ids)):
        if entries[row] != MISSING and table.ids[entries[row]] != ids[row]:
            entries[row] = _find(table, ids[row])
    return entries


@compiled
def _add(table: TableArrays, one: Any) -> Any:
    """A new entry without a row, in the place of another one if the table is full."""
    entry = table.state[_COUNT]
    if entry < len(table.ids):
        table.state[_COUNT] += 1
    else:
        hand = table.state[_HAND]
        while table.flags[hand] & _USED:
            table.flags[hand] &= ~np.uint8(_USED)
            hand = (hand + 1) % len(table.ids)
        table.state[_HAND] = (hand + 1) % len(table.ids)
        table.state[_EVICTED] = max(table.state[_EVICTED], table.changed[hand])
        _remove(table, table.ids[hand])
        entry = hand
    last, slot = len(table.slots) - 1, _slot(table, one)
    while table.slots[slot] != MISSING:
        slot = (slot + 1) & last
    table.slots[slot] = entry
    table.ids[entry], table.layouts[entry], table.flags[entry] = one, MISSING, 0
    table.read_at[entry], table.changed[entry] = 0.0, 0
    return entry


@compiled
def _remove(table: TableArrays, one: Any) -> None:
    """Empty the slot of an entry, and move those behind it that would no longer be found."""
    last, slot = len(table.slots) - 1, _slot(table, one)
    while table.ids[table.slots[slot]] != one:
        slot = (slot + 1) & last
    behind = (slot + 1) & last
    while table.slots[behind] != MISSING:
        home = _slot(table, table.ids[table.slots[behind]])
        if (behind - home) & last >= (behind - slot) & last:
            table.slots[slot] = table.slots[behind]
            slot = behind
        behind = (behind + 1) & last
    table.slots[slot] = MISSING
