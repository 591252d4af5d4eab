"""The trace of a photo ends at the first feed that shows it, with where it was shown."""

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from photofeed.post_traces import trace_key
from serving.feed import shown_traces
from serving.feed.shown_traces import TracedServedLog
from serving.feed.slate import Slate, SlateItems, Surface
from serving.pipelined_redis import RedisCommands
from tests.doubles.event_log import InMemoryEventLog

FEED: Any = object()
Moment = tuple[str, str, Any, dict[str, str | int]]


class Moments:
    """Keeps the spans that are made."""

    def __init__(self) -> None:
        self.made: list[Moment] = []

    def moment(self, name: str, parent: str, link: Any, attributes: dict[str, str | int]) -> None:
        self.made.append((name, parent, link, attributes))


class Traces:
    """Redis with traces of posts."""

    def __init__(self, kept: dict[int, str], *, away: bool = False) -> None:
        self.kept = {trace_key(post): context.encode() for post, context in kept.items()}
        self._away = away

    async def ask(self, *commands: tuple[str, str]) -> list[Any]:
        if self._away:
            raise RedisConnectionError
        return [self.kept.get(key) if name == "GET" else self.kept.pop(key) for name, key in commands]


def _slate(*posts: int) -> Slate:
    ids, flags, numbers = np.array(posts), np.zeros(len(posts), np.int8), np.zeros(len(posts))
    nothing = np.zeros((len(posts), 0), np.float32)
    items = SlateItems(ids, ids, flags, numbers, numbers, flags, nothing, nothing)
    ranked_at = datetime(2026, 1, 1, tzinfo=UTC)
    return Slate("s1", 7, "recency", None, None, None, items, ranked_at, surface=Surface.EXPLORE)


@pytest.fixture
def moments(monkeypatch: pytest.MonkeyPatch) -> Moments:
    made = Moments()
    monkeypatch.setattr(shown_traces, "current_spans", lambda: made)
    monkeypatch.setattr(shown_traces, "current_context", lambda: FEED)
    return made


def _show(traces: Traces, slate: Slate, shown: list[tuple[int, int]]) -> InMemoryEventLog:
    """Serve a page; `shown` has the positions and indices of its posts."""

    async def serve() -> None:
        served_log = TracedServedLog(log, None, cast("RedisCommands", traces))
        served_log.start()
        served_log.add(slate, 0, shown)
        await asyncio.gather(*served_log._looking)
        await served_log.stop()

    log = InMemoryEventLog()
    asyncio.run(serve())
    return log


def test_the_trace_of_each_shown_post_ends_where_it_was_shown(moments: Moments) -> None:
    traces = Traces({31: "trace of 31", 33: "trace of 33", 34: "of a post that is not on the page"})
    log = _show(traces, _slate(31, 32, 33, 34), [(5, 2), (6, 0), (7, 1)])
    assert sorted(moments.made, key=lambda one: one[1]) == [
        ("explore shows post", "trace of 31", FEED, {"photofeed.slate.id": "s1", "photofeed.position": 6}),
        ("explore shows post", "trace of 33", FEED, {"photofeed.slate.id": "s1", "photofeed.position": 5}),
    ]
    assert set(traces.kept) == {trace_key(34)}  # a trace ends once
    assert len(list(log.read("feed.served"))) == 1


def test_without_redis_no_trace_ends_and_the_page_is_logged(moments: Moments) -> None:
    log = _show(Traces({31: "trace of 31"}, away=True), _slate(31), [(0, 0)])
    assert moments.made == []
    assert len(list(log.read("feed.served"))) == 1
