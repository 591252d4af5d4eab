"""The feed path, stage by stage.

query       the viewer: followed celebrities, muted and blocked people
candidates  sources run concurrently, each with its own time-out; they start while the viewer look-up is running
filters     own posts, hidden authors, hidden posts, recently seen posts; older posts from PostgreSQL if few are left
features    one round trip to the online store, then request-time features
score       the first ranker of the fallback chain that can: champion, previous champion, popularity, recency
rerank      the rules of `rerankers/` in order: less of what the viewer hid, fresh posts gain, repetition loses, no near
            duplicates, explore slots with known propensities, at most two posts of one author in a row
slate       stored, so that its pages stay stable
page        visibility checked again, posts read, author spacing kept, the page added to the served log

When the pages have used up a slate, the next request ranks another one, of posts that no slate has used (chain.py).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Container, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
import structlog
from prometheus_client import Counter
from redis.exceptions import RedisError

from photofeed.errors import InvalidError, NotFoundError
from photofeed.experiments import Experiments
from photofeed.models.registry import CHAMPION
from photofeed.settings import Settings
from serving.feed.arrivals import Arrivals
from serving.feed.candidates import Candidates, Ids, among, no_ids
from serving.feed.chain import MOST_SHOWN, ShownPosts, has_next, next_slate_id
from serving.feed.explanation import Explanation
from serving.feed.filters import CandidateFilter, apply_filters, drop
from serving.feed.history import History, HistoryReader
from serving.feed.page_items import items_json
from serving.feed.paging import Progress, turn_page
from serving.feed.query import FeedQuery, FeedRequest, find_viewer
from serving.feed.rerankers.author_spacing import have_one_author
from serving.feed.rerankers.diversity import seen_by_author
from serving.feed.served_log import ServedLog
from serving.feed.slate import Cursor, CursorSigner, Slate, SlateStore, Surface
from serving.feed.slate_ranker import Shortlist, SlateRanker
from serving.feed.source_table import FIRST_EXPLORE
from serving.feed.sources import CandidateSource
from serving.feed.sources.postgres import PostgresSource
from serving.feed.stage_times import timed
from serving.feed.version import PageVersion
from serving.posts import Posts, VisiblePost
from serving.reads import ReadError, Reads
from serving.receipts import ReceiptSealer

log = structlog.get_logger(__name__)

SKIPPED = Counter("photofeed_feed_sources_skipped", "Sources that failed or timed out", ["source"])

SLATE_LENGTH = 150
SHORTEST_SLATE = 30
SOURCE_SECONDS = 0.5
POSTGRES_SECONDS = 2.0  # the fallback may take longer
EXPLORE_CANDIDATE_SHARE = 0.2
SEEN = "seen"  # the reason for removing a candidate


@dataclass(slots=True)
class Page:
    """One page of a slate, ready to send; `first_page` adds what only first pages have."""

    slate: Slate
    items: bytes  # their JSON, an array
    post_ids: list[int]  # of the items, in order
    explored: int  # number of explore posts among them
    next_cursor: str | None
    withheld: frozenset[int] = frozenset()  # posts of the slate that the viewer may no longer see
    etag: str | None = None  # of the first page: changes when there are new posts
    explanation: Explanation | None = None  # of the first page only


@dataclass(frozen=True, slots=True)
class Explained:
    """The slates of some rankers with their explanations, and what the sources found before it was cut to size."""

    ranked: Sequence[tuple[Slate, Explanation]]
    found: Candidates


@dataclass(frozen=True, slots=True)
class _CandidateSet:
    """The candidates for a query, those that earlier slates have used, and the names of the skipped sources.

    `merged` is all that the sources found, of which `candidates` are those that are ranked.
    """

    query: FeedQuery
    merged: Candidates
    candidates: Candidates
    shown: Candidates
    skipped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Turn:
    """The choice of one page of a slate: `order` are indices of its items, `posts` are by id."""

    before: Progress
    after: Progress
    order: list[int]
    posts: dict[int, VisiblePost]
    withheld: frozenset[int]
    over: bool


@dataclass(slots=True)
class FeedPipeline:
    """Runs the stages above. It holds its components, and no state between requests."""

    settings: Settings
    reads: Reads
    sources: Sequence[CandidateSource]
    explore: Sequence[CandidateSource]
    filters: Sequence[CandidateFilter]
    history: HistoryReader
    postgres: PostgresSource
    ranker: SlateRanker
    slates: SlateStore
    shown_posts: ShownPosts
    cursors: CursorSigner
    receipts: ReceiptSealer
    posts: Posts
    served_log: ServedLog
    arrivals: Arrivals
    source_seconds: float = SOURCE_SECONDS  # time-out of each source
    postgres_seconds: float = POSTGRES_SECONDS  # time-out of the PostgreSQL fallback
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    experiments: Experiments = field(default_factory=Experiments)

    def __post_init__(self) -> None:
        for name in (*(source.name for source in (*self.sources, *self.explore)), self.postgres.name):
            SKIPPED.labels(name)  # from zero on, for alerts

    async def first_page(
        self, user_id: int, limit: int, surface: Surface = Surface.FEED, ranker: str | None = None
    ) -> Page:
        """Rank a new slate, by `ranker` or by the viewer's experiment arm, and return its first page.

        Raises:
            NotFoundError: there is no such user.
        """
        explanation = Explanation()
        assignment = self.experiments.assignment(user_id) if ranker is None else None
        chosen_ranker = assignment.ranker if assignment else ranker or CHAMPION
        found = await self._find_candidates(self._request(user_id), surface, no_ids())
        slate = await self._rank(found, surface, explanation, chosen_ranker)
        if assignment is not None:
            slate = replace(slate, assignment=assignment)
        # concurrently: the slate is encoded while PostgreSQL reads the page
        page, kept = await asyncio.gather(self._page(slate, Progress(), limit), self._keep_slate(slate, found))
        explanation.withheld = page.withheld
        page.explanation = explanation
        if kept:
            page.etag = PageVersion.of(slate.id, limit, page.post_ids, found.query.viewer.relations).etag
        else:
            page.next_cursor = None
        return page

    async def candidates(self, user_id: int) -> Candidates:
        """The candidates of the viewer's next slate, before ranking.

        Raises:
            NotFoundError: there is no such user.
        """
        found = await self._find_candidates(self._request(user_id), Surface.FEED, no_ids())
        return (await self._filter(found.query, found, Explanation())).candidates

    async def explain(self, user_id: int, rankers: Sequence[str]) -> Explained:
        """How each ranker would rank the viewer's next slate. Nothing is stored or logged: nobody sees these slates.

        The rankers get the same candidates.

        Raises:
            NotFoundError: there is no such user.
        """
        found = await self._find_candidates(self._request(user_id), Surface.FEED, no_ids())
        ranked = []
        for ranker in rankers:
            explanation = Explanation()
            slate = await self._rank(found, Surface.FEED, explanation, ranker)
            post_ids = slate.items.post_ids.tolist()
            explanation.withheld = frozenset(post_ids) - (await self.posts.for_feed(user_id, post_ids)).keys()
            ranked.append((slate, explanation))
        return Explained(ranked, found.merged)

    async def new_posts(self, user_id: int, slate_id: str) -> int | None:
        """The number of posts of followed accounts that are new since the viewer's slate; None if the slate expired.

        Raises:
            NotFoundError: there is no such user.
            redis.RedisError: Redis did not answer.
        """
        return await self.arrivals.since(slate_id, self._request(user_id))

    async def is_current(self, user_id: int, version: PageVersion) -> bool:
        """Whether a feed that the viewer has loaded is still right.

        It is while its slate is stored, there are no new posts, its posts may all still be shown, and the viewer
        follows, mutes and blocks the same people: a shown post may be deleted or hidden by the viewer.

        Raises:
            NotFoundError: there is no such user.
            redis.RedisError: Redis did not answer.
        """
        try:
            slate = await self.slates.load(version.slate_id)
        except InvalidError:  # expired
            return False
        if slate.user_id != user_id:
            return False
        request = self._request(user_id)
        viewer, new, turn = await asyncio.gather(
            request.viewer,
            self.arrivals.since(slate.id, request),
            self._turn(slate, Progress(), version.limit),
        )
        shown = slate.items.take(turn.order)
        same = PageVersion.of(slate.id, version.limit, shown.post_ids.tolist(), viewer.relations) == version
        return new == 0 and same

    async def next_page(self, user_id: int, cursor_text: str, limit: int) -> Page:
        """The next page of a slate or, if its pages have used it up, the first page of the slate that follows.

        Raises:
            InvalidError: the cursor is forged, expired, or belongs to another viewer.
            redis.RedisError: Redis did not answer.
        """
        cursor = self.cursors.read(cursor_text, user_id)
        slate, _ = await asyncio.gather(self.slates.load(cursor.slate_id), self.arrivals.extend(cursor.slate_id))
        if slate.feed_id is not None:
            await asyncio.gather(self.shown_posts.extend(slate), self.arrivals.extend(slate.feed_id))
        return await self._page_of_chain(slate, cursor.progress, limit)

    async def _page_of_chain(self, slate: Slate, progress: Progress, limit: int) -> Page:
        """The page after `progress`. It is empty only at the end of the feed."""
        while True:
            if progress.is_over(slate.items.author_ids.tolist()):
                slate, progress = await self._next_slate(slate, progress), progress.on_next_slate
            with timed("page"):
                turn = await self._turn(slate, progress, limit)
                if turn.order or not has_next(slate):
                    return self._show(slate, turn)
            progress = turn.after

    async def _next_slate(self, slate: Slate, progress: Progress) -> Slate:
        """The slate that follows: stored by an earlier request with the same cursor, or ranked now and stored."""
        next_id = next_slate_id(slate, progress)
        with contextlib.suppress(InvalidError):  # not stored
            return await self.slates.load(next_id)
        shown = await self.shown_posts.after(slate, progress)
        found = await self._find_candidates(self._request(slate.user_id), slate.surface, shown)
        ranked = await self._rank(found, slate.surface, Explanation(), slate.ranker)
        following = replace(
            ranked,
            id=next_id,
            items=ranked.items.take(range(min(len(ranked.items), MOST_SHOWN - len(shown)))),
            assignment=slate.assignment,
            feed_id=slate.feed_id or slate.id,
            earlier=len(shown),
        )
        everything = Candidates.together([found.candidates, found.shown])
        is_first, *_ = await asyncio.gather(
            self.slates.keep(following),
            self.shown_posts.keep(following, shown),
            self.arrivals.note(next_id, found.query, everything),
        )
        return following if is_first else await self.slates.load(next_id)

    def _request(self, user_id: int) -> FeedRequest:
        """A request at the current time; its viewer look-up starts now."""
        return FeedRequest(user_id, self.clock(), asyncio.ensure_future(find_viewer(self.reads, user_id)))

    async def _history(self, request: FeedRequest) -> History:
        return await self.history.read_if_available(request.user_id, request.seconds)

    async def _find_candidates(self, request: FeedRequest, surface: Surface, shown: Ids) -> _CandidateSet:
        with timed("candidates"):
            fetching = asyncio.gather(*self._fetches(request, len(shown)))
            viewer, history, parts = await asyncio.gather(request.viewer, self._history(request), fetching)
            query = FeedQuery(request.user_id, request.now, viewer, history, shown)
            merged = Candidates.merge([part for part in parts if part is not None] or [Candidates.empty()])
            before = Candidates.empty()
            if len(shown):
                is_shown = among(merged.post_ids, shown)
                merged, before = merged.take(~is_shown), merged.take(is_shown)
            candidates = await self._complete(query, merged, surface)
        names = [source.name for source in (*self.sources, *self.explore)]
        skipped = tuple(name for name, part in zip(names, parts, strict=True) if part is None)
        return _CandidateSet(query, merged, candidates, before, skipped)

    async def _rank(self, found: _CandidateSet, surface: Surface, explanation: Explanation, ranker: str) -> Slate:
        with timed("filters"):
            shortlist = await self._filter(found.query, found, explanation)
        shortest = SHORTEST_SLATE if surface is Surface.FEED else SLATE_LENGTH
        slate = await self.ranker.rank(found.query, shortlist, ranker, shortest, explanation)
        explanation.skipped = found.skipped
        ranked = len(slate.items)
        return replace(
            slate,
            skipped_sources=found.skipped,
            surface=surface,
            # of so few candidates, the filters have asked PostgreSQL for more
            complete=ranked == len(shortlist.candidates) < SHORTEST_SLATE and not found.skipped,
        )

    @property
    def _explore_limit(self) -> int:
        return round(self.settings.candidates * EXPLORE_CANDIDATE_SHARE)

    @property
    def _graph_limit(self) -> int:
        return self.settings.candidates - self._explore_limit

    def _fetches(self, request: FeedRequest, shown: int) -> list[Awaitable[Candidates | None]]:
        """The fetches of the candidates of `sources`, then of `explore`; None for one that failed or timed out.

        Sources return the same posts for each slate of a feed: they are asked for as many more as have been `shown`.
        """
        plan = [(source, self._graph_limit + shown) for source in self.sources]
        plan += [(source, self._explore_limit + shown) for source in self.explore]
        return [self._attempt(source.name, source.fetch(request, limit), self.source_seconds) for source, limit in plan]

    async def _complete(self, query: FeedQuery, merged: Candidates, surface: Surface) -> Candidates:
        """About `settings.candidates` of the merged candidates of all sources, with posts from PostgreSQL if needed."""
        in_graph = len(merged) - np.count_nonzero(merged.explore)
        if query.viewer.following and in_graph < (SHORTEST_SLATE if len(query.shown) else 1):
            # No candidate came from the follow graph: the timeline was lost, Redis is down, or no followed account
            # has posted. For a later slate: the timeline is used up. Read PostgreSQL (one query).
            followed = await self._attempt(
                self.postgres.name, self.postgres.followed(query, self._graph_limit), self.postgres_seconds
            )
            merged = Candidates.merge([merged, followed or Candidates.empty()])
        ranked = merged.ranked(self.settings.candidates)
        return ranked if surface is Surface.FEED else ranked.take(ranked.explore)

    async def _attempt(self, name: str, fetching: Awaitable[Candidates], seconds: float) -> Candidates | None:
        try:
            async with asyncio.timeout(seconds):
                return await fetching
        except (RedisError, ReadError, TimeoutError) as error:
            log.warning("source skipped", source=name, error=repr(error))
        except NotFoundError:
            raise  # the viewer does not exist
        except Exception as error:  # noqa: BLE001  whatever is wrong with a source, the feed works without it
            log.error("source skipped: it is broken", source=name, error=repr(error))
        SKIPPED.labels(name).inc()
        return None

    async def _keep_slate(self, slate: Slate, found: _CandidateSet) -> bool:
        with timed("slate"):
            try:
                await asyncio.gather(
                    self.slates.keep(slate), self.arrivals.note(slate.id, found.query, found.candidates)
                )
            except (RedisError, TimeoutError) as error:
                log.warning("slate not stored: it has one page only", error=repr(error))
                return False
            return True

    async def _filter(self, query: FeedQuery, found: _CandidateSet, explanation: Explanation) -> Shortlist:
        """Remove posts that must not be shown, and recently seen posts.

        If too few are left, or those of one author only, older popular posts are read from PostgreSQL. If there are
        still too few, the viewer has seen nearly all posts, and recently seen ones stay.
        """
        candidates = apply_filters(self.filters, query, found.candidates, explanation)
        seen = query.history.seen
        is_seen = among(candidates.post_ids, seen)
        if len(candidates) - np.count_nonzero(is_seen) < SHORTEST_SLATE or have_one_author(candidates):
            without = np.concatenate([candidates.post_ids, seen, query.shown]).tolist()
            popular = self.postgres.popular(query, without, 2 * SHORTEST_SLATE)
            older = await self._attempt(self.postgres.name, popular, self.postgres_seconds)
            older = apply_filters(self.filters, query, older or Candidates.empty(), explanation)
            candidates = Candidates.merge([candidates, older])
            is_seen = among(candidates.post_ids, seen)
        authors_of_seen = np.concatenate([candidates.author_ids[is_seen], found.shown.author_ids])
        exposures = seen_by_author(candidates.author_ids, authors_of_seen)
        if len(candidates) - np.count_nonzero(is_seen) < SHORTEST_SLATE:
            return Shortlist(candidates, is_seen, exposures)
        unseen = drop(candidates, ~is_seen, SEEN, explanation)
        return Shortlist(unseen, np.zeros(len(unseen), np.bool_), exposures[~is_seen])

    async def _page(self, slate: Slate, progress: Progress, limit: int) -> Page:
        """The next page of a slate, added to the served log."""
        with timed("page"):
            return self._show(slate, await self._turn(slate, progress, limit))

    def _show(self, slate: Slate, turn: _Turn) -> Page:
        """A chosen page, added to the served log."""
        shown = list(enumerate(turn.order, turn.before.shown))
        chosen = slate.items.take(turn.order)
        post_ids = chosen.post_ids.tolist()
        receipts = self.receipts.seal_page(slate.user_id, slate.id, turn.before.shown, post_ids)
        items = items_json(turn.before.shown, chosen, turn.posts, receipts)
        self.served_log.add(slate, turn.before.offset, shown)
        is_last = turn.over and not has_next(slate)
        cursor = None if is_last else self.cursors.sign(Cursor(slate.id, slate.user_id, turn.after))
        explored = int(np.count_nonzero(chosen.sources >= FIRST_EXPLORE))
        return Page(slate, items, post_ids, explored, cursor, turn.withheld)

    async def _turn(self, slate: Slate, progress: Progress, limit: int) -> _Turn:
        """Choose the next page, without posts that the viewer may no longer see, and at most two of an author in a row.

        A page is empty only at the end of the slate: if no post of a page may be shown, the next one is read.
        """
        authors, withheld = slate.items.author_ids.tolist(), frozenset[int]()
        while True:
            window = progress.window(limit, len(authors))
            post_ids = slate.items.post_ids[window].tolist()
            posts = await self.posts.for_feed(slate.user_id, post_ids)
            visible: Container[int] = range(len(authors))
            if len(posts) < len(post_ids):
                withheld |= set(post_ids) - posts.keys()
                visible = {index for index, post_id in zip(window, post_ids, strict=True) if post_id in posts}
            order, after = turn_page(authors, visible, progress, limit, spaced=not slate.one_author)
            over = after.is_over(authors)
            if order or over:
                return _Turn(progress, after, order, posts, withheld, over)
            progress = after
