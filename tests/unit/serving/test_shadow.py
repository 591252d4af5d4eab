from typing import Any

import numpy as np

from photofeed.features.ranking import FEATURE_NAMES
from serving.feed.shadow import ShadowScorer
from tests.unit.serving.fake_models import FakeModels, FixedScorer, model_of


def _payload(*, features: int = len(FEATURE_NAMES), version: str = "2") -> dict[str, Any]:
    return {"modelVersion": version, "items": [{"features": [0.5] * features, "score": 1.0} for _ in range(3)]}


def _challenger(version: str = "3") -> ShadowScorer:
    return ShadowScorer(FakeModels(challenger=model_of(version, FixedScorer(np.array([0.1, 0.2, 0.3])))))


def test_the_challengers_scores_stand_beside_what_was_shown() -> None:
    payload = _payload()
    _challenger().add_to(payload)
    assert payload["shadow"] == {"modelVersion": "3", "scores": [0.1, 0.2, 0.3]}
    assert [item["score"] for item in payload["items"]] == [1.0, 1.0, 1.0]


def test_where_there_is_nothing_to_compare_nothing_is_added() -> None:
    for scorer, payload in (
        (ShadowScorer(FakeModels()), _payload()),
        (_challenger("2"), _payload(version="2")),
        (_challenger(), _payload(features=0)),
        (_challenger(), {"modelVersion": "2", "items": []}),
    ):
        scorer.add_to(payload)
        assert "shadow" not in payload
