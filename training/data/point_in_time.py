"""Stored features as they were known when a slate was ranked: Feast's point-in-time join."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from photofeed.features.manifest import FeatureManifest
from photofeed.online_store.schema import FIXED_TYPES, FieldSpec
from training.errors import FeaturesError

ROW = "impression_row"  # carried through the join, which may reorder rows
PIECE_ROWS = 10_000


class HistoricalFeatures(Protocol):
    """The part of feast.FeatureStore that reads feature history."""

    def get_feature_service(self, name: str) -> Any:
        """The FeatureService of that name."""

    def get_historical_features(self, entity_df: Any, features: Any, *, full_feature_names: bool) -> Any:
        """A retrieval job: for each entity row, the newest feature rows that are not newer than it."""


@dataclass(frozen=True, slots=True)
class EntityRows:
    """The entities to join, and the feature cutoff of each in microseconds since 1970. All arrays (rows,)."""

    user_ids: NDArray[np.int64]
    post_ids: NDArray[np.int64]
    creator_ids: NDArray[np.int64]
    topic_ids: NDArray[np.int64]
    known_us: NDArray[np.int64]


def features_known_at(
    store: HistoricalFeatures, manifest: FeatureManifest, rows: EntityRows
) -> dict[str, NDArray[np.generic]]:
    """The stored features that were known at the cutoff of each row. Missing values are the declared defaults.

    Returns:
        `view__field` -> (rows,), in the type of the online store, in the order of `rows`.

    Raises:
        FeaturesError: a row or a feature of the manifest is missing from the answer.
    """
    pieces = list(pieces_known_at(store, manifest, rows))
    order = np.argsort(np.concatenate([at for at, _ in pieces]))
    return {name: np.concatenate([columns[name] for _, columns in pieces])[order] for name in pieces[0][1]}


def pieces_known_at(
    store: HistoricalFeatures, manifest: FeatureManifest, rows: EntityRows
) -> Iterator[tuple[NDArray[np.int64], dict[str, NDArray[np.generic]]]]:
    """The result of `features_known_at` in pieces: the indices of the rows, in any order, and their columns."""
    import pandas as pd  # noqa: PLC0415  half a second; Feast wants a frame

    count = len(rows.known_us)
    entities = pd.DataFrame(
        {
            ROW: np.arange(count),
            "user_id": rows.user_ids,
            "post_id": rows.post_ids,
            "creator_id": rows.creator_ids,
            "topic_id": rows.topic_ids,
            "event_timestamp": pd.to_datetime(rows.known_us, unit="us", utc=True),
        }
    )
    service = store.get_feature_service(manifest.service)
    table = store.get_historical_features(entities, service, full_feature_names=True).to_arrow()
    if not np.array_equal(np.sort(table[ROW].to_numpy()), np.arange(count)):
        raise FeaturesError(f"the feature store returned {len(table)} rows for {count}")
    fields = {f"{view.name}__{field.name}": field for view in manifest.views for field in view.schema.fixed_fields}
    missing = sorted(fields.keys() - set(table.column_names))
    if missing:
        raise FeaturesError(f"{manifest.service} lacks {', '.join(missing)}: apply the feature repo again")
    for piece in table.to_batches(max_chunksize=PIECE_ROWS):
        yield piece[ROW].to_numpy(), {name: _filled(piece[name], field) for name, field in fields.items()}


def _filled(column: Any, field: FieldSpec) -> NDArray[np.generic]:
    """The column with nulls and NaN replaced by the default of the field, as the online store reads it."""
    import pyarrow as pa  # noqa: PLC0415

    dtype = np.dtype(FIXED_TYPES[field.value_type])
    # the cast also gives a type to columns of nulls
    known = column.cast(pa.from_numpy_dtype(dtype)).fill_null(field.default)
    values: NDArray[np.generic] = known.to_numpy(zero_copy_only=False)
    return np.where(np.isnan(values), dtype.type(field.default or 0), values) if dtype.kind == "f" else values
