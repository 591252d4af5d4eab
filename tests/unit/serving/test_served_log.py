"""Shown pages are logged, or counted as dropped. Requests never wait for the log."""

import asyncio
from collections.abc import Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from prometheus_client import REGISTRY

from photofeed.errors import RetryableError
from photofeed.events import Envelope
from photofeed.experiments import Assignment
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.served_page import ServedItem, ServedPage
from photofeed.topics import FEED_SERVED
from serving.feed.served_log import MAX_PAGES, ServedLog
from serving.feed.slate import Slate, SlateItems
from serving.feed.source_table import Source
from tests.doubles.event_log import InMemoryEventLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


NONE = np.zeros((2, 0), np.float32)


class FailingLog(InMemoryEventLog):
    """An event log that first raises the given errors, one per call."""

    def __init__(self, *failures: Exception) -> None:
        super().__init__()
        self._failures: Iterator[Exception] = iter(failures)

    def publish_encoded(self, topic: str, records: "Sequence[tuple[str, bytes]]", *, group: str | None = None) -> None:
        for failure in self._failures:
            raise failure
        super().publish_encoded(topic, records, group=group)


@asynccontextmanager
async def _running(log: InMemoryEventLog) -> "AsyncIterator[ServedLog]":
    served_log = ServedLog(log)
    served_log.start()
    yield served_log
    await served_log.stop()


def _slate(slate_id: str) -> Slate:
    ids = np.arange(1, 3)
    flags = np.zeros(2, np.int8)
    items = SlateItems(ids, ids, flags, np.ones(2), np.ones(2), flags, np.zeros((2, 3), np.float32), NONE)
    return Slate(slate_id, 7, "recency", None, None, None, items, datetime.now(UTC))


def _logged(log: InMemoryEventLog) -> list[Any]:
    return [Envelope.decode(message.value).payload["slateId"] for message in log.read(FEED_SERVED.name)]


def _dropped() -> float:
    return REGISTRY.get_sample_value("photofeed_served_log_pages_total", {"outcome": "dropped"}) or 0.0


def test_pages_wait_while_the_event_log_is_down() -> None:
    async def serve(log: InMemoryEventLog) -> None:
        async with _running(log) as served_log:
            served_log.add(_slate("one"), 0, [(0, 0), (1, 1)])

    log, before = FailingLog(RetryableError("away")), _dropped()
    asyncio.run(serve(log))
    assert _logged(log) == ["one"]
    assert _dropped() == before


def test_a_page_is_logged_by_position_and_not_by_index_in_the_slate() -> None:
    """They differ after a withheld or moved post."""

    async def serve(log: InMemoryEventLog) -> None:
        async with _running(log) as served_log:
            served_log.add(_slate("one"), 4, [(6, 1), (7, 0)])

    log = InMemoryEventLog()
    asyncio.run(serve(log))
    (message,) = log.read(FEED_SERVED.name)
    page = ServedPage.from_envelope(Envelope.decode(message.value))
    assert [(item.position, item.post_id) for item in page.items] == [(6, 2), (7, 1)]
    assert (page.offset, page.user_id, page.ranking) == (4, 7, "recency")


def test_a_page_is_logged_with_all_that_it_was_ranked_by() -> None:
    ranked_at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    features = np.arange(2 * len(FEATURE_NAMES), dtype=np.float32).reshape(2, -1)
    items = SlateItems(
        post_ids=np.array([31, 32]),
        author_ids=np.array([21, 22]),
        sources=np.array([Source.FOLLOWING, Source.TRENDING], np.int8),
        scores=np.array([0.5, 0.25]),
        propensities=np.array([1.0, 0.125]),
        disliked=np.zeros(2, np.int8),
        reasons=np.zeros((2, 3), np.float32),
        features=features,
    )
    assignment = Assignment("ranker-test", "new", "challenger")
    slate = Slate(
        "s1", 7, "model", "ranker", "3", "exact", items, ranked_at, assignment=assignment, feature_names=FEATURE_NAMES
    )

    async def serve(log: InMemoryEventLog) -> None:
        async with _running(log) as served_log:
            served_log.add(slate, 0, [(0, 1), (1, 0)])

    log = InMemoryEventLog()
    asyncio.run(serve(log))
    (message,) = log.read(FEED_SERVED.name)
    page = ServedPage.from_envelope(Envelope.decode(message.value))
    assert page.items == (
        ServedItem(32, 22, 0, 0.25, source="explore", pool="trending", propensity=0.125),
        ServedItem(31, 21, 1, 0.5, source="following", pool="following", propensity=1.0),
    )
    assert (page.slate_id, page.user_id, page.ranking, page.model_version) == ("s1", 7, "model", "3")
    assert (page.experiment, page.arm, page.ranked_at) == ("ranker-test", "new", ranked_at)
    assert page.served_at > ranked_at
    assert page.feature_names == FEATURE_NAMES
    assert np.array_equal(page.features, features[::-1])


def test_a_page_that_cannot_be_sent_is_counted_and_does_not_stop_the_log() -> None:
    async def serve(log: InMemoryEventLog) -> None:
        async with _running(log) as served_log:
            served_log.add(_slate("spoiled"), 0, [(0, 0)])
            await served_log.flushed()
            served_log.add(_slate("next"), 0, [(0, 0)])

    log, before = FailingLog(ValueError("too large")), _dropped()
    asyncio.run(serve(log))
    assert _logged(log) == ["next"]
    assert _dropped() == before + 1


def test_a_page_that_cannot_be_encoded_is_counted_and_does_not_affect_others() -> None:
    async def serve(log: InMemoryEventLog) -> None:
        async with _running(log) as served_log:
            served_log.add(_slate("one"), 0, [(0, 0)])
            served_log.add(_slate("spoiled"), 0, [(0, 99)])  # it has no such index
            served_log.add(_slate("next"), 0, [(0, 0)])

    log, before = InMemoryEventLog(), _dropped()
    asyncio.run(serve(log))
    assert _logged(log) == ["one", "next"]
    assert _dropped() == before + 1


def test_pages_left_when_a_server_stops_are_counted() -> None:
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


def test_nothing_is_published_after_a_stop_and_a_log_that_never_ran_can_be_stopped() -> None:
    async def serve() -> None:
        served_log = ServedLog(log)
        await served_log.stop()
        served_log.start()
        task = served_log._task
        assert task is not None
        await served_log.stop()
        assert task.cancelled()

    log = InMemoryEventLog()
    asyncio.run(serve())
    assert _logged(log) == []


def test_a_full_buffer_drops_and_counts_pages_without_waiting() -> None:
    served_log, before = ServedLog(InMemoryEventLog()), _dropped()
    for _ in range(MAX_PAGES + 3):
        served_log.add(_slate("one"), 0, [(0, 0)])
    assert _dropped() == before + 3
