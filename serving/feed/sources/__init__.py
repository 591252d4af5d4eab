"""Sources of candidates, tried side by side; one that fails or is late is left out, and said so."""

from typing import Protocol

from serving.feed.candidates import Candidates
from serving.feed.query import FeedRequest


class CandidateSource(Protocol):
    """Finds posts for a request."""

    name: str

    async def fetch(self, request: FeedRequest, limit: int) -> Candidates:
        """At most `limit` candidates, best first."""
