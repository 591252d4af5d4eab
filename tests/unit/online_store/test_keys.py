"""Keys: one per entity whatever its values, found by SCAN, and the same as RESP arguments."""

import fnmatch
from typing import Any

import hiredis
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photofeed.online_store import FieldSpec, JoinKey, RowSchema
from photofeed.online_store.keys import KeyEncoder, key_prefix, scan_pattern

FIELDS = (FieldSpec("f", "FLOAT"),)
PAIR = RowSchema("shop", "pair", (JoinKey("user_id", "INT64"), JoinKey("post_id", "INT64")), FIELDS)
NAMED = RowSchema("shop", "named", (JoinKey("name", "STRING"), JoinKey("id", "INT64"), JoinKey("b", "BYTES")), FIELDS)
INTEGERS = st.integers(-(2**63), 2**63 - 1)


def test_an_integer_key_is_its_view_and_its_values_sorted_by_name() -> None:
    keys = KeyEncoder(PAIR).encode({"user_id": np.array([1, -1]), "post_id": np.array([2**40, 5])})
    assert keys == [
        b"shop:pair:" + (2**40).to_bytes(8, "little") + (1).to_bytes(8, "little"),
        b"shop:pair:" + (5).to_bytes(8, "little") + b"\xff" * 8,
    ]


@settings(deadline=None)
@given(st.lists(st.tuples(INTEGERS, INTEGERS), unique=True, max_size=20))
def test_integer_entities_never_share_a_key(entities: list[tuple[int, int]]) -> None:
    columns = np.array(entities, np.int64).reshape(-1, 2).T
    keys = KeyEncoder(PAIR).encode({"user_id": columns[0], "post_id": columns[1]})
    assert len(set(keys)) == len(entities) == len(keys)


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(), INTEGERS, st.binary()), unique=True, max_size=20))
def test_text_entities_never_share_a_key(entities: list[tuple[str, int, bytes]]) -> None:
    names, ids, raw = [list(column) for column in zip(*entities, strict=True)] or [[], [], []]
    keys = KeyEncoder(NAMED).encode({"name": names, "id": ids, "b": raw})
    assert len(set(keys)) == len(entities)


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(), INTEGERS, st.binary()), max_size=5), st.lists(INTEGERS, max_size=5))
def test_the_bulk_form_holds_the_same_keys(named: list[tuple[str, int, bytes]], ids: list[int]) -> None:
    names, numbers, raw = [list(column) for column in zip(*named, strict=True)] or [[], [], []]
    pairs = np.array(ids, np.int64)
    cases: list[tuple[RowSchema, dict[str, Any]]] = [
        (NAMED, {"name": names, "id": numbers, "b": raw}),
        (PAIR, {"user_id": pairs, "post_id": pairs}),
    ]
    for schema, columns in cases:
        encoder = KeyEncoder(schema)
        keys = encoder.encode(columns)
        reader = hiredis.Reader()
        reader.feed(b"*%d\r\n" % len(keys) + encoder.encode_bulk(columns))
        assert reader.gets() == keys


def test_the_scan_pattern_matches_the_views_keys_and_no_other_views() -> None:
    pattern = (
        scan_pattern("shop", "st[a]*").decode("latin1").replace("\\[", "[[]").replace("\\]", "]").replace("\\*", "[*]")
    )
    assert fnmatch.fnmatchcase((key_prefix("shop", "st[a]*") + b"x").decode(), pattern)
    assert not fnmatch.fnmatchcase((key_prefix("shop", "stats") + b"x").decode(), pattern)


@pytest.mark.parametrize("column", [np.array([1.0]), np.array(["1"]), np.array([None])])
def test_ids_that_are_not_integers_are_refused_by_name(column: np.ndarray) -> None:
    with pytest.raises(TypeError, match="'post_id' needs integers"):
        KeyEncoder(PAIR).encode({"user_id": np.array([1]), "post_id": column})


def test_a_view_without_join_keys_has_one_key() -> None:
    assert KeyEncoder(RowSchema("shop", "site", (), FIELDS)).encode({}) == [b"shop:site:"]
