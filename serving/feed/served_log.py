"""The served log: the pages that were shown, with the features the model saw, published after the reply."""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime

import anyio
import anyio.to_thread
import structlog
from prometheus_client import Counter

from photofeed.errors import RetryableError
from photofeed.event_log import EventPublisher
from photofeed.served_page import ServedItem, ServedPage
from photofeed.topics import FEED_SERVED
from serving.feed.shadow import ShadowScorer
from serving.feed.slate import Slate

log = structlog.get_logger(__name__)

SERVED = Counter("photofeed_served_log_pages", "Feed pages by the outcome of logging them", ["outcome"])
MAX_PAGES = 10_000  # in the buffer
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 5.0
_GATHER_SECONDS = 0.5  # sending costs much more than a message: pages of half a second are sent together
_TURNS, _TURN_PAGES = 50, 8


@dataclass(frozen=True, slots=True)
class _PendingPage:
    """A page in the buffer; `shown` as for `ServedLog.add`."""

    slate: Slate
    offset: int
    shown: list[tuple[int, int]]
    served_at: datetime


class ServedLog:
    """Buffers pages without waiting, and publishes them in the background.

    Pages wait as long as the event log is away. The buffer is bounded: further pages are dropped and counted.
    """

    def __init__(self, publisher: EventPublisher, shadow: ShadowScorer | None = None) -> None:
        self._publisher = publisher
        self._shadow = shadow
        self._pages: asyncio.Queue[_PendingPage] = asyncio.Queue(MAX_PAGES)
        self._task: asyncio.Task[None] | None = None
        self._thread = anyio.CapacityLimiter(1)  # a log that does not answer must not take the threads of requests
        self._unsettled = 0  # pages neither published nor dropped
        for outcome in ("published", "dropped"):
            SERVED.labels(outcome)  # from zero on, for alerts

    def start(self) -> None:
        """Start publishing. Call it inside the event loop."""
        self._task = asyncio.create_task(self._publish())

    async def flushed(self) -> None:
        """Wait until every buffered page was published or dropped."""
        await self._pages.join()

    async def stop(self, seconds: float = 10) -> None:
        """Publish the buffered pages for at most `seconds`, then stop and drop the rest."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.flushed(), timeout=seconds)
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._unsettled:
            _drop(self._unsettled, "the server stopped")

    def add(self, slate: Slate, offset: int, shown: list[tuple[int, int]]) -> None:
        """Add one page to the buffer; `shown` has (position, index in the slate) of its posts."""
        try:
            self._pages.put_nowait(_PendingPage(slate, offset, shown, datetime.now(UTC)))
        except asyncio.QueueFull:
            SERVED.labels("dropped").inc()
        else:
            self._unsettled += 1

    async def _publish(self) -> None:
        while True:
            records = await self._gather()
            try:
                await self._send(records)
            except Exception as error:  # noqa: BLE001  pages that cannot be sent must not stop the log
                _drop(len(records), repr(error))
            self._settle(len(records))

    async def _gather(self) -> list[tuple[str, bytes]]:
        """The pages of half a second as messages: keys and values.

        Messages are encoded a few at a time: all at once they would delay feeds by ten milliseconds, even in a thread.
        """
        records: list[tuple[str, bytes]] = []
        pages = [await self._pages.get()]
        for _ in range(_TURNS):
            await asyncio.sleep(_GATHER_SECONDS / _TURNS)
            while len(pages) < _TURN_PAGES and not self._pages.empty():
                pages.append(self._pages.get_nowait())
            for page in pages:
                records += self._encoded(page)
            pages = []
        return records

    def _encoded(self, page: _PendingPage) -> list[tuple[str, bytes]]:
        """The message of one page; empty if it cannot be encoded."""
        try:
            served = _served_page(page)
            if self._shadow is not None:
                served = _with_shadow(self._shadow, served)
            envelope = served.to_envelope()
            return [(envelope.key, envelope.encode())]
        except Exception as error:  # noqa: BLE001  one page must not take the others with it
            _drop(1, repr(error))
            self._settle(1)
            return []

    async def _send(self, records: list[tuple[str, bytes]]) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                await anyio.to_thread.run_sync(
                    self._publisher.publish_encoded, FEED_SERVED.name, records, limiter=self._thread
                )
            except RetryableError as error:
                log.warning("served log is waiting for the event log", pages=len(records), error=str(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            else:
                SERVED.labels("published").inc(len(records))
                return

    def _settle(self, pages: int) -> None:
        self._unsettled -= pages
        for _ in range(pages):
            self._pages.task_done()


def _drop(pages: int, reason: str) -> None:
    SERVED.labels("dropped").inc(pages)
    log.error("served log pages dropped", pages=pages, reason=reason)


def _with_shadow(shadow: ShadowScorer, page: ServedPage) -> ServedPage:
    try:
        return shadow.scored(page)
    except Exception as error:  # noqa: BLE001  whatever is wrong with a challenger, the page is logged
        log.error("shadow scoring failed", error=repr(error))
        return page


def _served_page(page: _PendingPage) -> ServedPage:
    slate = page.slate
    shown = slate.items.take([index for _, index in page.shown])
    sources = shown.each_source
    columns = (
        shown.post_ids.tolist(),
        shown.author_ids.tolist(),
        [position for position, _ in page.shown],
        shown.scores.tolist(),
        [source.label for source in sources],
        [source.pool for source in sources],
        shown.propensities.tolist(),
    )
    return ServedPage(
        slate_id=slate.id,
        user_id=slate.user_id,
        offset=page.offset,
        ranking=slate.ranking,
        model_version=slate.model_version,
        experiment=slate.assignment.experiment if slate.assignment else None,
        arm=slate.assignment.arm if slate.assignment else None,
        served_at=page.served_at,
        ranked_at=slate.ranked_at,
        items=tuple(map(ServedItem._make, zip(*columns, strict=True))),
        feature_names=slate.feature_names if shown.features.size else None,
        features=shown.features,
    )
