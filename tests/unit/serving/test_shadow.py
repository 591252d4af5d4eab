from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from photofeed.features.ranking import FEATURE_NAMES, PROGRAM
from photofeed.served_page import ServedItem, ServedPage
from serving.feed.shadow import ShadowScorer
from tests.unit.serving.fake_models import FakeModels, FixedScorer, model_of


def _page(*, items: int = 3, features: int = len(FEATURE_NAMES), version: str = "2") -> ServedPage:
    shown = tuple(ServedItem(n, n, n, 1.0, "following", "following", 1.0) for n in range(items))
    matrix = np.full((items, features), 0.5, np.float32)
    now = datetime.now(UTC)
    return ServedPage("s1", 11, 0, "model", version, None, None, now, now, shown, FEATURE_NAMES, matrix)


def _challenger(version: str = "3") -> ShadowScorer:
    return ShadowScorer(FakeModels(challenger=model_of(version, FixedScorer(np.array([0.1, 0.2, 0.3])))))


def test_the_challengers_scores_are_added_to_the_page() -> None:
    page = _challenger().scored(_page())
    assert page.shadow is not None
    assert page.shadow.model_version == "3"
    assert page.shadow.scores.tolist() == [0.1, 0.2, 0.3]
    assert [item.score for item in page.items] == [1.0, 1.0, 1.0]


def test_the_challengers_features_are_taken_by_name() -> None:
    class Aspect(FixedScorer):
        def score(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
            return matrix[:, 0].astype(np.float64)

    model = model_of("3", Aspect(np.zeros(0)), program=PROGRAM.select(["aspect", "follows"]))
    page = _page()
    page.features[:, FEATURE_NAMES.index("aspect")] = [3, 1, 2]
    scored = ShadowScorer(FakeModels(challenger=model)).scored(page)
    assert scored.shadow is not None
    assert scored.shadow.scores.tolist() == [3, 1, 2]


def test_without_a_comparison_the_page_is_unchanged() -> None:
    for scorer, page in (
        (ShadowScorer(FakeModels()), _page()),
        (_challenger("2"), _page(version="2")),
        (_challenger(), replace(_page(features=0), feature_names=None)),
        (_challenger(), replace(_page(features=1), feature_names=("aspect",))),
        (_challenger(), _page(items=0)),
    ):
        assert scorer.scored(page) is page
