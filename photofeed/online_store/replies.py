r"""The reply to a request for many rows, parsed from the wire into numpy without an object per row.

A present row is `$<length>\r\n`, the value, `\r\n`: all rows of a layout have one length and the same first bytes. A
missing row is `$-1\r\n`. Everything else (rows of an unknown layout, rows with text, errors) goes through hiredis,
which parses any reply, more slowly.
"""

from collections.abc import Sequence
from typing import Any, Final

import hiredis
import numpy as np
import redis
from redis.connection import DefaultParser
from redis.exceptions import AskError, TryAgainError

from photofeed.online_store.codec import StoredRows
from photofeed.online_store.kernel import cut_rows
from photofeed.online_store.layouts import LayoutTable

_MISSING: Final = b"$-1\r\n"
_CHUNK: Final = 1 << 16


class RowShape:
    """The form of one view's present rows on the wire, in each of the layouts of a table; and no rows of them.

    Stateless: safe to share between threads.
    """

    def __init__(self, table: LayoutTable) -> None:
        self.table = table
        self.no_rows = StoredRows.none(table)
        self.fixed = not any(layout.schema.variable_fields for layout in table.layouts)
        sizes = [layout.dtype.itemsize for layout in table.layouts]
        heads = [b"$%d\r\n" % size for size in sizes]
        # if these bytes match, so do length and layout, and the row needs no other check
        self._starts = [head + layout.signature for head, layout in zip(heads, table.layouts, strict=True)]
        longest = max(map(len, self._starts))
        padded = b"".join(start.ljust(longest, b"\0") for start in self._starts)
        self.signatures = np.frombuffer(bytearray(padded), np.uint8).reshape(len(heads), longest)
        lengths = [(len(start), len(head)) for start, head in zip(self._starts, heads, strict=True)]
        strides = [head + size + 2 for (_, head), size in zip(lengths, sizes, strict=True)]
        self.shapes = np.column_stack([np.array(lengths, np.int64), np.array(strides, np.int64)])
        self.longest = int(self.shapes[:, 2].max())

    def may_begin(self, tail: bytes, head: bytes) -> bool:
        """Whether `tail`, which is shorter than a row, can be the start of a present or a missing row after `head`."""
        starts = [head + start for start in (*self._starts, _MISSING)]
        return any(tail[: len(start)] == start[: len(tail)] for start in starts)


class RowReplies:
    """Collects the reply of one connection to one request: fill `space()`, call `received()`, until it is complete.

    Args:
        requested: per view, in the order of the request, its shape and the number of requested rows.
        array_rows: rows per array of the reply to MGETs; the last array of a view may be shorter. 0 if rows are not in
            arrays, as in the reply to a pipeline of GETs.
    """

    def __init__(self, requested: Sequence[tuple[RowShape, int]], *, array_rows: int) -> None:
        self._requested = requested
        self._array_rows = array_rows
        self._count = sum(count for _, count in requested)
        heads: list[bytes] = []
        if array_rows:
            heads = [
                _array_head(row, count, array_rows) for _, count in requested for row in range(0, count, array_rows)
            ]
        self._expected = len(heads) if array_rows else self._count
        space = sum(map(len, heads)) + sum(shape.longest * count for shape, count in requested)
        self._buffer = np.empty(space, np.uint8)
        self._got = 0
        self._offsets = [np.empty(count, np.int64) for _, count in requested]
        self._numbers = [np.zeros(count, np.int64) for _, count in requested]
        self._at, self._view, self._cut_rows = 0, 0, 0  # parsed so far: bytes, views, rows of the next view
        self._replies: list[Any] = []
        self._parser: hiredis.Reader | None = None
        if not all(shape.fixed for shape, _ in requested):
            self._parse_all()

    def space(self) -> memoryview:
        """Buffer for the next bytes of the connection."""
        return self._buffer.data[self._got :]

    def received(self, count: int) -> bool:
        """Process `count` bytes written to `space()`; returns whether the reply is complete."""
        self._got += count
        if self._parser is not None:
            return self._parse_more()
        if self._got < len(self._buffer) and self._buffer[self._got - 2 : self._got].tobytes() != b"\r\n":
            return False  # incomplete, whatever it is: no need to parse it yet
        complete = self._cut()
        if complete is None:
            self._parse_all()
            return self._parse_more()
        return complete

    def raise_connection_error(self) -> None:
        """Raise an error that a new connection or a retry may solve: Redis is loading, or the master is down."""
        for reply in self._replies:
            if isinstance(reply, redis.ConnectionError):
                raise reply

    def rows(self) -> list[StoredRows]:
        """The rows of each view, once the reply is complete.

        Raises:
            redis.RedisError: the reply is an error, or has another number of rows than requested.
        """
        if self._parser is None:
            each = zip(self._requested, self._offsets, self._numbers, strict=True)
            return [StoredRows(self._buffer, offsets, numbers, shape.table) for (shape, _), offsets, numbers in each]
        values = self.values()
        error = next((value for value in values if isinstance(value, Exception)), None)
        if error is not None:
            raise error
        if len(values) != self._count:
            raise redis.RedisError(f"requested {self._count} keys, got {len(values)} replies")
        stored, start = [], 0
        for shape, count in self._requested:
            stored.append(StoredRows.of_values(values[start : start + count], shape.table))
            start += count
        return stored

    def redirected(self) -> list[int]:
        """Indexes of a pipeline's replies that a cluster redirects to another node."""
        return [index for index, value in enumerate(self.values()) if isinstance(value, AskError | TryAgainError)]

    def replace(self, index: int, value: bytes | None) -> None:
        """Replace a redirection by the value from the other node."""
        self._replies[index] = value

    def values(self) -> list[Any]:
        """Per key a value, None or an exception, of a reply that hiredis parsed; otherwise empty."""
        if not self._array_rows:
            return self._replies
        return [value for reply in self._replies for value in (reply if isinstance(reply, list) else [reply])]

    def _cut(self) -> bool | None:
        """Find the rows received so far. True: the reply is complete; False: it is not; None: it has another form."""
        while self._view < len(self._requested):
            (shape, count), offsets = self._requested[self._view], self._offsets[self._view]
            self._cut_rows, self._at = cut_rows(
                self._buffer[: self._got],
                self._at,
                shape.signatures,
                shape.shapes,
                self._array_rows,
                offsets,
                self._numbers[self._view],
                self._cut_rows,
            )
            if self._cut_rows < count:
                head = _array_head(self._cut_rows, count, self._array_rows)
                return False if shape.may_begin(self._buffer[self._at : self._got].tobytes(), head) else None
            self._view, self._cut_rows = self._view + 1, 0
        return True if self._at == self._got else None

    def _parse_all(self) -> None:
        self._parser = hiredis.Reader(replyError=DefaultParser.parse_error)
        self._parser.feed(self._buffer[: self._got].tobytes())
        self._buffer, self._got = np.empty(_CHUNK, np.uint8), 0

    def _parse_more(self) -> bool:
        assert self._parser is not None  # noqa: S101  for the type checker
        self._parser.feed(self._buffer[: self._got].tobytes())
        self._got = 0
        while len(self._replies) < self._expected:
            reply = self._parser.gets()
            if reply is False:
                return False
            self._replies.append(reply)
        return True


def _array_head(row: int, count: int, array_rows: int) -> bytes:
    """The head of the array that starts at this row of `count` rows; empty if none starts there."""
    return b"*%d\r\n" % min(array_rows, count - row) if array_rows and row % array_rows == 0 else b""
