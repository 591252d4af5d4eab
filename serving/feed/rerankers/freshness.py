"""Freshness: recent posts gain a little, independent of what the model learned about age."""

import numpy as np

from photofeed.compiled import compiled
from photofeed.ids import EPOCH_MS, RANDOM_BITS
from serving.feed.candidates import Ids
from serving.feed.rerankers import Ranking
from serving.feed.scorers import Scores

HALF_LIFE_MS = 6 * 3600 * 1000.0
MAX_GAIN = 0.15  # standard deviations of the scores, for a post of age 0


class Freshness:
    """Adds up to MAX_GAIN, halved for every HALF_LIFE_MS of age."""

    name = "freshness"
    reason = "older"

    def apply(self, ranking: Ranking) -> Ranking:
        """The ranking with recent posts a little higher. Posts dated in the future have age 0."""
        return ranking.scored(freshen(ranking.scores, ranking.candidates.post_ids, ranking.seconds * 1000 - EPOCH_MS))


@compiled
def freshen(scores: Scores, post_ids: Ids, now: float) -> Scores:
    """Scores with the gain of each post.

    Args:
        scores: float64 (n,), finite.
        post_ids: int64 (n,).
        now: milliseconds since the epoch of ids.
    """
    most = MAX_GAIN * np.std(scores)
    fresher = scores.copy()
    for row in range(len(scores)):
        age = max(now - (post_ids[row] >> RANDOM_BITS), 0.0)
        fresher[row] += most * np.exp2(-age / HALF_LIFE_MS)
    return fresher
