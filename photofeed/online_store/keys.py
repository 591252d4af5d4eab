"""Redis keys of packed rows: `project:view:` and the join-key values in binary, join keys sorted by name.

An integer is 8 bytes, little-endian; text and bytes are a u32 length and the bytes themselves. One view has one type
per join key, so no two entities share a key.
"""

import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.online_store.schema import RowSchema

INTEGER_TYPES = frozenset({"INT32", "INT64", "UNIX_TIMESTAMP"})
_LENGTH = struct.Struct("<I")
_INTEGER = struct.Struct("<q")
_GLOB = re.compile(rb"([\[\]*?\\])")


def key_prefix(project: str, view: str) -> bytes:
    """What all keys of a view, and no others, begin with."""
    return f"{project}:{view}:".encode()


def scan_pattern(project: str, view: str) -> bytes:
    """The glob that SCAN wants to find all keys of a view."""
    return _GLOB.sub(rb"\\\1", key_prefix(project, view)) + b"*"


def key_part(value: int | str | bytes) -> bytes:
    """One join-key value in its binary form."""
    if isinstance(value, int):
        return _INTEGER.pack(value)
    raw = value.encode() if isinstance(value, str) else value
    return _LENGTH.pack(len(raw)) + raw


class KeyEncoder:
    """Makes the keys of one view from columns of join-key values."""

    def __init__(self, schema: RowSchema) -> None:
        self._schema = schema
        self._prefix = key_prefix(schema.project, schema.view)
        self._integers = all(key.value_type in INTEGER_TYPES for key in schema.join_keys)
        self._width = len(self._prefix) + 8 * len(schema.join_keys)

    def encode(self, columns: Mapping[str, Sequence[Any] | NDArray[Any]]) -> list[bytes]:
        """Keys of n entities from columns of length n, one per join key.

        Raises:
            KeyError: a join key's column is missing.
            TypeError: an integer join key's column does not hold integers.
        """
        if self._integers:
            keys: list[bytes] = self._block(columns, b"", b"").view(f"V{self._width}").ravel().tolist()
            return keys
        ordered = [_plain(columns[key.name]) for key in self._schema.join_keys]
        return [self._prefix + b"".join(map(key_part, values)) for values in zip(*ordered, strict=True)]

    def encode_bulk(self, columns: Mapping[str, Sequence[Any] | NDArray[Any]]) -> bytes:
        """The same keys as one run of RESP bulk strings, ready to be sent as arguments of a command."""
        if self._integers:
            return self._block(columns, b"$%d\r\n" % self._width, b"\r\n").tobytes()
        return b"".join(b"$%d\r\n%b\r\n" % (len(key), key) for key in self.encode(columns))

    def _block(
        self, columns: Mapping[str, Sequence[Any] | NDArray[Any]], before: bytes, after: bytes
    ) -> NDArray[np.uint8]:
        template = np.frombuffer(before + self._prefix + bytes(8 * len(self._schema.join_keys)) + after, np.uint8)
        integers = [_integers(key.name, columns[key.name]) for key in self._schema.join_keys]
        # a view without join keys has one row
        block = np.empty((len(integers[0]) if integers else 1, len(template)), np.uint8)
        block[:] = template
        offset = len(before) + len(self._prefix)
        for column in integers:
            block[:, offset : offset + 8] = column.view(np.uint8).reshape(-1, 8)
            offset += 8
        return block


def _integers(name: str, values: Sequence[Any] | NDArray[Any]) -> NDArray[np.int64]:
    column = np.asarray(values)
    if column.dtype.kind not in "iu" and len(column):
        raise TypeError(f"join key {name!r} needs integers, not {column.dtype}")
    return np.ascontiguousarray(column, "<i8")


def _plain(values: Sequence[Any] | NDArray[Any]) -> Sequence[Any]:
    plain: Sequence[Any] = values.tolist() if isinstance(values, np.ndarray) else values
    return plain
