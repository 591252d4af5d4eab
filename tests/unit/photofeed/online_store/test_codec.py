"""The format of stored rows: pinned byte for byte, and read back whatever the values are."""

import struct
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from photofeed.online_store import FieldSpec, JoinKey, RowSchema
from photofeed.online_store.codec import NO_TIMESTAMP, RowCodec, StoredRows, encode_tail, timestamps
from photofeed.online_store.layouts import LayoutTable

KEYS = (JoinKey("id", "INT64"),)
NUMBERS = RowSchema(
    "shop",
    "numbers",
    KEYS,
    tuple(FieldSpec(kind.lower(), kind) for kind in ("FLOAT", "DOUBLE", "INT32", "INT64", "BOOL", "UNIX_TIMESTAMP"))
    + tuple(FieldSpec(f"more{i}", "FLOAT", 7.0) for i in range(5)),
)
MIXED = RowSchema("shop", "mixed", KEYS, (FieldSpec("text", "STRING"), FieldSpec("likes", "FLOAT")))
MICROSECONDS = st.integers(NO_TIMESTAMP + 1, 2**63 - 1)


def test_the_layout_of_a_row_is_the_documented_one() -> None:
    schema = RowSchema("shop", "v", KEYS, (FieldSpec("a", "FLOAT"), FieldSpec("b", "INT32"), FieldSpec("t", "STRING")))
    values = np.array([(1.5, 7)], schema.values_dtype)
    event = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * 1_000_000
    nulls = np.array([[False, True, False]])
    stored = RowCodec(schema).encode(values, np.array([event]), None, nulls, [encode_tail([b"abc"])])
    header = struct.pack("<BI", 1, schema.hash) + struct.pack(">QQ", event + 2**63, 0)
    assert stored == [header + b"\x02" + struct.pack("<fi", 1.5, 7) + b"\x03\x00\x00\x00abc"]


def test_every_nan_of_many_rows_is_stored_as_null() -> None:
    schema = RowSchema("shop", "v", KEYS, (FieldSpec("a", "FLOAT"), FieldSpec("b", "BOOL"), FieldSpec("c", "DOUBLE")))
    values = np.zeros(400, schema.values_dtype)
    values["a"][::3] = values["c"][::7] = np.nan
    codec = RowCodec(schema)
    nulls = codec.null_mask(codec.decode(codec.encode(values, np.zeros(400, np.int64))).rows)
    assert np.array_equal(nulls, np.stack([np.arange(400) % 3 == 0, np.zeros(400), np.arange(400) % 7 == 0], axis=1))


@settings(deadline=None)
@given(
    values=hnp.arrays(NUMBERS.values_dtype, st.integers(0, 5)),
    data=st.data(),
)
def test_numbers_times_and_nulls_come_back_bit_for_bit(values: np.ndarray, data: st.DataObject) -> None:
    count = len(values)
    event = np.array(data.draw(st.lists(MICROSECONDS, min_size=count, max_size=count)), np.int64)
    created = np.array(data.draw(st.lists(MICROSECONDS, min_size=count, max_size=count)), np.int64)
    nulls = data.draw(hnp.arrays(np.bool_, (count, len(NUMBERS.fields))))
    codec = RowCodec(NUMBERS)
    decoded = codec.decode(codec.encode(values, event, created, nulls))
    assert decoded.rows["values"].tobytes() == values.tobytes()
    assert (timestamps(decoded.rows["event"]) == event).all()
    assert (timestamps(decoded.rows["created"]) == created).all()
    assert (codec.null_mask(decoded.rows) == nulls).all()
    assert decoded.found.all()


@settings(deadline=None)
@given(st.lists(MICROSECONDS, min_size=2, max_size=2), st.lists(MICROSECONDS, min_size=2, max_size=2))
def test_byte_order_of_the_times_is_their_order(event: list[int], created: list[int]) -> None:
    codec = RowCodec(NUMBERS)
    stored = codec.encode(np.zeros(2, NUMBERS.values_dtype), np.array(event), np.array(created))
    first, second = (value[5:21] for value in stored)
    assert (first < second) == ((event[0], created[0]) < (event[1], created[1]))


@settings(deadline=None)
@given(st.lists(st.lists(st.binary(max_size=300), min_size=1, max_size=1), max_size=5))
def test_tails_of_any_length_come_back(tails: list[list[bytes]]) -> None:
    codec, count = RowCodec(MIXED), len(tails)
    likes = np.arange(count).astype(MIXED.values_dtype)
    stored = codec.encode(likes, np.zeros(count, np.int64), tails=[encode_tail(protos) for protos in tails])
    assert codec.tails(stored) == tails
    assert (codec.decode(stored).rows["values"] == likes).all()


def test_missing_and_stale_values_are_left_out_and_counted() -> None:
    codec, other = RowCodec(NUMBERS), RowCodec(MIXED)
    mine = codec.encode(np.zeros(2, NUMBERS.values_dtype), np.array([1, 2]))
    theirs = other.encode(np.zeros(1, MIXED.values_dtype), np.array([3]), tails=[encode_tail([b"x"])])
    decoded = codec.decode([None, mine[0], theirs[0], b"", mine[1], None])
    assert decoded.found.tolist() == [False, True, False, False, True, False]
    assert timestamps(decoded.rows["event"]).tolist() == [1, 2]
    assert decoded.stale == 2


def test_stale_values_whose_lengths_add_up_are_not_mistaken_for_rows() -> None:
    narrow = RowSchema("shop", "numbers", KEYS, NUMBERS.fields[:-1])
    wide = RowSchema("shop", "numbers", KEYS, (*NUMBERS.fields, FieldSpec("extra", "FLOAT")))
    codec = RowCodec(NUMBERS)
    stored = [RowCodec(schema).encode(np.zeros(1, schema.values_dtype), np.array([1]))[0] for schema in (narrow, wide)]
    assert sum(map(len, stored)) == 2 * codec.dtype.itemsize
    assert codec.decode(stored).stale == 2


def test_a_cut_value_is_an_error_not_a_row() -> None:
    codec = RowCodec(NUMBERS)
    value = codec.encode(np.zeros(1, NUMBERS.values_dtype), np.array([1]))[0]
    with pytest.raises(ValueError, match=r"'numbers'.*wrong length"):
        codec.decode([value[:-1]])


def test_nulls_are_filled_with_defaults_and_values_are_left_alone() -> None:
    codec = RowCodec(NUMBERS)
    values = np.ones(2, NUMBERS.values_dtype)
    nulls = np.zeros((2, len(NUMBERS.fields)), np.bool_)
    nulls[1, [0, 3, 10]] = True
    stored = StoredRows.of_values(codec.encode(values, np.array([1, 1]), None, nulls), LayoutTable([NUMBERS]))
    rows, _, _, defaulted = codec.gather(stored, np.arange(2))
    assert defaulted.tolist() == [1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]
    assert rows[0] == values[0]
    assert np.isnan(rows["float"][1])
    assert rows["int64"][1] == 0
    assert rows["more4"][1] == 7
    assert rows["more3"][1] == 1


def test_rows_are_gathered_in_any_order_with_their_times_and_defaults_for_the_missing() -> None:
    codec = RowCodec(NUMBERS)
    values = np.zeros(3, NUMBERS.values_dtype)
    values["int64"] = [10, 11, 12]
    moments = np.array([-5, 2**60, 1])
    [first, second, third] = codec.encode(values, moments)
    stored = StoredRows.of_values([first, None, second, third], LayoutTable([NUMBERS]))
    rows, event_us, found, defaulted = codec.gather(stored, np.array([3, 1, 0, 0, 2]))
    assert rows["int64"].tolist() == [12, 0, 10, 10, 11]
    assert rows["more4"].tolist() == [0, 7, 0, 0, 0]
    assert event_us.tolist() == [1, 0, -5, -5, 2**60]
    assert found.tolist() == [True, False, True, True, True]
    assert set(defaulted.tolist()) == {1}
