"""Replies taken from the wire are what a plain parser makes of them, however the bytes arrive."""

import math

import numpy as np
import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from photofeed.online_store import FieldSpec, JoinKey, RowSchema
from photofeed.online_store.codec import RowCodec, StoredRows
from photofeed.online_store.layouts import LayoutTable
from photofeed.online_store.replies import RowReplies, RowShape
from photofeed.online_store.schema import MISSING

KEYS = (JoinKey("id", "INT64"),)
POST = RowCodec(RowSchema("shop", "post", KEYS, (FieldSpec("likes", "FLOAT"), FieldSpec("topic", "INT64"))))
PAIR = RowCodec(RowSchema("shop", "pair", KEYS, (FieldSpec("affinity", "DOUBLE"),)))
OLDER = RowCodec(RowSchema("shop", "post", KEYS, (FieldSpec("likes", "FLOAT"),)))
SHAPE = RowShape(LayoutTable([POST.schema]))
# numbers whose bytes look like the protocol's own
TRICKY = int.from_bytes(b"$-1\r\n$-1", "little", signed=True)

present = st.integers(-(2**63), 2**63 - 1) | st.just(TRICKY)
rows = st.lists(st.none() | present, max_size=12)


def stored(codec: RowCodec, number: int | None) -> bytes | None:
    if number is None:
        return None
    values = np.zeros(1, codec.schema.values_dtype)
    values[codec.schema.fields[-1].name] = number
    return codec.encode(values, np.array([number]))[0]


def bulk(value: bytes | None) -> bytes:
    return b"$-1\r\n" if value is None else b"$%d\r\n%b\r\n" % (len(value), value)


def reply(values: list[bytes | None], array_rows: int) -> bytes:
    """As to MGETs of so many keys; as to GETs where it is 0."""
    if not array_rows:
        return b"".join(map(bulk, values))
    arrays = [values[begin : begin + array_rows] for begin in range(0, len(values), array_rows)]
    return b"".join(b"*%d\r\n%b" % (len(array), b"".join(map(bulk, array))) for array in arrays)


def value_at(codec: RowCodec, rows: StoredRows, offset: int) -> bytes | None:
    return None if offset == MISSING else rows.data[offset : offset + codec.dtype.itemsize].tobytes()


def feed(replies: RowReplies, data: bytes) -> bool:
    """Put bytes where they belong, as a connection does; whether the reply is whole."""
    rest = memoryview(data)
    while rest:
        space = replies.space()
        part = rest[: len(space)]
        space[: len(part)] = part
        if replies.received(len(part)):
            return True
        rest = rest[len(part) :]
    return False


def received(replies: RowReplies, data: bytes, sizes: list[int]) -> RowReplies:
    """Hand the bytes over in pieces of these sizes, the rest in one; the reply is whole exactly at the end."""
    for size in sizes:
        piece, rest = data[:size], data[size:]
        if not rest:
            break
        if piece:
            assert not feed(replies, piece)
        data = rest
    assert feed(replies, data)
    return replies


@given(rows, rows, st.sampled_from([0, 1, 5, 11, 128]), st.lists(st.integers(0, 60), max_size=20))
def test_whatever_is_missing_and_however_it_arrives_the_rows_are_right(
    posts: list[int | None], pairs: list[int | None], array_rows: int, sizes: list[int]
) -> None:
    values = [[stored(POST, number) for number in posts], [stored(PAIR, number) for number in pairs]]
    if not posts and not pairs:
        return
    data = b"".join(reply(mine, array_rows) for mine in values)
    shapes = [(SHAPE, len(posts)), (RowShape(LayoutTable([PAIR.schema])), len(pairs))]
    replies = RowReplies(shapes, array_rows=array_rows)
    for codec, mine, answer in zip((POST, PAIR), values, received(replies, data, sizes).rows(), strict=True):
        assert [value_at(codec, answer, offset) for offset in answer.offsets] == mine
        assert answer.stale == 0


@given(
    st.lists(st.sampled_from(["new", "old", "none"]), min_size=1, max_size=9),
    st.sampled_from([1, 4, 128]),
    st.lists(st.integers(1, 40)),
)
def test_rows_of_another_length_are_found_among_the_others(kinds: list[str], array_rows: int, sizes: list[int]) -> None:
    values = [{"new": stored(POST, 1), "old": stored(OLDER, 1), "none": None}[kind] for kind in kinds]
    replies = RowReplies([(SHAPE, len(values))], array_rows=array_rows)
    [answer] = received(replies, reply(values, array_rows), sizes).rows()
    found = [value_at(POST, answer, offset) for offset in answer.offsets]
    assert found == [stored(POST, 1) if kind == "new" else None for kind in kinds]
    assert answer.stale == kinds.count("old")


@given(
    st.lists(st.sampled_from(["new", "old", "none"]), min_size=1, max_size=9),
    st.sampled_from([0, 1, 4, 128]),
    st.lists(st.integers(1, 40)),
)
def test_rows_of_two_known_layouts_are_read_by_field(kinds: list[str], array_rows: int, sizes: list[int]) -> None:
    wanted = RowCodec(RowSchema("shop", "post", KEYS, (FieldSpec("topic", "INT64", 7), FieldSpec("likes", "FLOAT"))))
    values = [{"new": stored(POST, 1), "old": stored(OLDER, 2), "none": None}[kind] for kind in kinds]
    shape = RowShape(LayoutTable([OLDER.schema, POST.schema]))
    replies = RowReplies([(shape, len(values))], array_rows=array_rows)
    [answer] = received(replies, reply(values, array_rows), sizes).rows()
    read, event_us, found, defaulted = wanted.gather(answer, np.arange(len(kinds)))
    assert read["topic"].tolist() == [{"new": 1, "old": 7, "none": 7}[kind] for kind in kinds]
    assert np.nan_to_num(read["likes"], nan=-1).tolist() == [{"new": 0, "old": 2, "none": -1}[kind] for kind in kinds]
    assert event_us.tolist() == [{"new": 1, "old": 2, "none": 0}[kind] for kind in kinds]
    assert found.tolist() == [kind != "none" for kind in kinds]
    assert defaulted.tolist() == [len(kinds) - kinds.count("new"), kinds.count("none")]
    assert answer.stale == 0


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"-NOAUTH Authentication required.\r\n", redis.AuthenticationError),
        (b"-ERR unknown command\r\n", redis.ResponseError),
        (b"*1\r\n$-1\r\n", redis.RedisError),
        (b"*3\r\n$-1\r\n$-1\r\n$-1\r\n", redis.RedisError),
        (b"+OK\r\n", redis.RedisError),
    ],
)
def test_errors_and_wrong_counts_are_raised_not_decoded(data: bytes, error: type[Exception]) -> None:
    replies = RowReplies([(SHAPE, 2)], array_rows=128)
    assert feed(replies, data)
    with pytest.raises(error):
        replies.rows()


def test_nulls_survive() -> None:
    values = np.zeros(1, POST.schema.values_dtype)
    values["likes"] = math.nan
    [row] = POST.encode(values, np.array([0]))
    replies = RowReplies([(SHAPE, 1)], array_rows=0)
    assert feed(replies, bulk(row))
    [rows] = replies.rows()
    found, *_ = POST.gather(rows, np.zeros(1, np.int64))
    assert math.isnan(found["likes"][0])
    assert found["topic"][0] == 0
