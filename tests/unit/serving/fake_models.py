"""Models that say what a test tells them to."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from photofeed.features.manifest import FeatureManifest
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.model_contract import ModelContract
from photofeed.online_store.reader import PackedReader
from serving.feed.features import FeatureReader
from serving.feed.scorers.ladder import LoadedModel


class FixedScorer:
    """Gives each row the score of its place, whatever its features."""

    engine = "fixed"
    features = len(FEATURE_NAMES)

    def __init__(self, scores: NDArray[np.float64]) -> None:
        self._scores = scores

    def score(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.resize(self._scores, len(matrix))

    def warm_up(self) -> None:
        pass


@dataclass
class FakeModels:
    """A model slot that a test fills and empties."""

    live: LoadedModel | None = None
    previous: LoadedModel | None = None
    challenger: LoadedModel | None = None


def model_of(version: str, scorer: FixedScorer, features: FeatureReader | None = None) -> LoadedModel:
    """A loaded model with a scorer; without `features` it can score, but not read any."""
    manifest = FeatureManifest("feed_ranker_v1", ())
    now = datetime.now(UTC)
    contract = ModelContract("feed-ranker", "run", FEATURE_NAMES, manifest, now, now, "", "")
    return LoadedModel(version, contract, scorer, features or FeatureReader(manifest, PackedReader([])))
