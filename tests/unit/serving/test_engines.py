"""The document of the API names every engine that may rank a feed; generated clients refuse any other."""

from typing import get_args

from photofeed.models.onnx_scorer import OnnxScorer
from photofeed.models.scorer.scorer import BitslicedScorer, BoosterScorer
from serving.api.schemas import RankingModel


def test_a_feed_may_name_every_engine() -> None:
    engines = {scorer.engine for scorer in (BitslicedScorer, BoosterScorer, OnnxScorer)}
    assert set(get_args(RankingModel.model_fields["engine"].annotation)) == engines
