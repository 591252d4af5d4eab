"""The loops of a read, compiled: ids to the arguments of a command, a reply to rows, rows to columns.

In numpy they are some forty calls a view, each of which takes longer to begin than to do its work.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from photofeed.online_store.codec import MISSING
from photofeed.online_store.raw_memory import copy_bytes, load_big_endian

_MISSING_REPLY = np.frombuffer(b"$-1\r\n", np.uint8)
_ID_BYTES = 8
_MIX = np.uint64(0x9E3779B97F4A7C15)  # Knuth's multiplier for 64 bits: 2^64 by the golden ratio
_MOMENT_SIGN = np.uint64(1 << 63)
Function = TypeVar("Function", bound=Callable[..., Any])


def _compiled(function: Function) -> Function:
    """Compile at the first call, to run without the GIL; keep the machine code if numba finds a folder it may write."""
    dispatcher: Any = njit(nogil=True, error_model="numpy", boundscheck=False)(function)
    with suppress(RuntimeError):
        dispatcher.enable_caching()
    return cast("Function", dispatcher)


def warm() -> None:
    """Compile the loops, or load what was compiled before, so that no read has to wait for it."""
    data, places, ids = np.empty(0, np.uint8), np.empty(0, np.int64), np.empty((0, 1), np.int64)
    write_keys(ids, data, 0, data, places)
    cut_rows(data, 0, data, 0, 0, 0, places, 0)
    gather_rows(data, places, places, np.zeros((1, 2), np.int64), data, data, places, np.empty(0, np.bool_))


@_compiled
def write_keys(
    ids: NDArray[np.int64],
    form: NDArray[np.uint8],
    ids_at: int,
    arguments: NDArray[np.uint8],
    which: NDArray[np.int64],
) -> int:
    """Write the keys of distinct entities one after the other, in the order in which they are first met.

    Args:
        ids: (n, join keys) of the entities, C-contiguous, little-endian.
        form: one argument, with room for ids.
        ids_at: where in it.
        arguments: written to; has room for n forms.
        which: (n,) written to: which of the distinct entities each is.

    Returns:
        How many are distinct.
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
            copy_bytes(arguments, count * len(form), form, 0, len(form))
            copy_bytes(arguments, count * len(form) + ids_at, ids, entity * ids_bytes, ids_bytes)
            count += 1
        which[entity] = table[slot]
    return count


@_compiled
def cut_rows(
    reply: NDArray[np.uint8],
    begin: int,
    signature: NDArray[np.uint8],
    head: int,
    stride: int,
    array_rows: int,
    places: NDArray[np.int64],
    row: int,
) -> tuple[int, int]:
    """Find where rows lie in a reply: those that begin with `signature`, each of `stride` bytes, and missing ones.

    Args:
        reply: as far as it has come from the wire.
        begin: where the next row begins, with the array's head if it is the first of one.
        signature: what each present row begins with.
        head: bytes of it that come before the row's value.
        stride: bytes from one present row to the next.
        array_rows: of how many rows each array is, and the last of what is left; 0 where there are none.
        places: (n,) written to: where each row's value begins, or MISSING.
        row: the next one.

    Returns:
        The next row when one was not whole, or something else, n if there was none; and where that begins.
    """
    while row < len(places):
        at = begin
        if array_rows and row % array_rows == 0:
            at = _after_head(reply, begin, min(array_rows, len(places) - row))
        if at == MISSING:
            break
        if at + stride <= len(reply) and _equal(reply[at : at + len(signature)], signature):
            places[row] = at + head
            begin = at + stride
        elif at + len(_MISSING_REPLY) <= len(reply) and _equal(reply[at : at + len(_MISSING_REPLY)], _MISSING_REPLY):
            places[row] = MISSING
            begin = at + len(_MISSING_REPLY)
        else:
            break
        row += 1
    return row, begin


@_compiled
def _after_head(reply: NDArray[np.uint8], begin: int, count: int) -> int:
    r"""Where the head of an array of so many ends, `*<count>\r\n`; MISSING if there is none."""
    digits = 1
    while count >= 10**digits:
        digits += 1
    end = begin + 1 + digits + 2
    if end > len(reply) or reply[begin] != ord("*") or reply[end - 2] != ord("\r") or reply[end - 1] != ord("\n"):
        return MISSING
    for place in range(end - 3, begin, -1):
        if reply[place] != ord("0") + count % 10:
            return MISSING
        count //= 10
    return end


@_compiled
def gather_rows(
    stored: NDArray[np.uint8],
    places: NDArray[np.int64],
    which: NDArray[np.int64],
    layout: NDArray[np.int64],
    default: NDArray[np.uint8],
    values: NDArray[np.uint8],
    event_us: NDArray[np.int64],
    found: NDArray[np.bool_],
) -> None:
    """Bring rows into the order asked for, with defaults for what is missing or null.

    Args:
        stored: bytes with the rows in them.
        places: (k,) where each of the distinct rows has its value, or MISSING.
        which: (n,) which of them is asked for.
        layout: (fields + 1, 2), in declared order the place and size of each field among the values, 0 in size where it
            has no fixed width; before them where in a row the event's time is, and where its nulls are.
        default: the values of a row that is missing.
        values: (n * len(default),) written to.
        event_us: (n,) written to: microseconds since 1970; 0 where the row is missing.
        found: (n,) written to.
    """
    width, event_at, nulls_at = len(default), layout[0, 0], layout[0, 1]
    null_bytes = (len(layout) - 1 + 7) // 8
    for row in range(len(which)):
        place, target = places[which[row]], row * width
        found[row] = place != MISSING
        if place == MISSING:
            event_us[row] = 0
            copy_bytes(values, target, default, 0, width)
            continue
        event_us[row] = np.int64(load_big_endian(stored, place + event_at) ^ _MOMENT_SIGN)
        nulls = stored[place + nulls_at :]
        copy_bytes(values, target, stored, place + nulls_at + null_bytes, width)
        for group in range(null_bytes):
            if nulls[group]:
                for field in range(8 * group, min(8 * group + 8, len(layout) - 1)):
                    if nulls[group] >> (field - 8 * group) & 1:
                        at, size = layout[field + 1]
                        copy_bytes(values, target + at, default, at, size)


@_compiled
def _equal(one: Any, other: Any) -> bool:
    for place in range(len(one)):  # noqa: SIM110  numba compiles no generators
        if one[place] != other[place]:
            return False
    return True


@_compiled
def _same(ids: NDArray[np.int64], one: int, other: int) -> bool:
    for key in range(ids.shape[1]):  # noqa: SIM110  numba compiles no generators
        if ids[one, key] != ids[other, key]:
            return False
    return True
