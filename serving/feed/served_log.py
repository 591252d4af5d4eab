"""The served log: what was shown, with what the model saw, sent to the event log after the reply."""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime

import anyio.to_thread
import structlog
from prometheus_client import Counter

from photofeed.errors import RetryableError
from photofeed.event_log import EventPublisher
from photofeed.events import Envelope
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.topics import FEED_SERVED
from serving.feed.shadow import ShadowScorer
from serving.feed.slate import Slate

log = structlog.get_logger(__name__)

SERVED = Counter("photofeed_served_log_pages", "Pages of feeds by what became of their log", ["outcome"])
MOST_PAGES = 10_000  # that wait
_ATTEMPTS = 5
_GATHER_SECONDS = 0.5  # a message costs little, sending one much: pages of a moment travel together
_TURNS, _TURN_PAGES = 50, 8


_ITEM = ("postId", "creatorId", "position", "score", "source", "pool", "propensity", "features")


@dataclass(frozen=True, slots=True)
class _Page:
    """What a message is made of, once the reply is on its way."""

    slate: Slate
    offset: int
    shown: list[tuple[int, int]]
    served_at: datetime


class ServedLog:
    """Takes pages without waiting, and publishes them in the background.

    The buffer is bounded: when the event log is away for long, further pages are dropped and counted, never silently.
    """

    def __init__(self, publisher: EventPublisher, shadow: ShadowScorer | None = None) -> None:
        self._publisher = publisher
        self._shadow = shadow
        self._pages: asyncio.Queue[_Page] = asyncio.Queue(MOST_PAGES)
        self._task: asyncio.Task[None] | None = None
        self._unsettled = 0  # pages neither published nor given up

    def start(self) -> None:
        """Begin to publish; call inside the event loop."""
        self._task = asyncio.create_task(self._publish())

    async def flushed(self) -> None:
        """Wait until all that is buffered was published or given up."""
        await self._pages.join()

    async def stop(self, seconds: float = 10) -> None:
        """Publish what is buffered, as far as that goes in so many seconds, then end."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.flushed(), timeout=seconds)
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._unsettled:
            _drop(self._unsettled, "the server ends")

    def add(self, slate: Slate, offset: int, shown: list[tuple[int, int]]) -> None:
        """Note one page: `shown` are (position, place in the slate) of its posts."""
        try:
            self._pages.put_nowait(_Page(slate, offset, shown, datetime.now(UTC)))
        except asyncio.QueueFull:
            SERVED.labels("dropped").inc()
        else:
            self._unsettled += 1

    async def _publish(self) -> None:
        while True:
            records = await self._gather()
            try:
                await self._send(records)
            except Exception as error:  # noqa: BLE001  pages that cannot be written must not end the log
                _drop(len(records), repr(error))
            self._settle(len(records))

    async def _gather(self) -> list[tuple[str, bytes]]:
        """The pages of a moment as messages, keys and values.

        They are made a few at a time, a little after their replies: all at once they would hold up feeds for ten
        milliseconds, in a thread of their own too.
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

    def _encoded(self, page: _Page) -> list[tuple[str, bytes]]:
        """The message of one page; none if it cannot be made."""
        try:
            envelope = _envelope(page)
            if self._shadow is not None:
                _score_in_shadow(self._shadow, envelope)
            return [(envelope.key, envelope.encode())]
        except Exception as error:  # noqa: BLE001  one page must not take others with it
            _drop(1, repr(error))
            self._settle(1)
            return []

    async def _send(self, records: list[tuple[str, bytes]]) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                await anyio.to_thread.run_sync(self._publisher.publish_encoded, FEED_SERVED.name, records)
            except RetryableError as error:
                if attempt == _ATTEMPTS - 1:
                    raise
                log.warning("served log waits for the event log", pages=len(records), error=str(error))
                await asyncio.sleep(min(2.0**attempt, 10.0))
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


def _score_in_shadow(shadow: ShadowScorer, envelope: Envelope) -> None:
    try:
        shadow.add_to(envelope.payload)
    except Exception as error:  # noqa: BLE001  whatever is wrong with a challenger, the log goes on
        log.error("shadow scoring failed", error=repr(error))


def _envelope(page: _Page) -> Envelope:
    slate = page.slate
    shown = slate.items.take([place for _, place in page.shown])
    columns = (
        shown.post_ids.tolist(),
        shown.author_ids.tolist(),
        [position for position, _ in page.shown],
        shown.scores.tolist(),
        [source.label for source in shown.each_source],
        [source.pool for source in shown.each_source],
        shown.propensities.tolist(),
        list(shown.features),  # as float32 they are half as long in JSON, and read back the same
    )
    items = [dict(zip(_ITEM, item, strict=True)) for item in zip(*columns, strict=True)]
    payload = {
        "slateId": slate.id,
        "userId": slate.user_id,
        "offset": page.offset,
        "ranking": slate.ranking,
        "modelVersion": slate.model_version,
        "experiment": slate.assignment.experiment if slate.assignment else None,
        "arm": slate.assignment.arm if slate.assignment else None,
        "rankedAt": slate.ranked_at.isoformat(),
        "featureNames": FEATURE_NAMES if shown.features.size else None,
        "servedAt": page.served_at.isoformat(),
        "items": items,
    }
    return Envelope("feed.served", str(slate.user_id), payload, occurred_at=page.served_at)
