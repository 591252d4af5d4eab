"""The inputs of a model for any people and posts, as serving computes them: at moments of the past, or now."""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.errors import InvalidError
from photofeed.features.counters import AS_OF_FIELD
from photofeed.features.stored import StoredFeatures
from photofeed.ids import decode_id
from photofeed.models.contract import ModelContract
from photofeed.online_store.schema import FIXED_TYPES
from photofeed.times import MICROSECONDS
from training.data.point_in_time import EntityRows, features_known_at

ENTITIES = ("user_id", "post_id", "creator_id", "topic_id")
MOMENT = "event_timestamp"


def model_frame(store: Any, model: Any, entity_df: Any) -> Any:
    """The columns that a model takes, as a DataFrame with the index of `entity_df`, equal to serving to 1e-6.

    Args:
        store: a feast.FeatureStore.
        model: a ModelContract, or what has one as `contract`: a fetched version, or what `register_model` returned.
        entity_df: a DataFrame with the columns ENTITIES, as integers or ids of the API. With a column
            `event_timestamp`, values are as they were known then; without it, as the online store has them now.

    Raises:
        InvalidError: a column is missing, an id is none, or a moment has no value.
        UnknownFeatureError: this release lacks a function of the model's features.
    """
    import pandas as pd  # noqa: PLC0415  half a second

    contract: ModelContract = getattr(model, "contract", model)
    if lacking := [name for name in ENTITIES if name not in entity_df.columns]:
        raise InvalidError(f"the entities lack the columns {', '.join(lacking)}")
    ids = {name: _ids(name, entity_df[name]) for name in ENTITIES}
    manifest, program = contract.manifest, contract.program
    if MOMENT in entity_df.columns:
        moments = pd.to_datetime(entity_df[MOMENT], utc=True)
        if moments.isna().any():
            raise InvalidError(f"{MOMENT} has {int(moments.isna().sum())} rows without a value")
        known_us = moments.astype("datetime64[us, UTC]").astype(np.int64).to_numpy()
        entities = EntityRows(ids["user_id"], ids["post_id"], ids["creator_id"], ids["topic_id"], known_us)
        columns = features_known_at(store, manifest, entities)
        now: Any = known_us / MICROSECONDS
    else:
        columns, now = _online(store, contract, ids), time.time()
    matrix = program.matrix(StoredFeatures(columns, manifest, now), len(entity_df))
    return pd.DataFrame(matrix, columns=list(program.names), index=entity_df.index)


def _online(store: Any, contract: ModelContract, ids: dict[str, NDArray[np.int64]]) -> dict[str, NDArray[np.generic]]:
    """The stored columns that the model reads, by Feast's online store, with defaults in place of missing values."""
    columns: dict[str, NDArray[np.generic]] = {}
    read = set(contract.program.reads)
    for view in contract.manifest.views:
        fields = [
            field
            for field in view.schema.fixed_fields
            if f"{view.name}__{field.name}" in read or field.name == AS_OF_FIELD
        ]
        keys = [key.name for key in view.schema.join_keys]
        entities = {key: ids[key].tolist() for key in keys}
        answer = store.get_online_features([f"{view.name}:{field.name}" for field in fields], entities).to_dict()
        for field in fields:
            values = [field.default if value is None else value for value in answer[field.name]]
            columns[f"{view.name}__{field.name}"] = np.array(values, FIXED_TYPES[field.value_type])
    return columns


def _ids(name: str, column: Any) -> NDArray[np.int64]:
    try:
        plain = [decode_id(value) if isinstance(value, str) else int(value) for value in column]
        return np.array(plain, np.int64)
    except (TypeError, ValueError, OverflowError, InvalidError) as error:
        raise InvalidError(f"{name} has a value that is no id: {error}") from error
