"""Models with scores that a test chooses."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from photofeed.features.program import FeatureProgram
from photofeed.features.ranking import FEATURE_NAMES, PROGRAM
from photofeed.models.contract import ModelContract
from serving.feed.features import FeatureReader
from serving.feed.scorers.fallback_chain import LoadedModel
from tests.served_manifest import SERVED
from tests.unit.serving.fake_features import READER


class FixedScorer:
    """Gives each row the score of its index, whatever its features."""

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
    """A model slot that a test fills."""

    live: LoadedModel | None = None
    previous: LoadedModel | None = None
    challenger: LoadedModel | None = None


def model_of(
    version: str, scorer: FixedScorer, reader: FeatureReader = READER, program: FeatureProgram = PROGRAM
) -> LoadedModel:
    """A loaded model with a scorer; with the `reader` of a server that server can read its features."""
    now = datetime.now(UTC)
    contract = ModelContract("feed-ranker", "run", program.names, SERVED, now, now, "", "", features=program.features)
    return LoadedModel(version, contract, scorer, reader.inputs(program, SERVED))
