"""Encodes the rows of one feature view: a header, a bitmap of nulls, packed numbers, then a tail of protos.

Layout of a value, little-endian except where noted:

    0   u8   format (1)
    1   u32  schema hash
    5   u64  event timestamp, big-endian, microseconds + 2^63
    13  u64  created timestamp, in the same form; 0 if there is none
    21  ...  one bit per field, set if the field is null, in declared order from the lowest bit
    ..  ...  the fixed-width fields, packed
    ..  ...  for each other field: u32 length and a serialized Feast Value (length 0: null)

The byte order of both timestamps is their time order: a script compares them inside Redis without decoding.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from photofeed.online_store.layouts import (
    FORMAT,
    SIGNATURE_BYTES,
    LayoutTable,
    RowLayout,
    encode_tail,
    gather_table,
    split_tail,
)
from photofeed.online_store.schema import FLOAT_TYPES, MISSING, RowSchema, SchemaMismatchError

__all__ = ["NO_TIMESTAMP", "DecodedRows", "RowCodec", "StoredRows", "encode_tail", "timestamps"]

NO_TIMESTAMP: Final = np.iinfo(np.int64).min
_BIAS: Final = np.uint64(1 << 63)
_FORMAT_BYTE: Final = bytes([FORMAT])


@dataclass(frozen=True, slots=True)
class DecodedRows:
    """The readable rows among some stored values.

    Attributes:
        rows: (k,) of `RowCodec.dtype`, only the readable ones, in order.
        found: (n,) bool, True for each of the n values that is readable.
        stale: number of values that were written with another schema.
    """

    rows: NDArray[np.void]
    found: NDArray[np.bool_]
    stale: int


@dataclass(frozen=True, slots=True)
class StoredRows:
    """The encoded rows of k entities.

    Attributes:
        data: bytes that contain the rows.
        offsets: (k,) offset in `data` of each entity's row, or MISSING.
        numbers: (k,) number of the layout of each row in `table`; MISSING where the table lacks the layout.
        table: the layouts.
        stale: number of missing rows that have a layout which the table lacks.
    """

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    numbers: NDArray[np.int64]
    table: LayoutTable
    stale: int = 0

    @classmethod
    def none(cls, table: LayoutTable) -> "StoredRows":
        """The rows of no entities."""
        nothing = np.empty(0, np.int64)
        return cls(np.empty(0, np.uint8), nothing, nothing, table)

    @classmethod
    def of_values(cls, values: Sequence[bytes | None], table: LayoutTable) -> "StoredRows":
        """The rows in stored values; None (no such key) and values of unknown layouts count as missing.

        Raises:
            ValueError: a value has the hash of a known layout and another length.
        """
        offsets, numbers = np.full(len(values), MISSING), np.zeros(len(values), np.int64)
        parts, begin, stale = [], 0, 0
        for row, value in enumerate(values):
            if value is None:
                continue
            number = table.numbers.get(value[:SIGNATURE_BYTES])
            if number is None:
                numbers[row], stale = MISSING, stale + 1
                continue
            _require_length(value, table.layouts[number])
            offsets[row], numbers[row] = begin, number
            parts.append(value)
            begin += len(value)
        return cls(np.frombuffer(bytearray(b"".join(parts)), np.uint8), offsets, numbers, table, stale)


class RowCodec:
    """Encodes and decodes the rows of one schema. Stateless after construction: safe to share between threads.

    Args:
        schema: the schema of the rows.
        strict: raise on rows of another schema instead of leaving them out.
    """

    def __init__(self, schema: RowSchema, *, strict: bool = False) -> None:
        from photofeed.online_store.kernel import gather_rows  # noqa: PLC0415  the compiler holds 60 MB

        self._gather_rows = gather_rows
        self.schema = schema
        self._strict = strict
        self.layout = RowLayout(schema)
        self.dtype = self.layout.dtype
        self.signature = self.layout.signature
        self._default = _defaults(schema)
        self._gather_tables: dict[LayoutTable, NDArray[np.int64]] = {}

    def encode(
        self,
        values: NDArray[np.void],
        event_us: NDArray[np.int64],
        created_us: NDArray[np.int64] | None = None,
        nulls: NDArray[np.bool_] | None = None,
        tails: Sequence[bytes] | None = None,
    ) -> list[bytes]:
        """Stored values for n rows.

        Args:
            values: (n,) of `schema.values_dtype`.
            event_us: (n,) microseconds since 1970, UTC.
            created_us: (n,) microseconds since 1970, UTC; NO_TIMESTAMP (or None for all) if there is none.
            nulls: (n, fields) in declared order. None: a float is null if it is NaN, other types are never null.
            tails: n results of `encode_tail`; required if the schema has variable fields.
        """
        rows = np.empty(len(values), self.dtype)
        rows["format"], rows["schema"] = FORMAT, self.schema.hash
        rows["event"] = _biased(event_us)
        rows["created"] = 0 if created_us is None else _biased(created_us)
        rows["nulls"] = np.packbits(self._nan(values) if nulls is None else nulls, axis=1, bitorder="little")
        rows["values"] = values
        packed: list[bytes] = rows.view(f"V{self.dtype.itemsize}").tolist()
        return packed if tails is None else [head + tail for head, tail in zip(packed, tails, strict=True)]

    def decode(self, stored: Sequence[bytes | None]) -> DecodedRows:
        """The rows in stored values; None (no such key) and values of another schema count as not found.

        Raises:
            SchemaMismatchError: `strict` is set and a value has another schema.
            ValueError: a value has the right schema hash and a wrong length.
        """
        present = [value for value in stored if value is not None]
        found = np.ones(len(stored), np.bool_)
        if len(present) < len(stored):
            found[:] = [value is not None for value in stored]
        rows = self._rows(present)
        # Equal hashes at every stride prove the lengths too: a value of another length has another hash.
        if rows is not None and bool(((rows["schema"] == self.schema.hash) & (rows["format"] == FORMAT)).all()):
            return DecodedRows(rows, found, 0)
        readable = [value for value in present if value.startswith(self.signature)]
        stale = len(present) - len(readable)
        if stale and self._strict:
            raise SchemaMismatchError(self.schema.view, stale)
        rows = self._rows(readable)
        if rows is None:
            raise ValueError(
                f"values of feature view {self.schema.view!r} have the right schema hash and a wrong length"
            )
        found[found] = [value.startswith(self.signature) for value in present]
        return DecodedRows(rows, found, stale)

    def null_mask(self, rows: NDArray[np.void]) -> NDArray[np.bool_]:
        """(k, fields) bool, True if the field is null."""
        return np.unpackbits(rows["nulls"], axis=1, count=len(self.schema.fields), bitorder="little").view(np.bool_)

    def gather(
        self, stored: StoredRows, index: NDArray[np.int64]
    ) -> tuple[NDArray[np.void], NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
        """One row per index, with the declared defaults in place of missing rows, nulls and fields that a row lacks.

        Rows of every layout of the table are read, field by field.

        Args:
            stored: rows of k entities.
            index: (n,) index of each row's entity.

        Returns:
            (n,) of `schema.values_dtype`; (n,) event times in microseconds since 1970, 0 if there is no row; (n,) bool,
            whether there is a row; (fields,) how many values of each field are defaults.
        """
        layouts = self._gather_tables.get(stored.table)
        if layouts is None:
            layouts = self._gather_tables[stored.table] = gather_table(self.schema, stored.table)
        count = len(index)
        values, event_us = np.empty(count, self.schema.values_dtype), np.empty(count, np.int64)
        found, defaulted = np.empty(count, np.bool_), np.empty(len(self.schema.fields), np.int64)
        self._gather_rows(
            stored.data,
            stored.offsets,
            stored.numbers,
            index,
            layouts,
            self._default,
            values.view(np.uint8),
            event_us,
            found,
            defaulted,
        )
        return values, event_us, found, defaulted

    def tails(self, stored: Iterable[bytes]) -> list[list[bytes]]:
        """Per readable value, the serialized protos of its variable fields in declared order; empty bytes for null."""
        return [split_tail(value, self.layout) for value in stored]

    def _rows(self, values: Sequence[bytes]) -> NDArray[np.void] | None:
        size = self.dtype.itemsize
        buffer = b"".join([value[:size] for value in values] if self.schema.variable_fields else values)
        return np.frombuffer(buffer, self.dtype) if len(buffer) == size * len(values) else None

    def _nan(self, values: NDArray[np.void]) -> NDArray[np.bool_]:
        nulls = np.zeros((len(values), len(self.schema.fields)), np.bool_)
        for field in self.schema.fixed_fields:
            if field.value_type in FLOAT_TYPES:
                # not with `out=`: numpy 2.4 misses some if both input and output are strided
                nulls[:, self.layout.positions[field.name]] = np.isnan(values[field.name])
        return nulls


def _require_length(value: bytes, layout: RowLayout) -> None:
    size = layout.dtype.itemsize
    if len(value) < size or (len(value) > size and not layout.schema.variable_fields):
        view = layout.schema.view
        raise ValueError(f"values of feature view {view!r} have the right schema hash and a wrong length")


def _defaults(schema: RowSchema) -> NDArray[np.uint8]:
    """The values of an entity without a row, as bytes."""
    row = np.zeros(1, schema.values_dtype)
    for field in schema.fixed_fields:
        row[field.name] = field.default
    return row.view(np.uint8)


def timestamps(biased: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Microseconds since 1970 from the `event` or `created` column of rows."""
    return (biased.astype(np.uint64) ^ _BIAS).view(np.int64)


def event_times(stored: Iterable[bytes | None]) -> NDArray[np.int64]:
    """Event times of stored values of any layout, microseconds since 1970; fewer than the values if some are None."""
    begin = SIGNATURE_BYTES
    biased = b"".join([value[begin : begin + 8] for value in stored if value is not None and value[:1] == _FORMAT_BYTE])
    return timestamps(np.frombuffer(biased, ">u8"))


def _biased(timestamps_us: NDArray[np.int64]) -> NDArray[Any]:
    return np.ascontiguousarray(timestamps_us, np.int64).view(np.uint64) ^ _BIAS
