"""Row schemas from Feast feature views. Imports Feast: keep it out of serving processes."""

from typing import Any

from feast import FeatureView, Field
from feast.feature_view import DUMMY_ENTITY_ID
from feast.infra.online_stores.helpers import compute_versioned_name

from photofeed.online_store.schema import FLOAT_TYPES, Default, FieldSpec, JoinKey, RowSchema

DEFAULT_TAG = "default"


def row_schema(feature_view: FeatureView, project: str, *, versioned: bool = False) -> RowSchema:
    """The packed schema of a feature view of the registry.

    A field's default is its tag `default`, or NaN for floats and 0 for integers without the tag.

    Args:
        feature_view: from the registry, so that its entity columns are known.
        project: the Feast project.
        versioned: the registry's `enable_online_feature_view_versioning`, which appends the version to the name.

    Raises:
        ValueError: a `default` tag is not a value of the field's type.
    """
    return RowSchema(
        project=project,
        view=compute_versioned_name(feature_view, versioned),
        join_keys=tuple(
            JoinKey(field.name, _value_type(field))
            for field in feature_view.entity_columns
            if field.name != DUMMY_ENTITY_ID
        ),
        fields=tuple(_field_spec(field) for field in feature_view.features),
    )


def _field_spec(field: Field) -> FieldSpec:
    value_type = _value_type(field)
    tag = field.tags.get(DEFAULT_TAG)
    return FieldSpec(field.name, value_type, None if tag is None else _default(tag, value_type))


def _default(tag: str, value_type: str) -> Default:
    if value_type in FLOAT_TYPES:
        return float(tag)
    if value_type == "BOOL":
        return {"true": True, "false": False}[tag.lower()] if not tag.isdigit() else bool(int(tag))
    return int(tag)


def _value_type(field: Any) -> str:
    name: str = field.dtype.to_value_type().name
    return name
