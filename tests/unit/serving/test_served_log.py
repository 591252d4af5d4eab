"""What was shown is logged, or counted as lost: never lost in silence, and never waited for by a request."""

import asyncio
from collections.abc import Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from prometheus_client import REGISTRY

from photofeed.errors import RetryableError
from photofeed.event_log import InMemoryEventLog
from photofeed.events import Envelope
from photofeed.topics import FEED_SERVED
from serving.feed.served_log import MOST_PAGES, ServedLog
from serving.feed.slate import Slate, SlateItems

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


class FailingLog(InMemoryEventLog):
    """An event log that first fails in the given ways, one after the other."""

    def __init__(self, *failures: Exception) -> None:
        super().__init__()
        self._failures: Iterator[Exception] = iter(failures)

    def publish_encoded(self, topic: str, records: "Sequence[tuple[str, bytes]]") -> None:
        for failure in self._failures:
            raise failure
        super().publish_encoded(topic, records)


@asynccontextmanager
async def _running(log: InMemoryEventLog) -> "AsyncIterator[ServedLog]":
    served_log = ServedLog(log)
    served_log.start()
    yield served_log
    await served_log.stop()


def _slate(slate_id: str) -> Slate:
    ids = np.arange(1, 3)
    items = SlateItems(ids, ids, np.zeros(2, np.int8), np.ones(2), np.ones(2), np.zeros((2, 0), np.float32))
    return Slate(slate_id, 7, "recency", None, None, None, items, datetime.now(UTC))


def _logged(log: InMemoryEventLog) -> list[Any]:
    return [Envelope.decode(message.value).payload["slateId"] for message in log.read(FEED_SERVED.name)]


def _dropped() -> float:
    return REGISTRY.get_sample_value("photofeed_served_log_pages_total", {"outcome": "dropped"}) or 0.0


def test_pages_wait_while_the_event_log_is_away() -> None:
    async def serve(log: InMemoryEventLog) -> None:
        async with _running(log) as served_log:
            served_log.add(_slate("one"), 0, [(0, 0), (1, 1)])

    log, before = FailingLog(RetryableError("away")), _dropped()
    asyncio.run(serve(log))
    assert _logged(log) == ["one"]
    assert _dropped() == before


def test_a_page_that_cannot_be_written_is_counted_and_does_not_end_the_log() -> None:
    async def serve(log: InMemoryEventLog) -> None:
        async with _running(log) as served_log:
            served_log.add(_slate("spoiled"), 0, [(0, 0)])
            await served_log.flushed()
            served_log.add(_slate("next"), 0, [(0, 0)])

    log, before = FailingLog(ValueError("too large")), _dropped()
    asyncio.run(serve(log))
    assert _logged(log) == ["next"]
    assert _dropped() == before + 1


def test_a_page_of_which_no_message_can_be_made_is_counted_and_takes_no_other_with_it() -> None:
    async def serve(log: InMemoryEventLog) -> None:
        async with _running(log) as served_log:
            served_log.add(_slate("one"), 0, [(0, 0)])
            served_log.add(_slate("spoiled"), 0, [(0, 99)])  # it has no such place
            served_log.add(_slate("next"), 0, [(0, 0)])

    log, before = InMemoryEventLog(), _dropped()
    asyncio.run(serve(log))
    assert _logged(log) == ["one", "next"]
    assert _dropped() == before + 1


def test_what_is_left_when_a_server_ends_is_counted_too() -> None:
    async def serve(log: InMemoryEventLog) -> None:
        served_log = ServedLog(log)
        served_log.start()
        for _ in range(3):
            served_log.add(_slate("left"), 0, [(0, 0)])
        await served_log.stop(seconds=0)

    log, before = InMemoryEventLog(), _dropped()
    asyncio.run(serve(log))
    assert _logged(log) == []
    assert _dropped() == before + 3


def test_a_full_buffer_drops_pages_counts_them_and_keeps_nobody_waiting() -> None:
    served_log, before = ServedLog(InMemoryEventLog()), _dropped()
    for _ in range(MOST_PAGES + 3):
        served_log.add(_slate("one"), 0, [(0, 0)])
    assert _dropped() == before + 3
