"""The feed path, stage by stage.

query       who asks, whom they follow, whom they do not want to see
candidates  sources side by side, each with its own time-out; they begin while the query is still being answered
filters     own posts, hidden authors; then posts seen lately, and what the archive has where few are left
features    one round trip to the online store, then request-time features
score       the highest step of the ladder that holds: champion, previous champion, popularity, recency
rerank      the rules of `rerankers/`, one after the other: what is fresh gains, what repeats loses, nothing twice or
            twice alike, explore slots with known propensities, never three posts of one author in a row
slate       kept, so that pages stay stable
page        visibility checked again, posts read, spacing kept, the served log told
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Any

import numpy as np
import structlog
from prometheus_client import Counter, Histogram
from redis.exceptions import RedisError

from photofeed.errors import NotFoundError
from photofeed.experiments import Experiments
from photofeed.ids import uuid7
from photofeed.model_contract import CHAMPION
from photofeed.settings import Settings
from serving.feed.arrivals import Arrivals
from serving.feed.candidates import Candidates, Ids, Mask, among
from serving.feed.explanation import Explanation
from serving.feed.features import FeatureMatrix, FeatureReader
from serving.feed.filters import CandidateFilter
from serving.feed.history import History, HistoryReader
from serving.feed.paging import Progress, turn_page
from serving.feed.query import FeedQuery, FeedRequest, Viewer, read_viewer
from serving.feed.reasons import TELLING_COLUMNS, reason
from serving.feed.rerankers import Ranking, Reranker, best_first, rerank
from serving.feed.rerankers.diversity import shown_lately
from serving.feed.scorers import Scores
from serving.feed.scorers.ladder import Ladder
from serving.feed.served_log import ServedLog
from serving.feed.slate import Cursor, CursorSigner, Slate, SlateItems, SlateStore
from serving.feed.sources import CandidateSource
from serving.feed.sources.archive import Archive
from serving.posts import Posts
from serving.reads import ReadError, Reads

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
ARCHIVE_SECONDS = 2.0  # the last resort may take longer
EXPLORE_CANDIDATE_SHARE = 0.2
SEEN = "seen"  # why a candidate is left out


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
    withheld: frozenset[int] = frozenset()  # posts in their place that may not be seen any more
    etag: str | None = None  # of the first page: changes when there are new posts
    explanation: Explanation | None = None  # of the first page only: later pages decide nothing


@dataclass(frozen=True, slots=True)
class _Gathered:
    """What there is to rank for whom, and the names of sources that had to be skipped."""

    query: FeedQuery
    candidates: Candidates
    skipped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Candidates that may be shown; those seen lately are among them only where there are too few others."""

    candidates: Candidates
    seen: Mask
    exposures: Ids  # posts of its author that the viewer was shown lately


@dataclass(slots=True)
class FeedPipeline:
    """Runs the stages above; holds nothing between requests but its parts."""

    settings: Settings
    reads: Reads
    sources: Sequence[CandidateSource]
    explore: Sequence[CandidateSource]
    filters: Sequence[CandidateFilter]
    history: HistoryReader
    archive: Archive
    features: FeatureReader
    ladder: Ladder
    rules: Sequence[Reranker]
    slates: SlateStore
    cursors: CursorSigner
    posts: Posts
    served_log: ServedLog
    arrivals: Arrivals
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    experiments: Experiments = field(default_factory=Experiments)

    async def first_page(
        self, user_id: int, limit: int, surface: Surface = Surface.FEED, ranker: str | None = None
    ) -> Page:
        """Rank a new slate, by `ranker` or as the experiments have it for this person, and return its first page.

        Raises:
            NotFoundError: there is no such person.
        """
        explanation = Explanation()
        assignment = self.experiments.assignment(user_id) if ranker is None else None
        by = assignment.ranker if assignment else ranker or CHAMPION
        gathered = await self._gather(self._ask(user_id), surface)
        slate = await self._rank(gathered, surface, explanation, by)
        slate = replace(slate, assignment=assignment)
        RANKED.labels(slate.ranking).inc()
        # beside each other: the slate is packed while PostgreSQL looks up the page
        page, kept = await asyncio.gather(self._page(slate, Progress(), limit), self._keep_slate(slate, gathered))
        explanation.withheld = page.withheld
        page = replace(page, explanation=explanation)
        return replace(page, etag=f'W/"{slate.id}"') if kept else replace(page, next_cursor=None)

    async def new_posts(self, user_id: int, slate_id: str) -> int | None:
        """How many posts of whom one follows are new since one's slate; None if it is no longer kept.

        Raises:
            NotFoundError: there is no such person.
            redis.RedisError: it cannot be known.
        """
        return await self.arrivals.since(slate_id, self._ask(user_id))

    async def next_page(self, user_id: int, cursor_text: str, limit: int) -> Page:
        """Go on in a slate.

        Raises:
            InvalidError: the cursor is forged, somebody else's, or too old.
        """
        cursor = self.cursors.read(cursor_text, user_id)
        slate, _ = await asyncio.gather(self.slates.load(cursor.slate_id), self.arrivals.keep_on(cursor.slate_id))
        return await self._page(slate, cursor.progress, limit)

    def _ask(self, user_id: int) -> FeedRequest:
        """A request of now, about whose asker the database is being asked."""
        return FeedRequest(user_id, self.clock(), asyncio.ensure_future(self._viewer(user_id)))

    async def _viewer(self, user_id: int) -> Viewer:
        with _timed("query"):
            viewer = await read_viewer(self.reads, user_id)
        if viewer is None:
            raise NotFoundError("There is nobody with this id.", code="user_not_found")
        return viewer

    async def _history(self, request: FeedRequest) -> History:
        try:
            return await self.history.read(request.user_id, request.seconds)
        except (RedisError, TimeoutError) as error:
            log.warning("what was seen and hidden is not known", error=repr(error))
            return History()

    async def _gather(self, request: FeedRequest, surface: Surface) -> _Gathered:
        with _timed("candidates"):
            viewer, history, parts = await asyncio.gather(
                request.viewer, self._history(request), self._fetch_all(request)
            )
            query = FeedQuery(request.user_id, request.now, viewer, history)
            candidates = await self._candidates(query, parts, surface)
        return _Gathered(query, candidates, tuple(name for name, part in parts.items() if part is None))

    async def _rank(self, gathered: _Gathered, surface: Surface, explanation: Explanation, ranker: str) -> Slate:
        query, skipped = gathered.query, gathered.skipped
        with _timed("filters"):
            chosen = await self._filter(query, gathered.candidates, explanation)
            candidates = chosen.candidates
        with _timed("features"):
            features = await self._features(query, candidates)
        with _timed("score"):
            scored = self.ladder.score(candidates, features, ranker)
        with _timed("rerank"):
            shortest = SHORTEST_SLATE if surface is Surface.FEED else SLATE_LENGTH
            items = self._rerank(query, chosen, features, scored.scores, shortest, explanation)
        explanation.candidates, explanation.features, explanation.skipped = candidates, features, skipped
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

    @property
    def _explore_limit(self) -> int:
        return round(self.settings.candidates * EXPLORE_CANDIDATE_SHARE)

    @property
    def _graph_limit(self) -> int:
        return self.settings.candidates - self._explore_limit

    async def _fetch_all(self, request: FeedRequest) -> dict[str, Candidates | None]:
        """What each source found, by its name; None of one that failed or was late."""
        plan = [(source, self._graph_limit) for source in self.sources]
        plan += [(source, self._explore_limit) for source in self.explore]
        found = await asyncio.gather(
            *(self._attempt(source.name, source.fetch(request, limit)) for source, limit in plan)
        )
        return {source.name: part for (source, _), part in zip(plan, found, strict=True)}

    async def _candidates(
        self, query: FeedQuery, parts: Mapping[str, Candidates | None], surface: Surface
    ) -> Candidates:
        """About `settings.candidates` posts."""
        merged = Candidates.merge([part for part in parts.values() if part is not None] or [Candidates.empty()])
        if query.viewer.following and merged.explore.all():
            # timelines that were lost, or Redis is away; somebody who follows nobody but the silent pays a query
            followed = await self._attempt(
                self.archive.name, self.archive.followed(query, self._graph_limit), ARCHIVE_SECONDS
            )
            merged = Candidates.merge([merged, followed or Candidates.empty()])
        outside = newest_of_graph(_outside_graph(merged), self.settings.candidates)
        return outside if surface is Surface.FEED else outside.take(outside.explore)

    async def _attempt(
        self, name: str, fetching: Awaitable[Candidates], seconds: float = SOURCE_SECONDS
    ) -> Candidates | None:
        try:
            async with asyncio.timeout(seconds):
                return await fetching
        except (RedisError, ReadError, TimeoutError) as error:
            log.warning("source skipped", source=name, error=repr(error))
        except NotFoundError:
            raise  # of the viewer
        except Exception as error:  # noqa: BLE001  whatever is wrong with a source, there is a feed without it
            log.error("source skipped: it is broken", source=name, error=repr(error))
        SKIPPED.labels(name).inc()
        return None

    async def _keep_slate(self, slate: Slate, gathered: _Gathered) -> bool:
        with _timed("slate"):
            try:
                await asyncio.gather(
                    self.slates.keep(slate), self.arrivals.note(slate.id, gathered.query, gathered.candidates)
                )
            except (RedisError, TimeoutError) as error:
                log.warning("slate not kept: it has one page", error=repr(error))
                return False
            return True

    async def _filter(self, query: FeedQuery, candidates: Candidates, explanation: Explanation) -> _Chosen:
        """Leave out what may not be shown, and what was seen lately.

        Where that leaves too few, the archive is asked for older popular posts; if not even they make a slate, the
        viewer has seen the world, and what was seen comes back.
        """
        candidates = self._apply_filters(query, candidates, explanation)
        seen = query.history.seen
        is_seen = among(candidates.post_ids, seen)
        if len(candidates) - np.count_nonzero(is_seen) < SHORTEST_SLATE:
            without = np.union1d(candidates.post_ids, seen).tolist()
            popular = self.archive.popular(query, without, 2 * SHORTEST_SLATE)
            older = await self._attempt(self.archive.name, popular, ARCHIVE_SECONDS)
            older = self._apply_filters(query, older or Candidates.empty(), explanation)
            candidates = Candidates.merge([candidates, older])
            is_seen = among(candidates.post_ids, seen)
        exposures = shown_lately(candidates.author_ids, is_seen)
        if len(candidates) - np.count_nonzero(is_seen) < SHORTEST_SLATE:
            return _Chosen(candidates, is_seen, exposures)
        unseen = _drop(candidates, ~is_seen, SEEN, explanation)
        return _Chosen(unseen, np.zeros(len(unseen), np.bool_), exposures[~is_seen])

    def _apply_filters(self, query: FeedQuery, candidates: Candidates, explanation: Explanation) -> Candidates:
        for one in self.filters:
            candidates = _drop(candidates, one.keep(query, candidates), one.reason, explanation)
        return candidates

    async def _features(self, query: FeedQuery, candidates: Candidates) -> FeatureMatrix | None:
        model = self.ladder.model
        reader = model.features if model else self.features
        if not len(candidates):
            return None
        try:
            return await reader.read(query, candidates)
        except (RedisError, TimeoutError) as error:
            log.warning("features unavailable", error=repr(error))
        except Exception as error:  # noqa: BLE001  whatever stands in the store, there are rankings that need nothing of it
            log.error("features cannot be read", error=repr(error))
        return None

    def _rerank(
        self,
        query: FeedQuery,
        chosen: _Chosen,
        features: FeatureMatrix | None,
        scores: Scores,
        shortest: int,
        explanation: Explanation,
    ) -> SlateItems:
        """Order candidates into a slate by the rules."""
        by_score = best_first(scores)
        is_seen = chosen.seen[by_score]
        ranking = Ranking(
            candidates=chosen.candidates,
            scores=scores,
            propensities=np.ones(len(scores)),
            rows=by_score[~is_seen],
            repeats=by_score[is_seen],
            exposures=chosen.exposures,
            seconds=query.seconds,
            shortest=shortest,
        )
        ranking, explanation.steps = rerank(ranking, self.rules)
        explanation.repeats = int(np.count_nonzero(chosen.seen[ranking.rows]))
        return _items(ranking, features, scores)

    async def _page(self, slate: Slate, progress: Progress, limit: int) -> Page:
        """The next page; posts that may no longer be seen are gone, and no author gains a third in a row.

        It is empty only at the end of the slate: where all posts of a page are gone, it is the page after that.
        """
        with _timed("page"):
            authors, withheld = slate.items.author_ids.tolist(), frozenset[int]()
            while True:
                window = progress.window(limit, len(authors))
                post_ids = slate.items.post_ids[window].tolist()
                posts = await self.posts.by_ids(slate.user_id, post_ids)
                withheld |= set(post_ids) - posts.keys()
                visible = {place for place, post_id in zip(window, post_ids, strict=True) if post_id in posts}
                order, after = turn_page(authors, visible, progress, limit)
                over = after.is_over(authors)
                if order or over:
                    break
                progress = after
            shown = list(enumerate(order, progress.shown))
            items = _items_json(progress.shown, slate.items.take(order), posts)
        self.served_log.add(slate, progress.offset, shown)
        return Page(slate, items, None if over else self.cursors.sign(Cursor(slate.id, slate.user_id, after)), withheld)


def _drop(candidates: Candidates, mask: Mask, reason: str, explanation: Explanation) -> Candidates:
    """The candidates where the mask is true; the others are counted and noted."""
    if mask.all():
        return candidates
    DROPPED.labels(reason).inc(len(mask) - int(np.count_nonzero(mask)))
    explanation.drop(candidates, mask, reason)
    return candidates.take(mask)


def _outside_graph(candidates: Candidates) -> Candidates:
    """Explore is for strangers: posts of authors whom the other sources bring are left out of it."""
    stays = ~candidates.explore
    explore = np.flatnonzero(~stays)
    stays[explore] = ~among(candidates.author_ids[explore], candidates.author_ids[stays])
    return candidates.take(stays)


def newest_of_graph(candidates: Candidates, limit: int) -> Candidates:
    """At most `limit` candidates: explore stays whole, and of the follow graph the newest, whatever source they are of.

    Each source may fill the limit alone; together they would bring what nobody can be shown, and everybody waits for.
    """
    graph = np.flatnonzero(~candidates.explore)
    room = max(limit - (len(candidates) - len(graph)), 0)
    if len(graph) <= room:
        return candidates
    stays = candidates.explore
    stays[graph[np.argsort(-candidates.post_ids[graph], kind="stable")[:room]]] = True
    return candidates.take(stays)


def _items(ranking: Ranking, features: FeatureMatrix | None, scores: Scores) -> SlateItems:
    rows, candidates = ranking.rows, ranking.candidates
    return SlateItems(
        post_ids=candidates.post_ids[rows],
        author_ids=candidates.author_ids[rows],
        sources=candidates.sources[rows],
        scores=scores[rows],
        propensities=ranking.propensities[rows],
        features=features.values[rows] if features else np.empty((len(rows), 0), np.float32),
    )


def _items_json(first: int, items: SlateItems, posts: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    """The posts of a page as clients see them, `first` being the position of the first."""
    known = items.features[:, TELLING_COLUMNS].tolist() if items.features.size else [None] * len(items)
    columns = zip(items.post_ids.tolist(), items.each_source, items.scores.tolist(), known, strict=True)
    page = []
    for position, (post_id, source, score, values) in enumerate(columns, first):
        post = posts[post_id]
        author = post["author"]
        why = reason(source, values, author["handle"], post["topic"], followed=author["followedByMe"])
        page.append({"position": position, "source": source.label, "score": score, "reason": why, "post": post})
    return page


@contextmanager
def _timed(stage: str) -> Iterator[None]:
    started = time.perf_counter()
    try:
        yield
    finally:
        _stage(stage).observe(time.perf_counter() - started)


@cache
def _stage(name: str) -> Histogram:
    """The histogram of one stage, which prometheus_client looks up under a lock."""
    return STAGE_SECONDS.labels(name)
