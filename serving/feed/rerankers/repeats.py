"""Repeats: if the viewer has seen nearly everything, the slate ends with recently seen posts, best first."""

import numpy as np

from serving.feed.rerankers import Ranking
from serving.feed.rerankers.near_duplicates import distinct


class Repeats:
    """Fills a slate up to its shortest length with recently seen posts, after all new ones."""

    name = "repeats"
    reason = "repeated"

    def apply(self, ranking: Ranking) -> Ranking:
        """The ranking with as many repeats as it lacks, without near duplicates of posts of the slate."""
        if not len(ranking.repeats) or len(ranking.rows) >= ranking.shortest:
            return ranking
        both = np.concatenate([ranking.rows, ranking.repeats])
        keep = distinct(ranking.candidates.hashes[both])[len(ranking.rows) :]
        more = ranking.repeats[keep][: ranking.shortest - len(ranking.rows)]
        return ranking._replace(rows=np.concatenate([ranking.rows, more]))
