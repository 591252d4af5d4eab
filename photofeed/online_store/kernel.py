"""The compiled loops of a read: from ids to a command's arguments, from a reply to rows, from rows to columns.

In numpy they take some forty calls per view, and the overhead of a call exceeds its work.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.online_store.compiled import compiled
from photofeed.online_store.raw_memory import copy_bytes, load_big_endian
from photofeed.online_store.schema import MISSING

_MISSING_REPLY = np.frombuffer(b"$-1\r\n", np.uint8)
_ID_BYTES = 8
_MIX = np.uint64(0x9E3779B97F4A7C15)  # Knuth's multiplier for 64 bits: 2^64 by the golden ratio
_MOMENT_SIGN = np.uint64(1 << 63)


def warm() -> None:
    """Compile the loops or load them from numba's cache, so that no read waits for it."""
    data, offsets, ids = np.empty(0, np.uint8), np.empty(0, np.int64), np.empty((0, 1), np.int64)
    write_keys(ids, data, 0, data, offsets)
    cut_rows(data, 0, np.empty((0, 0), np.uint8), np.empty((0, 3), np.int64), 0, offsets, offsets, 0)
    layouts = np.zeros((1, 1, 4), np.int64)
    gather_rows(data, offsets, offsets, offsets, layouts, data, data, offsets, np.empty(0, np.bool_), offsets)


@compiled
def write_keys(
    ids: NDArray[np.int64],
    template: NDArray[np.uint8],
    ids_offset: int,
    arguments: NDArray[np.uint8],
    index: NDArray[np.int64],
) -> int:
    """Write the keys of distinct entities, in the order of their first occurrence.

    Args:
        ids: (n, join keys) of the entities, C-contiguous, little-endian.
        template: one argument, with room for ids.
        ids_offset: offset of the ids in the template.
        arguments: written to; has room for n arguments.
        index: (n,) written to: index of each entity among the distinct ones.

    Returns:
        The number of distinct entities.
    """
    bits = 1
    while 1 << bits < 2 * len(ids):
        bits += 1
    shift, last = np.uint64(64 - bits), (1 << bits) - 1
    table = np.full(1 << bits, MISSING)
    first = np.empty(len(ids), np.int64)
    count, ids_bytes = 0, ids.shape[1] * _ID_BYTES
    for entity in range(len(ids)):
        mixed = np.uint64(0)
        for key in range(ids.shape[1]):
            mixed = (mixed ^ np.uint64(ids[entity, key])) * _MIX
        slot = np.int64(mixed >> shift)
        while table[slot] != MISSING and not _same(ids, first[table[slot]], entity):
            slot = (slot + 1) & last
        if table[slot] == MISSING:
            table[slot], first[count] = count, entity
            copy_bytes(arguments, count * len(template), template, 0, len(template))
            copy_bytes(arguments, count * len(template) + ids_offset, ids, entity * ids_bytes, ids_bytes)
            count += 1
        index[entity] = table[slot]
    return count


@compiled
def cut_rows(
    reply: NDArray[np.uint8],
    begin: int,
    signatures: NDArray[np.uint8],
    shapes: NDArray[np.int64],
    array_rows: int,
    offsets: NDArray[np.int64],
    numbers: NDArray[np.int64],
    row: int,
) -> tuple[int, int]:
    """Find the offsets of rows in a reply: a present row starts with the signature of its layout and has its stride.

    Args:
        reply: the bytes received so far.
        begin: offset of the next row, including the head of its array if it is the first one there.
        signatures: (layouts, longest) the first bytes of every present row of each layout.
        shapes: (layouts, 3) per layout the length of its signature, the number of bytes of it that precede the row's
            value, and the bytes from one present row to the next.
        array_rows: rows per array, of which the last may be shorter; 0 if rows are not in arrays.
        offsets: (n,) written to: offset of each row's value, or MISSING.
        numbers: (n,) written to: number of each present row's layout.
        row: index of the next row.

    Returns:
        Index and offset of the first row that is incomplete or of another form; n and the end if there is none.
    """
    while row < len(offsets):
        at = begin
        if array_rows and row % array_rows == 0:
            at = _after_head(reply, begin, min(array_rows, len(offsets) - row))
        if at == MISSING:
            break
        layout = _layout_at(reply, at, signatures, shapes)
        if layout != MISSING:
            offsets[row], numbers[row] = at + shapes[layout, 1], layout
            begin = at + shapes[layout, 2]
        elif at + len(_MISSING_REPLY) <= len(reply) and _equal(reply[at : at + len(_MISSING_REPLY)], _MISSING_REPLY):
            offsets[row] = MISSING
            begin = at + len(_MISSING_REPLY)
        else:
            break
        row += 1
    return row, begin


@compiled
def _layout_at(reply: NDArray[np.uint8], at: int, signatures: NDArray[np.uint8], shapes: NDArray[np.int64]) -> int:
    """The number of the layout of the whole row that begins at `at`; MISSING if no such row begins there."""
    for layout in range(len(shapes)):
        if at + shapes[layout, 2] <= len(reply):
            length, same = shapes[layout, 0], 0
            while same < length and reply[at + same] == signatures[layout, same]:
                same += 1
            if same == length:
                return layout
    return MISSING


@compiled
def _after_head(reply: NDArray[np.uint8], begin: int, count: int) -> int:
    r"""The offset after the head of an array of `count` items, `*<count>\r\n`; MISSING if there is no such head."""
    digits = 1
    while count >= 10**digits:
        digits += 1
    end = begin + 1 + digits + 2
    if end > len(reply) or reply[begin] != ord("*") or reply[end - 2] != ord("\r") or reply[end - 1] != ord("\n"):
        return MISSING
    for digit in range(end - 3, begin, -1):
        if reply[digit] != ord("0") + count % 10:
            return MISSING
        count //= 10
    return end


@compiled
def gather_rows(
    stored: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    numbers: NDArray[np.int64],
    index: NDArray[np.int64],
    layouts: NDArray[np.int64],
    default: NDArray[np.uint8],
    values: NDArray[np.uint8],
    event_us: NDArray[np.int64],
    found: NDArray[np.bool_],
    defaulted: NDArray[np.int64],
) -> None:
    """Copy one row per index, with defaults in place of missing rows, of nulls and of fields that a row's layout lacks.

    Args:
        stored: bytes that contain the rows.
        offsets: (k,) offset of each distinct row's value, or MISSING.
        numbers: (k,) number of the layout of each distinct row.
        index: (n,) index of the row to copy.
        layouts: see `layouts.gather_table`.
        default: the values of a missing row.
        values: (n * len(default),) written to.
        event_us: (n,) written to: microseconds since 1970; 0 if the row is missing.
        found: (n,) written to: whether there is a row.
        defaulted: (fields,) written to: how many of the n values of each field are defaults.
    """
    width, fields, missing = len(default), layouts.shape[1] - 1, 0
    event_at, own = layouts[0, 0, 0], MISSING
    for number in range(len(layouts)):
        if layouts[number, 0, 2]:
            own = number
    defaulted[:] = 0
    for row in range(len(index)):
        offset, target = offsets[index[row]], row * width
        found[row] = offset != MISSING
        if offset == MISSING:
            missing += 1
            event_us[row] = 0
            copy_bytes(values, target, default, 0, width)
            continue
        event_us[row] = np.int64(load_big_endian(stored, offset + event_at) ^ _MOMENT_SIGN)
        number = numbers[index[row]]
        if number == own:
            _copy_row(stored, offset, layouts[own], default, values, target, defaulted)
        else:
            _copy_fields(stored, offset, layouts[number], default, values, target, defaulted)
    for field in range(fields):
        defaulted[field] += missing


@compiled
def _copy_row(
    stored: NDArray[np.uint8],
    offset: int,
    layout: NDArray[np.int64],
    default: NDArray[np.uint8],
    values: NDArray[np.uint8],
    target: int,
    defaulted: NDArray[np.int64],
) -> None:
    """Copy a row of the layout that is read: all values at once, then the defaults of nulls."""
    fields, nulls = len(layout) - 1, offset + layout[0, 1]
    null_bytes = (fields + 7) // 8
    copy_bytes(values, target, stored, nulls + null_bytes, len(default))
    for group in range(null_bytes):
        bits = stored[nulls + group]
        if bits:
            for field in range(8 * group, min(8 * group + 8, fields)):
                if bits >> (field - 8 * group) & 1:
                    at, size = layout[field + 1, 1], layout[field + 1, 2]
                    copy_bytes(values, target + at, default, at, size)
                    defaulted[field] += 1


@compiled
def _copy_fields(
    stored: NDArray[np.uint8],
    offset: int,
    layout: NDArray[np.int64],
    default: NDArray[np.uint8],
    values: NDArray[np.uint8],
    target: int,
    defaulted: NDArray[np.int64],
) -> None:
    """Copy a row of another layout field by field: the defaults, then what the row has."""
    nulls = offset + layout[0, 1]
    copy_bytes(values, target, default, 0, len(default))
    for field in range(len(layout) - 1):
        source, at, size, null = layout[field + 1]
        if source == MISSING or stored[nulls + null // 8] >> (null % 8) & 1:
            defaulted[field] += 1
        else:
            copy_bytes(values, target + at, stored, offset + source, size)


@compiled
def _equal(one: Any, other: Any) -> bool:
    for item in range(len(one)):  # noqa: SIM110  numba compiles no generators
        if one[item] != other[item]:
            return False
    return True


@compiled
def _same(ids: NDArray[np.int64], one: int, other: int) -> bool:
    for key in range(ids.shape[1]):  # noqa: SIM110  numba compiles no generators
        if ids[one, key] != ids[other, key]:
            return False
    return True
