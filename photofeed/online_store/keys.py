"""Redis keys of packed rows: a tag of project and view, then the join-key values in binary, sorted by join key.

The tag has six characters because Redis stores the key with every row: full names would be a third of the memory of a
user-creator pair. An integer is 8 bytes, little-endian; text and bytes are a u32 length and the bytes. A view has one
type per join key, so no two entities share a key.
"""

import base64
import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import hiredis
import numpy as np
from numpy.typing import NDArray

from photofeed.online_store.resp import bulk_string
from photofeed.online_store.schema import RowSchema

INTEGER_TYPES = frozenset({"INT32", "INT64", "UNIX_TIMESTAMP"})
_LENGTH = struct.Struct("<I")
_INTEGER = struct.Struct("<q")
_TAG_LENGTH = 6


def view_tag(project: str, view: str) -> bytes:
    """The first bytes of every key of a view: 36 bits of a hash, as URL-safe base64."""
    digest = hashlib.blake2b(f"{project}:{view}".encode(), digest_size=_TAG_LENGTH).digest()
    return base64.urlsafe_b64encode(digest)[:_TAG_LENGTH]


def scan_pattern(project: str, view: str) -> bytes:
    """The pattern for SCAN that matches all keys of a view."""
    return view_tag(project, view) + b"*"


def key_part(value: int | str | bytes) -> bytes:
    """One join-key value in binary."""
    if isinstance(value, int):
        return _INTEGER.pack(value)
    raw = value.encode() if isinstance(value, str) else value
    return _LENGTH.pack(len(raw)) + raw


@dataclass(frozen=True, slots=True)
class DistinctKeys:
    """The distinct keys of n entities, in the order of their first occurrence.

    Attributes:
        count: number of distinct keys.
        arguments: the keys as RESP bulk strings, ready to send.
        stride: bytes per bulk string; 0 if they differ in length.
        index: (n,) index of each entity's key.
    """

    count: int
    arguments: bytes
    stride: int
    index: NDArray[np.int64]

    def commands(self, most: int) -> bytes:
        """MGETs of `most` keys each, for all keys; the last one may have fewer."""
        begins = range(0, self.count, most)
        if self.stride:
            pieces = [self.arguments[begin * self.stride : (begin + most) * self.stride] for begin in begins]
        else:
            keys = self.split()
            pieces = [_arguments(keys[begin : begin + most]) for begin in begins]
        counts = [min(most, self.count - begin) for begin in begins]
        return b"".join(
            [b"*%d\r\n$4\r\nMGET\r\n%b" % (count + 1, piece) for count, piece in zip(counts, pieces, strict=True)]
        )

    def split(self) -> list[bytes]:
        """The keys as a list."""
        reader = hiredis.Reader()
        reader.feed(b"*%d\r\n" % self.count + self.arguments)
        keys: list[bytes] = reader.gets()
        return keys


class KeyEncoder:
    """Makes the keys of one view from columns of join-key values.

    Attributes:
        none: the distinct keys of no entities.
    """

    def __init__(self, schema: RowSchema) -> None:
        from photofeed.online_store.kernel import write_keys  # noqa: PLC0415  the compiler holds 60 MB

        self._write_keys = write_keys
        self._schema = schema
        self._prefix = view_tag(schema.project, schema.view)
        self._integers = all(key.value_type in INTEGER_TYPES for key in schema.join_keys)
        self._width = len(self._prefix) + 8 * len(schema.join_keys)
        head = b"$%d\r\n%b" % (self._width, self._prefix)
        self._ids_offset = len(head)
        self._head = head
        self._template = np.frombuffer(bytearray(head + bytes(8 * len(schema.join_keys)) + b"\r\n"), np.uint8)
        self.none = DistinctKeys(0, b"", len(self._template), np.empty(0, np.int64))

    def encode(self, columns: Mapping[str, Sequence[Any] | NDArray[Any]]) -> list[bytes]:
        """Keys of n entities from columns of length n, one per join key.

        Raises:
            KeyError: a join key's column is missing.
            TypeError: an integer join key's column does not hold integers.
        """
        if not self._integers:
            ordered = [_plain(columns[key.name]) for key in self._schema.join_keys]
            return [self._prefix + b"".join(map(key_part, values)) for values in zip(*ordered, strict=True)]
        ids = self._ids(columns)
        block = np.empty((len(ids), self._width), np.uint8)
        block[:, : len(self._prefix)] = np.frombuffer(self._prefix, np.uint8)
        block[:, len(self._prefix) :] = ids.view(np.uint8).reshape(len(ids), 8 * ids.shape[1])
        keys: list[bytes] = block.view(f"V{self._width}").ravel().tolist()
        return keys

    def distinct(self, columns: Mapping[str, NDArray[Any]]) -> DistinctKeys:
        """The distinct keys of n entities from columns of length n, or of length 1 if all entities share the value.

        Raises:
            KeyError: a join key's column is missing.
            TypeError: an integer join key's column does not hold integers.
            ValueError: columns of different lengths.
        """
        if not self._integers:
            names = [key.name for key in self._schema.join_keys]
            wide = np.broadcast_arrays(*(columns[name] for name in names))
            numbers: dict[bytes, int] = {}
            keys = self.encode(dict(zip(names, wide, strict=True)))
            index = np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)
            return DistinctKeys(len(numbers), _arguments(numbers), 0, index)
        ids, stride = self._ids(columns), len(self._template)
        if len(ids) == 1:
            return DistinctKeys(1, b"%b%b\r\n" % (self._head, ids.tobytes()), stride, np.zeros(1, np.int64))
        arguments, index = np.empty(len(ids) * stride, np.uint8), np.empty(len(ids), np.int64)
        count = self._write_keys(ids, self._template, self._ids_offset, arguments, index)
        return DistinctKeys(count, arguments[: count * stride].tobytes(), stride, index)

    def _ids(self, columns: Mapping[str, Sequence[Any] | NDArray[Any]]) -> NDArray[np.int64]:
        """(n, join keys) little-endian; (1, 0) for a view without join keys."""
        ordered = [integers(key.name, columns[key.name]) for key in self._schema.join_keys]
        count = next((len(column) for column in ordered if len(column) != 1), 1)
        ids = np.empty((count, len(ordered)), "<i8")
        for key, column in enumerate(ordered):
            ids[:, key] = column
        return ids


def _arguments(keys: Iterable[bytes]) -> bytes:
    return b"".join([bulk_string(key) for key in keys])


def integers(name: str, values: Sequence[Any] | NDArray[Any]) -> NDArray[Any]:
    """The values of an integer join key as an array.

    Raises:
        TypeError: they are not integers.
    """
    column = np.asarray(values)
    if column.dtype.kind not in "iu" and len(column):
        raise TypeError(f"join key {name!r} needs integers, not {column.dtype}")
    return column


def _plain(values: Sequence[Any] | NDArray[Any]) -> Sequence[Any]:
    plain: Sequence[Any] = values.tolist() if isinstance(values, np.ndarray) else values
    return plain
