"""The columns of a feature view's history, and the conversion of rows to them."""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from feast import Entity, FeatureView
from feast.types import from_feast_to_pyarrow_type, from_value_type

MOMENT = pa.timestamp("us", tz="UTC")


def history_schema(feature_view: FeatureView, entities: Iterable[Entity] = ()) -> pa.Schema:
    """Join keys, features, event time and (if the source has one) created time, with the source's column names.

    Args:
        feature_view: a view with a batch source.
        entities: required for a view that is not from the registry and therefore has no entity columns.

    Raises:
        ValueError: an entity of the view is neither among its columns nor in `entities`.
    """
    source = feature_view.batch_source
    renamed = {feature: column for column, feature in source.field_mapping.items()}
    keys = {field.name: field.dtype for field in feature_view.entity_columns}
    if len(keys) < len(feature_view.entities):
        given = {entity.name: entity for entity in entities}
        missing = [name for name in feature_view.entities if name not in given]
        if missing:
            raise ValueError(
                f"the join keys of feature view {feature_view.name!r} are unknown: pass entities {missing}"
            )
        keys = {given[name].join_key: from_value_type(given[name].value_type) for name in feature_view.entities}
    types = keys | {field.name: field.dtype for field in feature_view.features}
    columns = {renamed.get(name, name): from_feast_to_pyarrow_type(dtype) for name, dtype in types.items()}
    moments = [name for name in (source.timestamp_field, source.created_timestamp_column) if name]
    return pa.schema(columns | dict.fromkeys(moments, MOMENT))


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with exactly the schema's columns and types; naive timestamps are UTC.

    Raises:
        ValueError: columns are missing or unknown.
        pyarrow.ArrowInvalid: a value does not fit its column.
    """
    missing, unknown = set(schema.names) - set(table.column_names), set(table.column_names) - set(schema.names)
    if missing or unknown:
        raise ValueError(
            f"rows do not fit their source: missing columns {sorted(missing)}, unknown columns {sorted(unknown)}"
        )
    return pa.Table.from_arrays([_cast(table.column(field.name), field.type) for field in schema], schema=schema)


def names_and_types(schema: pa.Schema) -> list[tuple[str, str]]:
    """The columns in the form that Feast expects."""
    return [(field.name, str(field.type)) for field in schema]


def quoted(*columns: str) -> str:
    """The columns as an SQL list of quoted identifiers."""
    return ", ".join('"{}"'.format(column.replace('"', '""')) for column in columns)


def _cast(column: Any, target: pa.DataType) -> Any:
    return pc.cast(column, options=pc.CastOptions(target_type=target, allow_time_truncate=True))
