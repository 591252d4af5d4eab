"""Converts between Feast's rows, which are dicts of Value protos per entity, and packed values."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

import numpy as np
from feast.feature_view import DUMMY_ENTITY_ID
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from numpy.typing import NDArray

from photofeed.online_store.codec import NO_TIMESTAMP, DecodedRows, RowCodec, encode_tail, timestamps
from photofeed.online_store.keys import key_part
from photofeed.online_store.schema import FLOAT_TYPES, FieldSpec

FeastRow = tuple[EntityKey, dict[str, Value], datetime, datetime | None]
FeastFeatures = tuple[datetime | None, dict[str, Value] | None]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NULL = Value()
# the attribute of Value that holds a number, by value type
_ATTRIBUTE = {
    "FLOAT": "float_val",
    "DOUBLE": "double_val",
    "INT32": "int32_val",
    "INT64": "int64_val",
    "BOOL": "bool_val",
    "UNIX_TIMESTAMP": "unix_timestamp_val",
}
_KEY_ATTRIBUTES = frozenset(
    {
        "int32_val",
        "int64_val",
        "unix_timestamp_val",
        "string_val",
        "bytes_val",
        "uuid_val",
        "time_uuid_val",
        "decimal_val",
    }
)


def entity_key(prefix: bytes, key: EntityKey) -> bytes:
    """The Redis key of an entity, equal to the one that `KeyEncoder` makes from columns.

    Raises:
        TypeError: a join key has a type that cannot be part of a key.
    """
    # Feast reads the row of a view without entities by a dummy key, and may write it without any key
    named = [part for part in zip(key.join_keys, key.entity_values, strict=True) if part[0] != DUMMY_ENTITY_ID]
    return prefix + b"".join([_key_part(name, value) for name, value in sorted(named, key=itemgetter(0))])


def encode_rows(codec: RowCodec, data: Sequence[FeastRow]) -> list[bytes]:
    """Stored values of the rows that Feast passes to `online_write_batch`; a missing feature is null.

    Raises:
        TypeError: a value has another type than its feature declares.
    """
    schema = codec.schema
    values = np.zeros(len(data), schema.values_dtype)
    nulls = np.zeros((len(data), len(schema.fields)), np.bool_)
    tails = []
    for position, field in enumerate(schema.fields):
        column = [row[1].get(field.name, _NULL) for row in data]
        which = [value.WhichOneof("val") for value in column]
        nulls[:, position] = [name is None or name == "null_val" for name in which]
        if field.is_fixed:
            values[field.name] = _numbers(field, column, which)
        else:
            tails.append([value.SerializeToString() for value in column])
    return codec.encode(
        values,
        _microseconds([row[2] for row in data]),
        _microseconds([row[3] for row in data]),
        nulls,
        [encode_tail(protos) for protos in zip(*tails, strict=True)] if tails else None,
    )


def decode_rows(codec: RowCodec, stored: Sequence[bytes | None], requested: Sequence[str]) -> list[FeastFeatures]:
    """The result of `online_read`: event time and values per entity, (None, None) if there is no row.

    Raises:
        KeyError: the view does not have a requested feature.
    """
    decoded = codec.decode(stored)
    columns = [map(Value.FromString, column) for column in serialized_values(codec, decoded, stored, requested)]
    features = [dict(zip(requested, row, strict=True)) for row in zip(*columns, strict=True)]
    times = [_EPOCH + us * _MICROSECOND for us in timestamps(decoded.rows["event"]).tolist()]
    rows = iter(zip(times, features, strict=True))
    return [next(rows) if found else (None, None) for found in decoded.found]


def serialized_values(
    codec: RowCodec, decoded: DecodedRows, stored: Sequence[bytes | None], requested: Sequence[str]
) -> list[list[bytes]]:
    """Per requested feature its serialized Values, one per readable row; empty bytes for null.

    Raises:
        KeyError: the view does not have a requested feature.
    """
    fields = {field.name: (position, field) for position, field in enumerate(codec.schema.fields)}
    nulls = codec.null_mask(decoded.rows)
    tails = _tails(codec, decoded, stored)
    columns = []
    for name in requested:
        position, field = fields[name]
        column = _serialized_numbers(field, decoded.rows["values"][name]) if field.is_fixed else tails[name]
        for row in np.flatnonzero(nulls[:, position]).tolist():
            column[row] = b""
        columns.append(column)
    return columns


def _serialized_numbers(field: FieldSpec, numbers: NDArray[Any]) -> list[bytes]:
    attribute = _ATTRIBUTE[field.value_type]
    if field.value_type not in FLOAT_TYPES:
        return [Value(**{attribute: number}).SerializeToString() for number in numbers.tolist()]
    # a float is a tag and its bytes, so numpy makes all of them at once: wire type 5 has 4 bytes, 1 has 8
    tag = Value.DESCRIPTOR.fields_by_name[attribute].number << 3 | (5 if field.value_type == "FLOAT" else 1)
    wire = np.empty(len(numbers), [("tag", "u1"), ("number", numbers.dtype)])
    wire["tag"], wire["number"] = tag, numbers
    serialized: list[bytes] = wire.view(f"V{wire.dtype.itemsize}").tolist()
    return serialized


def _tails(codec: RowCodec, decoded: DecodedRows, stored: Sequence[bytes | None]) -> dict[str, list[bytes]]:
    names = [field.name for field in codec.schema.variable_fields]
    if not names:
        return {}
    readable = [value for value, found in zip(stored, decoded.found, strict=True) if found and value is not None]
    rows = codec.tails(readable)
    return {name: [protos[position] for protos in rows] for position, name in enumerate(names)}


def _numbers(field: FieldSpec, column: Sequence[Value], which: Sequence[str | None]) -> list[Any]:
    attribute = _ATTRIBUTE[field.value_type]
    null = np.nan if field.value_type in FLOAT_TYPES else 0
    wrong = set(which) - {attribute, None, "null_val"}
    if wrong:
        raise TypeError(f"feature {field.name!r} is declared {field.value_type}, not {sorted(map(str, wrong))}")
    return [getattr(value, attribute) if name == attribute else null for value, name in zip(column, which, strict=True)]


def _microseconds(moments: Sequence[datetime | None]) -> NDArray[np.int64]:
    return np.array([NO_TIMESTAMP if moment is None else _since_epoch(moment) for moment in moments], np.int64)


def _since_epoch(moment: datetime) -> int:
    # in Feast a naive timestamp is UTC
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (aware - _EPOCH) // _MICROSECOND


def _key_part(name: str, value: Value) -> bytes:
    attribute = value.WhichOneof("val")
    if attribute not in _KEY_ATTRIBUTES:
        raise TypeError(f"join key {name!r} has a value that cannot be part of a key: {attribute}")
    return key_part(getattr(value, attribute))
