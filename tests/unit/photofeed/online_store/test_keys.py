"""Keys: one per entity whatever its values, found by SCAN, and the same as RESP arguments."""

import fnmatch

import hiredis
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photofeed.online_store import FieldSpec, JoinKey, RowSchema
from photofeed.online_store.keys import KeyEncoder, scan_pattern, view_tag

FIELDS = (FieldSpec("f", "FLOAT"),)
PAIR = RowSchema("shop", "pair", (JoinKey("user_id", "INT64"), JoinKey("post_id", "INT64")), FIELDS)
NAMED = RowSchema("shop", "named", (JoinKey("name", "STRING"), JoinKey("id", "INT64"), JoinKey("b", "BYTES")), FIELDS)
EMPTY = np.array([], object)
INTEGERS = st.integers(-(2**63), 2**63 - 1)


def test_an_integer_key_is_its_views_tag_and_its_values_sorted_by_name() -> None:
    keys = KeyEncoder(PAIR).encode({"user_id": np.array([1, -1]), "post_id": np.array([2**40, 5])})
    assert keys == [
        b"6aYBtp" + (2**40).to_bytes(8, "little") + (1).to_bytes(8, "little"),
        b"6aYBtp" + (5).to_bytes(8, "little") + b"\xff" * 8,
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


def resp(data: bytes) -> list[list[bytes]]:
    """The commands in what is sent to Redis."""
    reader = hiredis.Reader()
    reader.feed(data)
    commands = list(iter(reader.gets, False))
    assert not reader.has_data()
    return commands


FEW = st.integers(-2, 2)


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(max_size=1), FEW, st.binary(max_size=1))), st.lists(st.tuples(FEW, INTEGERS | FEW)))
def test_distinct_keys_are_every_entitys_key_once(
    named: list[tuple[str, int, bytes]], pairs: list[tuple[int, int]]
) -> None:
    names, numbers, raw = (np.array(column, object) for column in zip(*named, strict=True)) if named else [EMPTY] * 3
    users, posts = np.array(pairs, np.int64).reshape(-1, 2).T
    for schema, columns in (
        (NAMED, {"name": names, "id": numbers, "b": raw}),
        (PAIR, {"user_id": users, "post_id": posts}),
    ):
        encoder = KeyEncoder(schema)
        keys, distinct = encoder.encode(columns), encoder.distinct(columns)
        assert distinct.split() == list(dict.fromkeys(keys))
        assert [distinct.split()[number] for number in distinct.index] == keys
        commands = resp(distinct.commands(most=3))
        assert all(name == b"MGET" and 1 <= len(asked) <= 3 for name, *asked in commands)
        assert [key for _, *asked in commands for key in asked] == distinct.split()


def test_a_column_of_one_row_stands_for_all_entities() -> None:
    one, several = np.array([5]), np.array([1, 2, 1])
    distinct = KeyEncoder(PAIR).distinct({"user_id": one, "post_id": several})
    assert distinct.split() == KeyEncoder(PAIR).encode({"user_id": [5, 5], "post_id": [1, 2]})
    assert distinct.index.tolist() == [0, 1, 0]
    assert KeyEncoder(PAIR).distinct({"user_id": one, "post_id": several[:0]}).count == 0
    with pytest.raises(ValueError, match="broadcast"):
        KeyEncoder(PAIR).distinct({"user_id": several[:2], "post_id": several})


def test_the_scan_pattern_matches_the_views_keys_and_no_other_views() -> None:
    views = [("shop", "stats"), ("shop", "stats2"), ("shop2", "stats"), ("shop", "[s]*")]
    patterns = [scan_pattern(*view).decode() for view in views]
    keys = [(view_tag(*view) + b"\n?*").decode() for view in views]
    for number, key in enumerate(keys):
        assert [fnmatch.fnmatchcase(key, pattern) for pattern in patterns] == [other == number for other in range(4)]


@pytest.mark.parametrize("column", [np.array([1.0]), np.array(["1"]), np.array([None])])
def test_ids_that_are_not_integers_are_refused_by_name(column: np.ndarray) -> None:
    with pytest.raises(TypeError, match="'post_id' needs integers"):
        KeyEncoder(PAIR).encode({"user_id": np.array([1]), "post_id": column})


def test_a_view_without_join_keys_has_one_key() -> None:
    assert KeyEncoder(RowSchema("shop", "site", (), FIELDS)).encode({}) == [b"OakWER"]
