r"""The reply to a request for many rows, taken from the wire into numpy without an object per row.

A present row is `$<length>\r\n`, the value, `\r\n`: of one view they are all as long and begin alike. A missing one is
`$-1\r\n`. Whatever does not fit this (rows of another schema, rows with text, errors) goes through hiredis instead,
which is right for everything and slower.
"""

from collections.abc import Sequence
from typing import Any, Final

import hiredis
import numpy as np
import redis
from redis.connection import DefaultParser
from redis.exceptions import AskError, TryAgainError

from photofeed.online_store.codec import RowCodec, StoredRows
from photofeed.online_store.kernel import cut_rows

_MISSING: Final = np.frombuffer(b"$-1\r\n", np.uint8)
_CHUNK: Final = 1 << 16


class RowShape:
    """How one view's present rows look on the wire. Stateless: safe to share between threads."""

    def __init__(self, codec: RowCodec) -> None:
        size = codec.dtype.itemsize
        head = b"$%d\r\n" % size
        self.codec = codec
        self.fixed = not codec.schema.variable_fields
        # where all of these match, length and schema do, and the row needs no further look
        self.signature = np.frombuffer(bytearray(head + codec.signature), np.uint8)
        self.head = len(head)
        self.stride = len(head) + size + 2

    def may_begin(self, tail: bytes, head: bytes) -> bool:
        """Whether these bytes, fewer than a row with its head, can be the beginning of a row or of a missing one."""
        whole = [head + begin.tobytes() for begin in (self.signature, _MISSING)]
        return any(tail[: len(begin)] == begin[: len(tail)] for begin in whole)


class RowReplies:
    """Collects one connection's reply: fill `space()`, say how much came, until it is whole. For one exchange.

    Args:
        asked: for each view, in the order of the request, its shape and how many rows were asked for.
        array_rows: of how many rows of one view each array of the reply is, as MGET's are, and the last of what is
            left; 0 where one row comes after the other, as a pipeline's of GETs do.
    """

    def __init__(self, asked: Sequence[tuple[RowShape, int]], *, array_rows: int) -> None:
        self._asked = asked
        self._array_rows = array_rows
        self._count = sum(count for _, count in asked)
        heads: list[bytes] = []
        if array_rows:
            heads = [_array_head(row, count, array_rows) for _, count in asked for row in range(0, count, array_rows)]
        self._expected = len(heads) if array_rows else self._count
        space = sum(map(len, heads)) + sum(shape.stride * count for shape, count in asked)
        self._buffer = np.empty(space, np.uint8)
        self._got = 0
        self._places = [np.empty(count, np.int64) for _, count in asked]
        self._at, self._view, self._cut_rows = 0, 0, 0  # how far the reply is cut: bytes, views, rows of the next view
        self._replies: list[Any] = []
        self._parser: hiredis.Reader | None = None
        if not all(shape.fixed for shape, _ in asked):
            self._parse_all()

    def space(self) -> memoryview:
        """Where the next bytes from the connection belong."""
        return self._buffer.data[self._got :]

    def received(self, count: int) -> bool:
        """Take note of `count` bytes written to `space()`; whether the reply is whole."""
        self._got += count
        if self._parser is not None:
            return self._parse_more()
        if self._got < len(self._buffer) and self._buffer[self._got - 2 : self._got].tobytes() != b"\r\n":
            return False  # whatever the reply is, it is not whole: no need to look at all of it
        whole = self._cut()
        if whole is None:
            self._parse_all()
            return self._parse_more()
        return whole

    def raise_connection_error(self) -> None:
        """Raise an error that a new connection or another try may mend: Redis is loading, or the master is down."""
        for reply in self._replies:
            if isinstance(reply, redis.ConnectionError):
                raise reply

    def rows(self) -> list[StoredRows]:
        """The rows of each view, once the reply is whole.

        Raises:
            SchemaMismatchError: a strict codec met rows of another schema.
            redis.RedisError: the reply is an error, or has another number of rows than were asked for.
        """
        if self._parser is None:
            return [StoredRows(self._buffer, places) for places in self._places]
        values = self.values()
        error = next((value for value in values if isinstance(value, Exception)), None)
        if error is not None:
            raise error
        if len(values) != self._count:
            raise redis.RedisError(f"asked for {self._count} keys, got {len(values)} replies")
        stored, start = [], 0
        for shape, count in self._asked:
            stored.append(StoredRows.of(shape.codec.decode(values[start : start + count])))
            start += count
        return stored

    def redirected(self) -> list[int]:
        """Of a pipeline's replies, those by which a cluster sends us to another node."""
        return [place for place, value in enumerate(self.values()) if isinstance(value, AskError | TryAgainError)]

    def replace(self, place: int, value: bytes | None) -> None:
        """Put what the other node said in place of a redirection."""
        self._replies[place] = value

    def values(self) -> list[Any]:
        """Of a reply that did not fit: what came for each key, a value, None or an exception. Else nothing."""
        if not self._array_rows:
            return self._replies
        return [value for reply in self._replies for value in (reply if isinstance(reply, list) else [reply])]

    def _cut(self) -> bool | None:
        """Find the rows in what came. True: all are there; False: more must come; None: it does not fit."""
        while self._view < len(self._asked):
            (shape, count), places = self._asked[self._view], self._places[self._view]
            self._cut_rows, self._at = cut_rows(
                self._buffer[: self._got],
                self._at,
                shape.signature,
                shape.head,
                shape.stride,
                self._array_rows,
                places,
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
    """The head of the array that begins with a row of `count`, where one does; else nothing."""
    return b"*%d\r\n" % min(array_rows, count - row) if array_rows and row % array_rows == 0 else b""
