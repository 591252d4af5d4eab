"""Rows of one feature view as bytes and back: a header, a bitmap of nulls, packed numbers, then a tail of protos.

Layout of a value, little-endian unless said otherwise:

    0   u8   format (1)
    1   u32  schema hash
    5   u64  event timestamp, big-endian, microseconds + 2^63
    13  u64  created timestamp, the same; 0 where there is none
    21  ...  one bit per field, set where the field is null, in declared order from the lowest bit
    ..  ...  the fixed-width fields, packed
    ..  ...  for each other field: u32 length and a serialized Feast Value (length 0: null)

Both timestamps are written so that byte order is time order: the store compares them inside Redis without decoding.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from photofeed.online_store.schema import FLOAT_TYPES, RowSchema, SchemaMismatchError

FORMAT: Final = 1
MISSING: Final = -1
"""The place of a row that there is not."""
NO_TIMESTAMP: Final = np.iinfo(np.int64).min
_BIAS: Final = np.uint64(1 << 63)
_LENGTH: Final = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class DecodedRows:
    """The readable rows among some stored values.

    Attributes:
        rows: (k,) of `RowCodec.dtype`, only the readable ones, in order.
        found: (n,) bool, which of the n values they are.
        stale: how many of the others were written with another schema.
    """

    rows: NDArray[np.void]
    found: NDArray[np.bool_]
    stale: int


@dataclass(frozen=True, slots=True)
class StoredRows:
    """Rows as they are stored, and which of them each of k entities has.

    Attributes:
        data: bytes with the rows in them.
        places: (k,) where in them each entity's row begins, or MISSING.
        stale: how many of the missing ones were written with another schema.
    """

    data: NDArray[np.uint8]
    places: NDArray[np.int64]
    stale: int = 0

    @classmethod
    def of(cls, decoded: DecodedRows) -> Self:
        """Those among some stored values."""
        data = np.array(decoded.rows.view(np.uint8))
        begins = (np.cumsum(decoded.found) - 1) * decoded.rows.itemsize
        return cls(data, np.where(decoded.found, begins, MISSING), decoded.stale)


class RowCodec:
    """Packs and unpacks the rows of one schema. Stateless after construction: safe to share between threads.

    Args:
        schema: of the rows.
        strict: refuse to decode rows of another schema instead of leaving them out.
    """

    def __init__(self, schema: RowSchema, *, strict: bool = False) -> None:
        from photofeed.online_store.kernel import gather_rows  # noqa: PLC0415  the compiler holds 60 MB

        self._gather_rows = gather_rows
        self.schema = schema
        self._strict = strict
        self.dtype = np.dtype(
            [
                ("format", "u1"),
                ("schema", "<u4"),
                ("event", ">u8"),
                ("created", ">u8"),
                ("nulls", "u1", (-(-len(schema.fields) // 8),)),
                ("values", schema.values_dtype),
            ]
        )
        self.signature = struct.pack("<BI", FORMAT, schema.hash)
        self._positions = {field.name: position for position, field in enumerate(schema.fields)}
        self._default = _defaults(schema)
        self._layout = self._field_places()

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
            created_us: (n,) likewise; NO_TIMESTAMP or None where there is none.
            nulls: (n, fields) in declared order. None: a float is null where it is NaN, nothing else is.
            tails: n tails of `encode_tail`, needed when the schema has variable fields.
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
        """The rows among stored values; None (no such key) and values of another schema are not found.

        Raises:
            SchemaMismatchError: `strict`, and there are values of another schema.
        """
        present = [value for value in stored if value is not None]
        found = np.ones(len(stored), np.bool_)
        if len(present) < len(stored):
            found[:] = [value is not None for value in stored]
        rows = self._rows(present)
        # A value of another length starts with another hash, so equal hashes at every stride also prove the lengths.
        if rows is not None and bool(((rows["schema"] == self.schema.hash) & (rows["format"] == FORMAT)).all()):
            return DecodedRows(rows, found, 0)
        readable = [value for value in present if value.startswith(self.signature)]
        stale = len(present) - len(readable)
        if stale and self._strict:
            raise SchemaMismatchError(self.schema.view, stale)
        rows = self._rows(readable)
        if rows is None:
            raise ValueError(
                f"values of feature view {self.schema.view!r} have the right schema hash but a wrong length"
            )
        found[found] = [value.startswith(self.signature) for value in present]
        return DecodedRows(rows, found, stale)

    def null_mask(self, rows: NDArray[np.void]) -> NDArray[np.bool_]:
        """(k, fields) bool, True where a field is null."""
        return np.unpackbits(rows["nulls"], axis=1, count=len(self.schema.fields), bitorder="little").view(np.bool_)

    def gather(
        self, stored: StoredRows, which: NDArray[np.int64]
    ) -> tuple[NDArray[np.void], NDArray[np.int64], NDArray[np.bool_]]:
        """Rows in the order asked for, with the declared defaults for what is missing or null.

        Args:
            stored: rows of k entities.
            which: (n,) which of the entities each row is of.

        Returns:
            (n,) of `schema.values_dtype`; (n,) microseconds since 1970, 0 where there is no row; (n,) which were found.
        """
        count = len(which)
        values, event_us = np.empty(count, self.schema.values_dtype), np.empty(count, np.int64)
        found, flat = np.empty(count, np.bool_), values.view(np.uint8)
        self._gather_rows(stored.data, stored.places, which, self._layout, self._default, flat, event_us, found)
        return values, event_us, found

    def tails(self, stored: Iterable[bytes]) -> list[list[bytes]]:
        """For each readable value, the serialized protos of its variable fields in order; empty bytes for null."""
        return [self._split_tail(value) for value in stored]

    def _field_places(self) -> NDArray[np.int64]:
        """What `gather_rows` wants to know: places of event and nulls in a row, then (place, size) of each field."""
        row: Any = self.dtype.fields
        places: Any = self.schema.values_dtype.fields or {}
        fields = [(places[name][1], places[name][0].itemsize) if name in places else (0, 0) for name in self._positions]
        return np.array([(row["event"][1], row["nulls"][1]), *fields], np.int64)

    def _rows(self, values: Sequence[bytes]) -> NDArray[np.void] | None:
        size = self.dtype.itemsize
        buffer = b"".join([value[:size] for value in values] if self.schema.variable_fields else values)
        return np.frombuffer(buffer, self.dtype) if len(buffer) == size * len(values) else None

    def _nan(self, values: NDArray[np.void]) -> NDArray[np.bool_]:
        nulls = np.zeros((len(values), len(self.schema.fields)), np.bool_)
        for field in self.schema.fixed_fields:
            if field.value_type in FLOAT_TYPES:
                # not by `out=`: numpy 2.4 misses some where both input and output are strided
                nulls[:, self._positions[field.name]] = np.isnan(values[field.name])
        return nulls

    def _split_tail(self, value: bytes) -> list[bytes]:
        protos, offset = [], self.dtype.itemsize
        for _ in self.schema.variable_fields:
            start = offset + _LENGTH.size
            offset = start + _LENGTH.unpack_from(value, offset)[0]
            protos.append(value[start:offset])
        return protos


def encode_tail(protos: Iterable[bytes]) -> bytes:
    """The tail of one row, from the serialized protos of its variable fields in order."""
    return b"".join(_LENGTH.pack(len(proto)) + proto for proto in protos)


def _defaults(schema: RowSchema) -> NDArray[np.uint8]:
    """The values that a reader sees of an entity that has no row, as bytes."""
    row = np.zeros(1, schema.values_dtype)
    for field in schema.fixed_fields:
        row[field.name] = field.default
    return row.view(np.uint8)


def timestamps(biased: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Microseconds since 1970 from the `event` or `created` column of rows."""
    return (biased.astype(np.uint64) ^ _BIAS).view(np.int64)


def _biased(timestamps_us: NDArray[np.int64]) -> NDArray[Any]:
    return np.ascontiguousarray(timestamps_us, np.int64).view(np.uint64) ^ _BIAS
