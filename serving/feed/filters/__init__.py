"""Filters remove candidates that must not be shown. A filter returns a mask; `apply_filters` records the reasons."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from prometheus_client import Counter

from serving.feed.candidates import Candidates, Mask
from serving.feed.explanation import Explanation
from serving.feed.query import FeedQuery

DROPPED = Counter("photofeed_feed_candidates_dropped", "Candidates that filters removed", ["reason"])


class CandidateFilter(Protocol):
    """One filter; `reason` names it in metrics and explanations."""

    reason: str

    def keep(self, query: FeedQuery, candidates: Candidates) -> Mask:
        """True for each candidate that stays."""


def apply_filters(
    filters: Sequence[CandidateFilter], query: FeedQuery, candidates: Candidates, explanation: Explanation
) -> Candidates:
    """The candidates that pass all filters, in their order."""
    for one in filters:
        candidates = drop(candidates, one.keep(query, candidates), one.reason, explanation)
    return candidates


def drop(candidates: Candidates, mask: Mask, reason: str, explanation: Explanation) -> Candidates:
    """The candidates where the mask is true; the others are counted, and added to the explanation."""
    if mask.all():
        return candidates
    DROPPED.labels(reason).inc(len(mask) - int(np.count_nonzero(mask)))
    explanation.drop(candidates, mask, reason)
    return candidates.take(mask)
