"""Posts that count as new: of the follow graph, except by muted or blocked people, newest first."""

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from photofeed.posts import PostRef
from serving.feed.arrivals import DEPTH, Arrivals, newest
from serving.feed.candidates import Candidates
from serving.feed.query import FeedQuery, FeedRequest, Viewer
from serving.feed.source_table import Source
from serving.pipelined_redis import RedisCommands

MUTED, AUTHOR = 8, 9


def _candidates(source: Source, *posts: tuple[int, int]) -> Candidates:
    return Candidates.from_members([PostRef(post, author, 7, 0).member() for post, author in posts], source)


def _viewer(*hidden: int) -> Viewer:
    return Viewer(frozenset(), frozenset(hidden), following=2)


def test_posts_of_muted_and_blocked_people_are_not_new() -> None:
    candidates = _candidates(Source.FOLLOWING, (1, AUTHOR), (2, MUTED), (3, AUTHOR))
    assert newest(_viewer(MUTED), candidates).tolist() == [3, 1]
    assert newest(_viewer(), candidates).tolist() == [3, 2, 1]


def test_explore_posts_are_not_new() -> None:
    parts = [_candidates(Source.CELEBRITY, (1, AUTHOR)), _candidates(Source.FRESH, (2, AUTHOR))]
    assert newest(_viewer(), Candidates.merge(parts)).tolist() == [1]


def test_only_the_newest_are_compared() -> None:
    candidates = _candidates(Source.FOLLOWING, *((post, AUTHOR) for post in range(1, DEPTH + 11)))
    assert newest(_viewer(), candidates).tolist() == list(range(DEPTH + 10, 10, -1))


class Stored:
    """Redis with one key."""

    def __init__(self) -> None:
        self._value: bytes | None = None

    async def ask(self, *commands: tuple[Any, ...]) -> list[Any]:
        (command,) = commands
        if command[0] == "SET":
            self._value = command[2]
        return [self._value]


class Timeline:
    """A source whose newest posts a test sets."""

    name = "following"

    def __init__(self, *posts: int) -> None:
        self.posts = posts

    async def fetch(self, request: FeedRequest, limit: int) -> Candidates:  # noqa: ARG002
        return _candidates(Source.FOLLOWING, *((post, AUTHOR) for post in self.posts[:limit]))


async def _new(before: tuple[int, ...], after: tuple[int, ...], viewer_id: int = 1) -> int | None:
    """The number of new posts, after a timeline has changed."""
    timeline = Timeline(*before)
    arrivals = Arrivals(cast("RedisCommands", Stored()), [timeline])
    viewer = asyncio.get_running_loop().create_future()
    viewer.set_result(_viewer())
    request = FeedRequest(viewer_id, datetime.now(UTC), viewer)
    await arrivals.note("s", FeedQuery(1, request.now, _viewer()), await timeline.fetch(request, DEPTH))
    timeline.posts = after
    return await arrivals.since("s", request)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((5, 4, 3), (5, 4, 3), 0),
        ((5, 4, 3), (7, 6, 5, 4, 3), 2),
        ((6, 4, 3), (6, 5, 4, 3), 1),
        ((5, 4, 3), (5, 3, 2, 1), 0),  # a post was deleted, and older ones moved up
        ((5, 4, 3), (6, 5, 3, 2, 1), 1),
        ((), (2, 1), 2),
        ((5, 4), (), 0),
    ],
)
def test_posts_that_were_delivered_since_count_as_new(
    before: tuple[int, ...], after: tuple[int, ...], expected: int
) -> None:
    assert asyncio.run(_new(before, after)) == expected


def test_another_viewers_slate_has_no_count() -> None:
    assert asyncio.run(_new((5, 4), (5, 4), viewer_id=2)) is None
