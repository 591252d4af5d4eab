"""Candidate sources, queried concurrently. A source that fails or times out is skipped and named in the reply."""

from typing import Protocol

from serving.feed.candidates import Candidates
from serving.feed.query import FeedRequest


class CandidateSource(Protocol):
    """Finds posts for a request."""

    name: str

    async def fetch(self, request: FeedRequest, limit: int) -> Candidates:
        """At most `limit` candidates, best first."""
