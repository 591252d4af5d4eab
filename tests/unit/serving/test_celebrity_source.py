"""Posts of followed celebrities: an equal share of the limit each and, of more celebrities than that, the newest."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from photofeed.posts import PostRef
from photofeed.timelines import author_key
from serving.feed.candidates import Candidates
from serving.feed.query import FeedRequest, Viewer
from serving.feed.sources.celebrities import CelebritySource


class Latest:
    """Answers ZREVRANGE with the newest posts of an author: `posts` by author, newest first."""

    def __init__(self, posts: dict[int, list[int]]) -> None:
        self.members = {
            author_key(author): [PostRef(post, author, 7, 0).member() for post in ids] for author, ids in posts.items()
        }

    async def ask(self, *commands: tuple[Any, ...]) -> list[Any]:
        return [self.members[key][first : last + 1] for _, key, first, last in commands]


async def fetched(posts: dict[int, list[int]], limit: int) -> Candidates:
    viewer = asyncio.get_running_loop().create_future()
    viewer.set_result(Viewer(frozenset(posts), frozenset(), len(posts)))
    return await CelebritySource(Latest(posts)).fetch(FeedRequest(1, datetime.now(UTC), viewer), limit)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("posts", "limit", "expected"),
    [
        ({10: [9, 5, 1], 20: [8, 6, 2]}, 4, [9, 8, 6, 5]),
        ({10: [1], 20: [2], 30: [3], 40: [4]}, 2, [4, 3]),
        ({10: [3, 2], 20: []}, 10, [3, 2]),
        ({}, 10, []),
    ],
)
def test_the_newest_posts_of_all_celebrities_within_the_limit(
    posts: dict[int, list[int]], limit: int, expected: list[int]
) -> None:
    assert asyncio.run(fetched(posts, limit)).post_ids.tolist() == expected
