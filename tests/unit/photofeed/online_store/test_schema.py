"""A schema survives being plain data, and its hash changes exactly when stored rows would be read wrongly."""

import math
from dataclasses import replace
from typing import Any

import pytest

from photofeed.online_store import FieldSpec, JoinKey, RowSchema

SCHEMA = RowSchema(
    project="shop",
    view="pairs",
    join_keys=(JoinKey("user_id", "INT64"), JoinKey("creator_id", "INT64")),
    fields=(
        FieldSpec("affinity", "FLOAT"),
        FieldSpec("likes", "DOUBLE", 0.5),
        FieldSpec("topic", "INT64", -1),
        FieldSpec("follows", "BOOL", True),
        FieldSpec("caption", "STRING"),
    ),
)


def test_plain_data_makes_the_same_schema_and_holds_no_nan() -> None:
    again = RowSchema.from_json(SCHEMA.to_json())
    assert "NaN" not in SCHEMA.to_json()
    assert again.to_dict() == SCHEMA.to_dict()
    assert again.hash == SCHEMA.hash
    assert math.isnan(again.fields[0].default or 0)
    assert [field.default for field in again.fields[1:]] == [0.5, -1, True, None]


def test_defaults_left_out_are_nan_for_floats_and_zero_for_integers() -> None:
    plain = {"project": "p", "view": "v", "join_keys": [{"name": "id", "type": "INT64"}]}
    fields = [{"name": kind, "type": kind} for kind in ("FLOAT", "INT32", "BOOL", "STRING")]
    schema = RowSchema.from_dict(plain | {"fields": fields})
    assert math.isnan(schema.fields[0].default or 0)
    assert [field.default for field in schema.fields[1:]] == [0, 0, None]


@pytest.mark.parametrize(
    "changed",
    [
        replace(SCHEMA, view="others"),
        replace(SCHEMA, join_keys=SCHEMA.join_keys[:1]),
        replace(SCHEMA, join_keys=(JoinKey("creator_id", "STRING"), SCHEMA.join_keys[1])),
        replace(SCHEMA, fields=SCHEMA.fields[:-1]),
        replace(SCHEMA, fields=(*SCHEMA.fields[1:], SCHEMA.fields[0])),
        replace(SCHEMA, fields=(FieldSpec("affinity", "DOUBLE"), *SCHEMA.fields[1:])),
        replace(SCHEMA, fields=(FieldSpec("renamed", "FLOAT"), *SCHEMA.fields[1:])),
    ],
)
def test_the_hash_changes_with_view_keys_names_types_and_order(changed: RowSchema) -> None:
    assert changed.hash != SCHEMA.hash


def test_the_hash_does_not_change_with_defaults_project_or_order_of_join_keys() -> None:
    other = replace(
        SCHEMA,
        project="elsewhere",
        join_keys=SCHEMA.join_keys[::-1],
        fields=(FieldSpec("affinity", "FLOAT", 3.0), *SCHEMA.fields[1:]),
    )
    assert other.hash == SCHEMA.hash


def test_the_hash_is_the_one_in_rows_already_stored() -> None:
    assert SCHEMA.hash == 0xD31D9129


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"view": "a:b"}, "colon"),
        ({"project": "a:b"}, "colon"),
        ({"fields": ()}, "needs at least one field"),
        ({"fields": (FieldSpec("user_id", "FLOAT"),)}, "unique names"),
    ],
)
def test_schemas_that_could_not_be_stored_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SCHEMA, **change)
