"""Features of candidates: one round trip to the online store, then the request-time features that training uses too."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photofeed.features.manifest import FeatureManifest
from photofeed.features.ranking import FEATURE_NAMES, StoredFeatures, ranking_matrix
from photofeed.online_store.reader import PackedReader, ViewRows
from serving.feed.candidates import Candidates
from serving.feed.query import FeedQuery


@dataclass(frozen=True, slots=True)
class FeatureMatrix:
    """The model's input: one row a candidate, columns in the order of FEATURE_NAMES, float32."""

    values: NDArray[np.float32]

    def column(self, name: str) -> NDArray[np.float32]:
        """One feature of all candidates."""
        column: NDArray[np.float32] = self.values[:, FEATURE_NAMES.index(name)]
        return column

    def take(self, rows: NDArray[np.intp]) -> "FeatureMatrix":
        """The rows at these places."""
        return FeatureMatrix(self.values[rows])


class FeatureReader:
    """Reads what a manifest declares."""

    def __init__(self, manifest: FeatureManifest, reader: PackedReader) -> None:
        self._manifest = manifest
        self._reader = reader

    async def read(self, query: FeedQuery, candidates: Candidates) -> FeatureMatrix:
        """The feature matrix of the candidates, in their order.

        Raises:
            redis.RedisError: the online store cannot be reached in time.
        """
        rows = await self._reader.read_async(
            {
                "user_id": np.array([query.user_id], dtype=np.int64),
                "post_id": candidates.post_ids,
                "creator_id": candidates.author_ids,
                "topic_id": candidates.topic_ids,
            }
        )
        stored = StoredFeatures(stored_columns(rows), self._manifest, query.seconds)
        return FeatureMatrix(ranking_matrix(stored, len(candidates)))


def stored_columns(rows: dict[str, ViewRows]) -> dict[str, NDArray[np.generic]]:
    """Columns named `view__field`, as StoredFeatures wants them."""
    return {
        f"{view}__{field}": read.values[field] for view, read in rows.items() for field in read.values.dtype.names or ()
    }
