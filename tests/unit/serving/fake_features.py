"""Features of candidates without an online store."""

import numpy as np
from numpy.typing import NDArray

from photofeed.features.ranking import PROGRAM
from photofeed.online_store.reader import FetchedRows, PackedReader
from serving.feed.features import FeatureMatrix, FeatureReader, ModelInputs, RequestFeatures
from tests.served_manifest import SERVED

READER = FeatureReader(SERVED, PackedReader([]))


class FixedFeatures(RequestFeatures):
    """The same values whatever model asks, (rows, features) in the order of RANKING_FEATURES."""

    def __init__(self, values: NDArray[np.float32]) -> None:
        super().__init__(FetchedRows({}), READER.default, READER.basics, 0.0, len(values))
        self._values = values

    def matrix(self, inputs: ModelInputs | None = None) -> FeatureMatrix:
        names = (inputs or READER.default).program.names
        return FeatureMatrix(self._values[:, [PROGRAM.names.index(name) for name in names]], names)
