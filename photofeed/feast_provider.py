"""The Feast provider: what is pushed goes from the frame's columns to packed rows, without a proto per value."""

from typing import Any

import numpy as np
from feast import FeatureView
from feast.infra.passthrough_provider import PassthroughProvider
from feast.on_demand_feature_view import OnDemandFeatureView
from numpy.typing import NDArray
from pandas import DataFrame, Series

from photofeed.online_store.feast_schema import row_schema
from photofeed.online_store.schema import FIXED_TYPES, RowSchema

# moments are left out: a frame has them as datetimes
_DTYPES = {name: np.dtype(dtype) for name, dtype in FIXED_TYPES.items() if name != "UNIX_TIMESTAMP"}


class PackedProvider(PassthroughProvider):  # type: ignore[misc]  # feast has no types
    """Feast's own provider with a faster way into PackedRedisOnlineStore for views of plain numbers."""

    def ingest_df(self, feature_view: Any, df: DataFrame, field_mapping: dict[str, str] | None = None) -> None:
        """Write a frame's rows online; what is not a frame of plain numbers goes Feast's way, to the same end."""
        if not self._is_plain(feature_view, df):
            super().ingest_df(feature_view, df, field_mapping)
            return
        source = feature_view.batch_source
        created = source.created_timestamp_column
        self.online_store.write_columns(
            self.repo_config,
            feature_view,
            {name: df[name].to_numpy() for name in df.columns},
            _microseconds(df[source.timestamp_field]),
            _microseconds(df[created]) if created else None,
        )

    def _is_plain(self, feature_view: Any, df: DataFrame) -> bool:
        if isinstance(feature_view, OnDemandFeatureView) or not isinstance(feature_view, FeatureView):
            return False
        source = feature_view.batch_source
        moments = [name for name in (source.timestamp_field, source.created_timestamp_column) if name]
        schema = row_schema(feature_view, self.repo_config.project)
        return (
            hasattr(self.online_store, "write_columns")
            and not source.field_mapping
            and all(name in df and df[name].dtype.kind == "M" and not df[name].hasnans for name in moments)
            and _has_numbers(schema, df)
        )


def _has_numbers(schema: RowSchema, df: DataFrame) -> bool:
    """Whether each column holds exactly the numbers that are stored, so that nothing could be lost on the way."""
    wanted: dict[str, Any] = {field.name: _DTYPES.get(field.value_type) for field in schema.fields}
    wanted |= {key.name: np.int64 if key.value_type == "INT64" else None for key in schema.join_keys}
    return all(dtype is not None and name in df and df[name].dtype == dtype for name, dtype in wanted.items())


def _microseconds(moments: "Series[Any]") -> NDArray[np.int64]:
    """Microseconds since 1970; a moment without a time zone is UTC, as everywhere in Feast."""
    utc = moments if moments.dt.tz is None else moments.dt.tz_convert("UTC").dt.tz_localize(None)
    return utc.to_numpy("datetime64[us]").view(np.int64)
