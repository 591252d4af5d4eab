"""Ends the trace of a photo at the next feed that shows it. The feed has this only while traces are on."""

import asyncio

import structlog
from opentelemetry.trace import SpanContext
from redis.exceptions import RedisError

from photofeed.event_log import EventPublisher
from photofeed.post_traces import trace_key
from photofeed.spans import current_context
from photofeed.tracing import current_spans
from serving.feed.served_log import ServedLog
from serving.feed.shadow import ShadowScorer
from serving.feed.slate import Slate
from serving.pipelined_redis import RedisCommands

log = structlog.get_logger(__name__)


class TracedServedLog(ServedLog):
    """A served log that adds a span to the trace of each post of a page, after the reply."""

    def __init__(self, publisher: EventPublisher, shadow: ShadowScorer | None, redis: RedisCommands) -> None:
        super().__init__(publisher, shadow)
        self._redis = redis
        self._looking: set[asyncio.Task[None]] = set()

    def add(self, slate: Slate, offset: int, shown: list[tuple[int, int]]) -> None:
        """Add one page to the buffer, and look for traces of its posts."""
        super().add(slate, offset, shown)
        positions = {int(slate.items.post_ids[index]): position for position, index in shown}
        if positions:
            task = asyncio.create_task(self._end_traces(slate, positions, current_context()))
            self._looking.add(task)
            task.add_done_callback(self._looking.discard)

    async def stop(self, seconds: float = 10) -> None:
        """Look for no further traces, and stop as any served log."""
        for task in self._looking:
            task.cancel()
        await super().stop(seconds)

    async def _end_traces(self, slate: Slate, positions: dict[int, int], feed: SpanContext | None) -> None:
        """Add the spans, and forget the traces: only the next feed that shows a post belongs to its trace."""
        try:
            contexts = await self._redis.ask(*(("GET", trace_key(post_id)) for post_id in positions))
            found = {one: value.decode() for one, value in zip(positions, contexts, strict=True) if value is not None}
            if found:
                await self._redis.ask(*(("DEL", trace_key(post_id)) for post_id in found))
        except RedisError as error:
            log.warning("no trace of a shown post is ended", error=str(error))
            return
        spans = current_spans()
        for post_id, context in found.items():
            if spans is not None:
                attributes: dict[str, str | int] = {
                    "photofeed.slate.id": slate.id,
                    "photofeed.position": positions[post_id],
                }
                spans.moment(f"{slate.surface.value} shows post", context, feed, attributes)
