"""The PostgreSQL fallback: what it asks for, and its rows as candidates."""

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
import pytest

from serving.feed.query import FeedQuery, Viewer
from serving.feed.source_table import Source
from serving.feed.sources.postgres import PostgresSource
from serving.reads import Reads, Row, Statement

ROWS = [(31, 21, 7, "photo", 5), (32, 22, 8, "reel", 0)]
VIEWER, MUTED = 3, 8


class Tables:
    """Answers every statement with ROWS, and remembers its arguments."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    async def rows(self, statement: Statement, **arguments: Any) -> list[Row]:
        assert set(statement.names) == set(arguments)
        self.asked = arguments
        return ROWS


def _query(following: int) -> FeedQuery:
    viewer = Viewer(frozenset(), frozenset({MUTED}), following)
    return FeedQuery(VIEWER, datetime.now(UTC), viewer, shown=np.array([41, 42]))


@pytest.mark.parametrize(("following", "each"), [(1, 400), (10, 40), (20, 20), (5_000, 20)])
def test_each_followed_account_has_a_share_of_the_limit_and_not_too_small_a_one(following: int, each: int) -> None:
    tables = Tables()
    found = asyncio.run(PostgresSource(cast("Reads", tables)).followed(_query(following), 400))
    assert tables.asked == {"viewer": VIEWER, "without": [41, 42], "each": each, "limit": 400}
    assert set(found.sources.tolist()) == {Source.FOLLOWING}
    assert (found.post_ids.tolist(), found.author_ids.tolist()) == ([31, 32], [21, 22])
    assert (found.topic_ids.tolist(), found.hashes.tolist()) == ([7, 8], [5, 0])
    assert found.reels.tolist() == [False, True]


def test_popular_posts_are_of_nobody_that_the_viewer_hides_and_not_their_own() -> None:
    tables = Tables()
    found = asyncio.run(PostgresSource(cast("Reads", tables)).popular(_query(1), [51], 60))
    assert tables.asked["excluded_authors"] == [VIEWER, MUTED]
    assert {name: tables.asked[name] for name in ("viewer", "without", "limit")} == {
        "viewer": VIEWER,
        "without": [51],
        "limit": 60,
    }
    assert tables.asked["depth"] >= 60
    assert set(found.sources.tolist()) == {Source.POPULAR}
