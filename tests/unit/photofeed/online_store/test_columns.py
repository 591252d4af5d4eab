"""Columns that are written from stored rows are those of the structured array, whatever rows there are."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from photofeed.online_store import FieldSpec, JoinKey, RowSchema
from photofeed.online_store.codec import RowCodec, StoredRows, encode_tail
from photofeed.online_store.column_kernel import KINDS, write_columns
from photofeed.online_store.columns import RowColumns
from photofeed.online_store.layouts import LayoutTable
from photofeed.online_store.schema import FIXED_TYPES

KEYS = (JoinKey("id", "INT64"),)
DEFAULTS: dict[str, Any] = {"FLOAT": 0.1, "DOUBLE": 0.1, "INT64": 2**53 + 1, "UNIX_TIMESTAMP": 5, "BOOL": True}
FIELDS = tuple(FieldSpec(kind.lower(), kind, DEFAULTS.get(kind)) for kind in FIXED_TYPES)
NEW = RowSchema("shop", "view", KEYS, (*FIELDS, *(FieldSpec(f"more{n}", "FLOAT") for n in range(4))))
# one field of another type, some that rows lack, and one that readers do not know
OLD = RowSchema("shop", "view", KEYS, (FieldSpec("float", "INT32"), *FIELDS[:0:-1], FieldSpec("gone", "DOUBLE", 4.0)))
TEXT = RowSchema("shop", "view", KEYS, (FieldSpec("text", "STRING"), *FIELDS))


def _stored(schema: RowSchema, data: st.DataObject) -> list[bytes | None]:
    """Up to 6 rows of any bits, some null and some missing."""
    values = data.draw(hnp.arrays(np.uint8, (data.draw(st.integers(0, 6)), schema.values_dtype.itemsize)))
    fields: Any = schema.values_dtype.fields
    for kind, at in fields.values():
        if kind == np.bool_:
            values[:, at] %= 2
    rows = values.view(schema.values_dtype).ravel()
    nulls = data.draw(hnp.arrays(np.bool_, (len(rows), len(schema.fields))))
    if data.draw(st.booleans()):
        nulls[:] = False
    tails = [encode_tail([b"tail"])] * len(rows) if schema.variable_fields else None
    encoded = RowCodec(schema).encode(rows, np.zeros(len(rows), np.int64), None, nulls, tails)
    return [row if data.draw(st.integers(0, 3)) else None for row in encoded]


@given(data=st.data())
def test_columns_are_those_of_the_structured_array(data: st.DataObject) -> None:
    table = LayoutTable([NEW, OLD, TEXT])
    rows = [row for schema in (NEW, OLD, TEXT) for row in _stored(schema, data)] + [None]
    stored = StoredRows.of_values(data.draw(st.permutations(rows)), table)
    index = data.draw(hnp.arrays(np.int64, st.integers(1, 8), elements=st.integers(0, len(rows) - 1)))
    read = data.draw(st.sampled_from([NEW, OLD, TEXT]))
    names = data.draw(st.lists(st.sampled_from([field.name for field in read.fixed_fields]), max_size=6))
    count = data.draw(st.sampled_from([1, 5])) if len(index) == 1 else len(index)
    output = np.full((len(names) + 1, count), 9.0)
    RowColumns(read, names, range(1, len(names) + 1)).write(stored, index, output)
    with np.errstate(invalid="ignore"):  # signalling NaN
        values = RowCodec(read).gather(stored, index)[0]
        expected = [np.broadcast_to(values[name].astype(np.float64), count) for name in names]
    np.testing.assert_array_equal(output, [np.full(count, 9.0), *expected])
    loop: Any = write_columns
    assert len(loop.signatures) == 1, "no request waits for a compiler"


def test_every_fixed_type_has_a_kind() -> None:
    assert set(KINDS) == set(FIXED_TYPES)


def test_no_rows_are_written_for_no_candidates_and_another_number_of_rows_is_refused() -> None:
    columns = RowColumns(NEW, ["int64"], [0])
    stored = StoredRows.of_values([None], LayoutTable([NEW]))
    columns.write(stored, np.zeros(1, np.int64), np.empty((1, 0)))
    with pytest.raises(ValueError, match="2 rows for 3 columns"):
        columns.write(stored, np.zeros(2, np.int64), np.empty((1, 3)))
    with pytest.raises(KeyError, match="text"):
        RowColumns(TEXT, ["text"], [0])
