"""What was posted lately counts a little more, whatever the model makes of age."""

import numpy as np

from photofeed.compiled import compiled
from photofeed.ids import EPOCH_MS
from serving.feed.candidates import Ids
from serving.feed.rerankers import Ranking
from serving.feed.scorers import Scores

HALF_LIFE_MS = 6 * 3600 * 1000.0
MOST_GAIN = 0.15  # standard deviations of the scores, for a post of this moment
_MS_SHIFT = 22  # of an id: what stands above is the time it was made


class Freshness:
    """Adds up to MOST_GAIN, halved with every HALF_LIFE_MS of age."""

    name = "freshness"
    reason = "older"

    def apply(self, ranking: Ranking) -> Ranking:
        """The ranking with fresh posts a little higher; posts dated ahead count as of this moment."""
        return ranking.scored(freshen(ranking.scores, ranking.candidates.post_ids, ranking.seconds * 1000 - EPOCH_MS))


@compiled
def freshen(scores: Scores, post_ids: Ids, now: float) -> Scores:
    """Scores with their gain.

    Args:
        scores: float64 (n,), finite.
        post_ids: int64 (n,), of the posts scored.
        now: milliseconds since the epoch of ids.
    """
    most = MOST_GAIN * np.std(scores)
    fresher = scores.copy()
    for row in range(len(scores)):
        age = max(now - (post_ids[row] >> _MS_SHIFT), 0.0)
        fresher[row] += most * np.exp2(-age / HALF_LIFE_MS)
    return fresher
