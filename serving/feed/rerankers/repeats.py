"""In an exhausted world the end of a slate repeats what was seen lately, the best of it first."""

from dataclasses import replace

import numpy as np

from serving.feed.rerankers import Ranking
from serving.feed.rerankers.near_duplicates import distinct


class Repeats:
    """Fills a slate up to its shortest length with posts seen lately, all of them after the last new one."""

    name = "repeats"
    reason = "repeated"

    def apply(self, ranking: Ranking) -> Ranking:
        """The ranking with as many repeats as it is short of, none that looks like a post of the slate."""
        if not len(ranking.repeats) or len(ranking.rows) >= ranking.shortest:
            return ranking
        both = np.concatenate([ranking.rows, ranking.repeats])
        stay = distinct(ranking.candidates.hashes[both])[len(ranking.rows) :]
        more = ranking.repeats[stay][: ranking.shortest - len(ranking.rows)]
        return replace(ranking, rows=np.concatenate([ranking.rows, more]))
