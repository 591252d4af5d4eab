"""Writes rows without Feast: the same bytes as the plug-in, on a pipeline that the caller provides."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from redis.client import Pipeline
from redis.cluster import ClusterPipeline

from photofeed.online_store.codec import RowCodec
from photofeed.online_store.keys import KeyEncoder
from photofeed.online_store.layouts import append_layout
from photofeed.online_store.newest import append_newest
from photofeed.online_store.published_rows import Publication, publication, rewritten
from photofeed.online_store.schema import RowSchema


class PackedWriter:
    """Appends the rows of one view to a Redis pipeline.

    Raises:
        ValueError: the view has fields without a fixed width, which only Feast can write.
    """

    def __init__(self, schema: RowSchema) -> None:
        if schema.variable_fields:
            names = [field.name for field in schema.variable_fields]
            raise ValueError(f"PackedWriter writes numbers only; feature view {schema.view!r} has {names}")
        self.schema = schema
        self._codec = RowCodec(schema)
        self._keys = KeyEncoder(schema)

    def write(
        self,
        pipeline: Pipeline | ClusterPipeline,
        entities: Mapping[str, NDArray[Any]],
        values: NDArray[np.void] | Mapping[str, NDArray[Any]],
        event_us: NDArray[np.int64],
        created_us: NDArray[np.int64] | None = None,
        *,
        ttl_seconds: int | None = None,
        keep_newest: bool = False,
    ) -> Publication:
        """Append n rows to the pipeline, and the registration of their layout.

        The caller executes the pipeline, and then publishes what is returned (published_rows.publish).

        Args:
            pipeline: of a server, transactional or not, or of a cluster.
            entities: a column, (n,), per join key.
            values: (n,) of `schema.values_dtype`, or a column per feature. NaN is stored as null, as in Feast.
            event_us: (n,) int64 microseconds since 1970, UTC.
            created_us: (n,) int64 microseconds since 1970, UTC.
            ttl_seconds: lifetime of the rows; None keeps them.
            keep_newest: keep stored rows that are not older, as the plug-in does; otherwise replace every row.

        Raises:
            KeyError: a join key's or a feature's column is missing.
        """
        keys = self._keys.encode(entities)
        rows = values if isinstance(values, np.ndarray) else self._structured(values, len(keys))
        stored = self._codec.encode(rows, event_us, created_us)
        append_layout(pipeline, self.schema)
        if keep_newest:
            append_newest(pipeline, keys, stored, ttl_seconds)
            return publication(self.schema, keys, stored)
        for key, value in zip(keys, stored, strict=True):
            pipeline.set(key, value, ex=ttl_seconds)
        return rewritten(self.schema)

    def _structured(self, columns: Mapping[str, NDArray[Any]], count: int) -> NDArray[np.void]:
        rows = np.empty(count, self.schema.values_dtype)
        for field in self.schema.fixed_fields:
            rows[field.name] = columns[field.name]
        return rows
