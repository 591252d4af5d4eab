"""Shadow scoring: what the challenger would have said of what the champion shows; logged, never shown."""

from typing import Any

import numpy as np

from photofeed.features.ranking import FEATURE_NAMES
from serving.feed.scorers.ladder import Models


class ShadowScorer:
    """Adds the challenger's scores to pages on their way to the served log, long after the reply."""

    def __init__(self, models: Models) -> None:
        self._models = models

    def add_to(self, payload: dict[str, Any]) -> None:
        """Put `shadow` into a page's payload: the challenger's version and its score of each item.

        Nothing is added where there is no challenger, where the challenger itself ranked the page, or without features.
        """
        challenger, items = self._models.challenger, payload["items"]
        if challenger is None or payload["modelVersion"] == challenger.version or not items:
            return
        if any(len(item["features"]) != len(FEATURE_NAMES) for item in items):
            return
        matrix = np.array([item["features"] for item in items], dtype=np.float32)
        scores = challenger.scorer.score(matrix)
        payload["shadow"] = {"modelVersion": challenger.version, "scores": scores.tolist()}
