"""Filters remove candidates that must not be shown. A filter returns a mask; the pipeline records the reasons."""

from typing import Protocol

from serving.feed.candidates import Candidates, Mask
from serving.feed.query import FeedQuery


class CandidateFilter(Protocol):
    """One filter; `reason` names it in metrics and explanations."""

    reason: str

    def keep(self, query: FeedQuery, candidates: Candidates) -> Mask:
        """True for each candidate that stays."""
