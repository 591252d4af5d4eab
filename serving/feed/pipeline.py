"""The feed path, stage by stage.

query       who asks, whom they follow, whom they do not want to see
candidates  sources side by side, each with its own time-out
filters     own posts, hidden authors; then posts seen lately
features    one round trip to the online store, then request-time features
score       the highest step of the ladder that holds: champion, previous champion, popularity, recency
rerank      the rules of `rerankers/`, one after the other: what is fresh gains, what repeats loses, nothing twice or
            twice alike, explore slots with known propensities, never three posts of one author in a row
slate       kept, so that pages stay stable
page        visibility checked again, posts read, spacing kept, the served log told
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import numpy as np
import structlog
from prometheus_client import Counter, Histogram
from redis.exceptions import RedisError

from photofeed.database import AsyncDatabase
from photofeed.errors import NotFoundError
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.ids import uuid7
from photofeed.settings import Settings
from serving.feed.candidates import Candidates
from serving.feed.explanation import Explanation
from serving.feed.features import FeatureMatrix, FeatureReader
from serving.feed.filters import CandidateFilter
from serving.feed.query import FeedQuery, make_query
from serving.feed.reasons import reason
from serving.feed.rerankers import Ranking, Reranker, rerank
from serving.feed.rerankers.author_spacing import MOST_IN_A_ROW, space_authors
from serving.feed.scorers import Scores
from serving.feed.scorers.ladder import Ladder
from serving.feed.served_log import ServedLog
from serving.feed.slate import Cursor, CursorSigner, Slate, SlateItem, SlateItems, SlateStore
from serving.feed.sources import CandidateSource
from serving.posts import Posts

log = structlog.get_logger(__name__)

STAGE_SECONDS = Histogram(
    "photofeed_feed_stage_seconds",
    "Time of each stage of the feed path",
    ["stage"],
    buckets=(0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0),
)
SKIPPED = Counter("photofeed_feed_sources_skipped", "Sources that failed or were late", ["source"])
RANKED = Counter("photofeed_feed_slates", "Slates by the way they were ranked", ["ranking"])
DROPPED = Counter("photofeed_feed_candidates_dropped", "Candidates that filters left out", ["reason"])

SLATE_LENGTH = 150
SHORTEST_SLATE = 30
SOURCE_SECONDS = 0.5
EXPLORE_CANDIDATE_SHARE = 0.2


class Surface(Enum):
    """What a slate is for."""

    FEED = "feed"
    EXPLORE = "explore"  # nothing of the follow graph


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a slate, ready to send."""

    slate: Slate
    items: list[dict[str, Any]]
    next_cursor: str | None
    explanation: Explanation | None = None  # of the first page only: later pages decide nothing


@dataclass(slots=True)
class FeedPipeline:
    """Runs the stages above; holds nothing between requests but its parts."""

    settings: Settings
    database: AsyncDatabase
    sources: Sequence[CandidateSource]
    explore: CandidateSource
    filters: Sequence[CandidateFilter]
    seen: CandidateFilter
    features: FeatureReader
    ladder: Ladder
    rules: Sequence[Reranker]
    slates: SlateStore
    cursors: CursorSigner
    posts: Posts
    served_log: ServedLog

    async def first_page(self, user_id: int, limit: int, surface: Surface = Surface.FEED) -> Page:
        """Rank a new slate and return its first page.

        Raises:
            NotFoundError: there is no such person.
        """
        with _timed("query"):
            query = await self._query(user_id)
        explanation = Explanation()
        slate = await self._rank(query, surface, explanation)
        RANKED.labels(slate.ranking).inc()
        with _timed("slate"):
            await self.slates.keep(slate)
        return replace(await self._page(slate, 0, limit), explanation=explanation)

    async def next_page(self, user_id: int, cursor_text: str, limit: int) -> Page:
        """Go on in a slate.

        Raises:
            InvalidError: the cursor is forged, somebody else's, or too old.
        """
        cursor = self.cursors.read(cursor_text, user_id)
        return await self._page(await self.slates.load(cursor.slate_id), cursor.offset, limit)

    async def _query(self, user_id: int) -> FeedQuery:
        async with self.database.connection() as connection:
            query = await make_query(connection, user_id, datetime.now(UTC), self.settings.celebrity_followers)
        if query is None:
            raise NotFoundError("There is nobody with this id.", code="user_not_found")
        return query

    async def _rank(self, query: FeedQuery, surface: Surface, explanation: Explanation) -> Slate:
        with _timed("candidates"):
            candidates, skipped = await self._candidates(query, surface)
        with _timed("filters"):
            candidates = await self._filter(query, candidates, explanation)
        with _timed("features"):
            features = await self._features(query, candidates)
        with _timed("score"):
            scored = self.ladder.score(candidates, features)
        with _timed("rerank"):
            shortest = SHORTEST_SLATE if surface is Surface.FEED else SLATE_LENGTH
            items = self._rerank(query, candidates, features, scored.scores, shortest, explanation)
        explanation.candidates, explanation.features = candidates, features
        explanation.scores, explanation.items = scored.scores, items
        by_model = scored.model
        return Slate(
            id=uuid7(),
            user_id=query.user_id,
            ranking=scored.ranking,
            model_name=by_model.contract.model_name if by_model else None,
            model_version=by_model.version if by_model else None,
            engine=by_model.scorer.engine if by_model else None,
            items=items,
            ranked_at=query.now,
            skipped_sources=skipped,
        )

    async def _candidates(self, query: FeedQuery, surface: Surface) -> tuple[Candidates, tuple[str, ...]]:
        """About `settings.candidates` posts; a source that fails or is late is skipped, counted and named."""
        explore_limit = round(self.settings.candidates * EXPLORE_CANDIDATE_SHARE)
        graph_limit = self.settings.candidates - explore_limit
        plan = [(source, graph_limit) for source in self.sources] + [(self.explore, explore_limit)]
        found = await asyncio.gather(*(self._fetch(source, query, limit) for source, limit in plan))
        skipped = tuple(source.name for (source, _), part in zip(plan, found, strict=True) if part is None)
        merged = Candidates.merge([part for part in found if part is not None] or [Candidates.empty()])
        outside = _outside_graph(merged)
        return outside if surface is Surface.FEED else outside.take(outside.explore), skipped

    async def _fetch(self, source: CandidateSource, query: FeedQuery, limit: int) -> Candidates | None:
        try:
            async with asyncio.timeout(SOURCE_SECONDS):
                return await source.fetch(query, limit)
        except (RedisError, TimeoutError) as error:
            SKIPPED.labels(source.name).inc()
            log.warning("source skipped", source=source.name, error=repr(error))
            return None

    async def _filter(self, query: FeedQuery, candidates: Candidates, explanation: Explanation) -> Candidates:
        """Leave out what may not be shown, and what was seen lately unless the slate would be too short."""
        for one in self.filters:
            candidates = await self._keep(one, query, candidates, explanation)
        unseen = await self._keep(self.seen, query, candidates, explanation)
        if len(unseen) >= SHORTEST_SLATE:
            return unseen
        explanation.restore(self.seen.reason)
        return candidates

    async def _keep(
        self, one: CandidateFilter, query: FeedQuery, candidates: Candidates, explanation: Explanation
    ) -> Candidates:
        try:
            mask = await one.keep(query, candidates)
        except (RedisError, TimeoutError) as error:
            log.warning("filter skipped", filter=one.reason, error=repr(error))
            return candidates
        DROPPED.labels(one.reason).inc(int((~mask).sum()))
        explanation.drop(candidates, mask, one.reason)
        return candidates.take(mask)

    async def _features(self, query: FeedQuery, candidates: Candidates) -> FeatureMatrix | None:
        model = self.ladder.model
        reader = model.features if model else self.features
        if not len(candidates):
            return None
        try:
            return await reader.read(query, candidates)
        except (RedisError, TimeoutError) as error:
            log.warning("features unavailable", error=repr(error))
            return None

    def _rerank(
        self,
        query: FeedQuery,
        candidates: Candidates,
        features: FeatureMatrix | None,
        scores: Scores,
        shortest: int,
        explanation: Explanation,
    ) -> SlateItems:
        """Order candidates into a slate by the rules."""
        rows = np.argsort(-scores, kind="stable")
        ranking = Ranking(
            candidates=candidates,
            scores=scores,
            rows=rows,
            propensities=np.ones(len(rows)),
            repeats=rows[:0],
            exposures=np.zeros(len(rows), np.int64),
            seconds=query.seconds,
            shortest=shortest,
        )
        ranking, explanation.left_out = rerank(ranking, self.rules)
        return _items(ranking, features, scores)

    async def _page(self, slate: Slate, offset: int, limit: int) -> Page:
        """A page from `offset`; posts that may no longer be seen are gone, and no author gains a third in a row."""
        with _timed("page"):
            post_ids, authors = slate.items.post_ids[offset : offset + limit].tolist(), slate.items.author_ids.tolist()
            async with self.database.connection() as connection:
                posts = await self.posts.by_ids(connection, slate.user_id, post_ids)
            visible = [place for place, post_id in enumerate(post_ids, offset) if post_id in posts]
            before = authors[max(0, offset - MOST_IN_A_ROW) : offset]
            spaced = [visible[p] for p in space_authors([authors[p] for p in visible], before)]
            shown = list(enumerate(spaced, offset))
            items = [_item_json(position, slate.items[place], posts) for position, place in shown]
        self.served_log.add(slate, offset, shown)
        end = offset + limit
        more = end < len(slate.items)
        return Page(slate, items, self.cursors.sign(Cursor(slate.id, slate.user_id, end)) if more else None)


def _outside_graph(candidates: Candidates) -> Candidates:
    """Explore is for strangers: posts of authors whom the other sources bring are left out of it."""
    explore = candidates.explore
    followed = np.unique(candidates.author_ids[~explore])
    return candidates.take(~(explore & np.isin(candidates.author_ids, followed)))


def _items(ranking: Ranking, features: FeatureMatrix | None, scores: Scores) -> SlateItems:
    rows, candidates = ranking.rows, ranking.candidates
    return SlateItems(
        post_ids=candidates.post_ids[rows],
        author_ids=candidates.author_ids[rows],
        sources=candidates.sources[rows],
        scores=scores[rows],
        propensities=ranking.propensities,
        features=features.values[rows] if features else np.empty((len(rows), 0), np.float32),
    )


def _item_json(position: int, item: SlateItem, posts: dict[int, dict[str, Any]]) -> dict[str, Any]:
    post = posts[item.post_id]
    features = dict(zip(FEATURE_NAMES, item.features, strict=True)) if item.features else None
    return {
        "position": position,
        "source": item.source.label,
        "score": item.score,
        "reason": reason(
            item.source, features, post["author"]["handle"], post["topic"], followed=post["author"]["followedByMe"]
        ),
        "post": post,
    }


@contextmanager
def _timed(stage: str) -> Iterator[None]:
    started = time.perf_counter()
    try:
        yield
    finally:
        STAGE_SECONDS.labels(stage).observe(time.perf_counter() - started)
