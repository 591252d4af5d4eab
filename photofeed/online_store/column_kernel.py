"""The compiled loop from stored rows to columns of float64, for callers that compute with the numbers at once."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.online_store.compiled import compiled
from photofeed.online_store.raw_memory import load_float32, load_float64, load_int32, load_int64
from photofeed.online_store.schema import MISSING

KINDS = ("DOUBLE", "FLOAT", "INT64", "INT32", "UNIX_TIMESTAMP", "BOOL")
"""Feast's value types of fixed width. A column's kind is the index of its type."""
_DOUBLE, _FLOAT, _INT64, _INT32, _UNIX_TIMESTAMP, _BOOL = range(len(KINDS))


def warm_columns() -> None:
    """Compile the loop or load it from numba's cache, so that no read waits for it."""
    data, ids = np.empty(0, np.uint8), np.empty(0, np.int64)
    tables = np.zeros((1, 2), np.int64), np.zeros((1, 0, 3), np.int64)
    write_columns(data, ids, ids, ids, *tables, np.empty(0), ids, np.empty((0, 0)))


@compiled
def write_columns(
    stored: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    numbers: NDArray[np.int64],
    index: NDArray[np.int64],
    nulls: NDArray[np.int64],
    sources: NDArray[np.int64],
    defaults: NDArray[np.float64],
    targets: NDArray[np.int64],
    output: NDArray[np.float64],
) -> None:
    """Write fields of one row per index, with defaults in place of missing rows, of nulls and of fields a row lacks.

    Args:
        stored: bytes that contain the rows.
        offsets: (k,) offset of each distinct row's value, or MISSING.
        numbers: (k,) number of the layout of each distinct row.
        index: (n,) index of each row, or (1,) if all n rows are the same.
        nulls: (layouts, 2) offset of the bits of nulls in a row, and number of their bytes.
        sources: (layouts, columns, 3) offset of each column's field in a row or MISSING, its kind, its null bit.
        defaults: (columns,).
        targets: (columns,) rows of the output.
        output: (any, n) written to.
    """
    begins, usual = np.empty(len(index), np.int64), 0
    apart, count = np.empty(len(index), np.int64), 0  # rows that are read field by field
    for row in range(len(index)):
        if offsets[index[row]] != MISSING:
            usual = numbers[index[row]]
            break
    for row in range(len(index)):
        begin = offsets[index[row]]
        if begin != MISSING and (numbers[index[row]] != usual or _has_null(stored, begin, nulls[usual])):
            apart[count] = row
            count += 1
            begin = MISSING
        begins[row] = begin
    for column in range(len(targets)):
        target = output[targets[column]]
        _write_column(stored, begins, sources[usual, column], defaults[column], target)
        for other in range(count):
            entity = index[apart[other]]
            number = numbers[entity]
            source, kind, null = sources[number, column]
            begin = offsets[entity]
            bits = stored[begin + nulls[number, 0] + null // 8]
            if source != MISSING and not bits >> (null % 8) & 1:
                target[apart[other]] = _load(stored, begin + source, kind)
        if len(index) == 1:
            target[:] = target[0]


@compiled
def _has_null(stored: NDArray[np.uint8], begin: int, nulls: NDArray[np.int64]) -> bool:
    at, size = begin + nulls[0], nulls[1]
    for byte in range(at, at + size):  # noqa: SIM110  numba compiles no generators
        if stored[byte]:
            return True
    return False


@compiled
def _write_column(
    stored: NDArray[np.uint8],
    begins: NDArray[np.int64],
    field: NDArray[np.int64],
    default: float,
    output: NDArray[np.float64],
) -> None:
    """Write a field of rows that begin at `begins`, or its default where that is MISSING."""
    source, kind = field[0], field[1]
    if source == MISSING:
        output[: len(begins)] = default
    elif kind == _DOUBLE:
        for row in range(len(begins)):
            begin = begins[row]
            output[row] = default if begin == MISSING else load_float64(stored, begin + source)
    elif kind == _FLOAT:
        for row in range(len(begins)):
            begin = begins[row]
            output[row] = default if begin == MISSING else np.float64(load_float32(stored, begin + source))
    else:
        for row in range(len(begins)):
            begin = begins[row]
            output[row] = default if begin == MISSING else _load(stored, begin + source, kind)


@compiled
def _load(stored: NDArray[np.uint8], at: int, kind: int) -> Any:
    if kind == _DOUBLE:
        return load_float64(stored, at)
    if kind == _FLOAT:
        return np.float64(load_float32(stored, at))
    if kind == _INT32:
        return np.float64(load_int32(stored, at))
    if kind == _BOOL:
        return 1.0 if stored[at] else 0.0
    return np.float64(load_int64(stored, at))
