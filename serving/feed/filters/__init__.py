"""Filters: what may not or should not be shown. A filter says which candidates stay; the runner keeps the reasons."""

from typing import Protocol

from serving.feed.candidates import Candidates, Mask
from serving.feed.query import FeedQuery


class CandidateFilter(Protocol):
    """Decides which candidates stay."""

    reason: str

    def keep(self, query: FeedQuery, candidates: Candidates) -> Mask:
        """True for each candidate that stays."""
