"""What was posted lately counts a little more, whatever the model makes of age."""

import numpy as np

from photofeed.ids import EPOCH_MS
from serving.feed.rerankers import Ranking

HALF_LIFE_MS = 6 * 3600 * 1000.0
MOST_GAIN = 0.15  # standard deviations of the scores, for a post of this moment
_MS_SHIFT = 22  # of an id: what stands above is the time it was made


class Freshness:
    """Adds up to MOST_GAIN, halved with every HALF_LIFE_MS of age."""

    reason = "older"

    def apply(self, ranking: Ranking) -> Ranking:
        """The ranking with fresh posts a little higher; posts dated ahead count as of this moment."""
        if not len(ranking.rows):
            return ranking
        half_lives = ((ranking.candidates.post_ids >> _MS_SHIFT) - (ranking.seconds * 1000 - EPOCH_MS)) / HALF_LIFE_MS
        gain = MOST_GAIN * float(ranking.scores.std()) * np.exp2(np.minimum(half_lives, 0.0))
        return ranking.scored(ranking.scores + gain)
