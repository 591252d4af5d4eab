"""Rankings of candidates that a request brings along: the feed's stages, without sources and pages.

filters     own posts, hidden authors, hidden posts
features    as for a feed; values that the request states replace those that were read
score       the same fallback chain
rerank      the same rules; candidates to explore are drawn for about one slot in ten, the others keep propensity 1
served      the whole order is added to the served log and gets receipts
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from photofeed.errors import InvalidError
from photofeed.experiments import Assignment, Experiments
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.models.registry import CHAMPION
from serving.feed.candidates import Candidates, among
from serving.feed.explanation import Explanation
from serving.feed.filters import CandidateFilter, apply_filters
from serving.feed.history import HistoryReader
from serving.feed.query import FeedQuery, find_viewer
from serving.feed.rerankers.diversity import seen_by_author
from serving.feed.served_log import ServedLog
from serving.feed.slate import Slate, Surface
from serving.feed.slate_ranker import Shortlist, SlateRanker
from serving.feed.sources.items import ItemSource
from serving.reads import Reads
from serving.receipts import ReceiptSealer

MOST_GIVEN = 2_000
SHORTEST = 30  # of candidates to explore alone, so many are ranked
_LOGGED_TOGETHER = 100  # items of one message of the served log

Given = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class GivenRanking:
    """A slate of given candidates: the first `receipts` of its items were served, and those left out, with reasons."""

    slate: Slate
    receipts: list[str]
    left_out: dict[int, str]


@dataclass(slots=True)
class GivenRanker:
    """Ranks given candidates. It holds its components, and no state between requests."""

    reads: Reads
    history: HistoryReader
    filters: Sequence[CandidateFilter]
    items: ItemSource
    ranker: SlateRanker
    receipts: ReceiptSealer
    served_log: ServedLog
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    experiments: Experiments = field(default_factory=Experiments)

    def ranker_of_version(self, version: str) -> str:
        """The ranker of a loaded version.

        Raises:
            InvalidError: no model of this version is loaded.
        """
        loaded = self.ranker.fallback_chain.versions
        if version not in loaded:
            known = ", ".join(sorted(loaded)) or "none"
            raise InvalidError(f"Version {version} is not loaded; loaded are: {known}.", code="version_not_loaded")
        return loaded[version]

    def require_features(self, names: set[str], ranker: str) -> None:
        """Check that request-time features are some that rankers know.

        Raises:
            InvalidError: a feature is unknown; the message names it.
        """
        models = self.ranker.fallback_chain.inputs(ranker)
        known = {*FEATURE_NAMES, *(name for model in models for name in model.program.names)}
        if unknown := sorted(names - known):
            raise InvalidError(
                f"No model has a feature named {', '.join(unknown[:5])}. Features have the names of the model's "
                "contract.",
                code="unknown_feature",
            )

    async def items_for(self, user_id: int, limit: int) -> Candidates:
        """At most `limit` items that the person may like, of which filters remove some.

        Raises:
            NotFoundError: there is no such person.
        """
        now = self.clock()
        viewer, history, found = await asyncio.gather(
            find_viewer(self.reads, user_id),
            self.history.read_if_available(user_id, now.timestamp()),
            self.items.fetch(user_id, limit),
        )
        return apply_filters(self.filters, FeedQuery(user_id, now, viewer, history), found, Explanation())

    async def rank(
        self,
        user_id: int,
        candidates: Candidates,
        given: Given,
        limit: int,
        ranker: str | None = None,
        assignment: Assignment | None = None,
    ) -> GivenRanking:
        """Rank candidates for a person, and log the first `limit` as served.

        Args:
            user_id: the person.
            candidates: n posts and items, each once.
            given: request-time features by name, (n,), NaN where the stored value counts.
            limit: number of items that are returned.
            ranker: as for the feed; without it and an assignment, that of the person's experiment arm.
            assignment: the arm that ranks.

        Raises:
            NotFoundError: there is no such person.
        """
        assignment = assignment or (self.experiments.assignment(user_id) if ranker is None else None)
        chosen = assignment.ranker if assignment else ranker or CHAMPION
        now = self.clock()
        viewer, history = await asyncio.gather(
            find_viewer(self.reads, user_id), self.history.read_if_available(user_id, now.timestamp())
        )
        query, explanation = FeedQuery(user_id, now, viewer, history), Explanation()
        kept = apply_filters(self.filters, query, candidates, explanation)
        rows = np.flatnonzero(among(candidates.post_ids, kept.post_ids))
        shortlist = Shortlist(
            kept,
            np.zeros(len(kept), np.bool_),
            seen_by_author(kept.author_ids, kept.author_ids[among(kept.post_ids, history.seen)]),
            {name: column[rows] for name, column in given.items()},
        )
        slate = await self.ranker.rank(query, shortlist, chosen, SHORTEST, explanation)
        slate = replace(slate, assignment=assignment, surface=Surface.GIVEN)
        served = range(min(limit, len(slate.items)))
        for start in served[::_LOGGED_TOGETHER]:
            self.served_log.add(slate, start, [(at, at) for at in served[start : start + _LOGGED_TOGETHER]])
        post_ids = slate.items.post_ids[: len(served)].tolist()
        receipts = self.receipts.seal_page(user_id, slate.id, 0, post_ids)
        return GivenRanking(slate, receipts, explanation.left_out())
