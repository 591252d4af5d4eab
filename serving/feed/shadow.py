"""Shadow scoring: the challenger's scores of what the champion shows; logged, never shown."""

from dataclasses import replace

import numpy as np

from photofeed.served_page import ServedPage, ShadowScores
from serving.feed.scorers.fallback_chain import Models


class ShadowScorer:
    """Adds the challenger's scores to pages of the served log, after the reply was sent."""

    def __init__(self, models: Models) -> None:
        self._models = models

    def scored(self, page: ServedPage) -> ServedPage:
        """The page with the challenger's version and its score of each item.

        Unchanged if there is no challenger, if the challenger itself ranked the page, or if the page lacks features
        that the challenger takes.
        """
        challenger = self._models.challenger
        if challenger is None or page.model_version == challenger.version or not page.items:
            return page
        names, wanted = page.feature_names or (), challenger.inputs.program.names
        if not set(names) >= set(wanted):
            return page
        columns = page.features if names == wanted else page.features[:, [names.index(name) for name in wanted]]
        scores = challenger.scorer.score(np.ascontiguousarray(columns))
        return replace(page, shadow=ShadowScores(challenger.version, scores))
