"""Pools of explore and the PostgreSQL fallback of the feed weigh actions by the one table."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from ingestion.pools.topics import Topics
from photofeed import database
from photofeed.action_weights import ENGAGEMENT_WEIGHTS
from photofeed.events import Action
from photofeed.explore_pools import posts_of_pools, topic_key
from photofeed.posts import PostRef
from serving.feed.query import FeedQuery, Viewer
from serving.feed.sources.postgres import PostgresSource
from serving.reads import Reads
from tests.api.feed_world import FeedWorld

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack
    from photofeed.settings import Settings

TOPIC, NO_TOPIC = 7_301, 7_302  # of this test alone
_COUNTS = (
    "update posts set topic_id = %s, like_count = %s, comment_count = %s, save_count = %s, posted_at = now() "
    "where id = %s"
)


@pytest.fixture(scope="module")
def settings(stack: "EmbeddedStack") -> "Settings":
    settings = stack.settings()
    database.migrate(settings)
    return settings


@pytest.fixture(scope="module")
def posts(settings: "Settings") -> list[PostRef]:
    """Posts of one topic, best first by the weights, but not by any single count."""
    counts = [(0, 400, 0), (10, 0, 390), (700, 0, 0), (0, 300, 40)]
    world = FeedWorld(settings)
    refs = world.posts(world.people(len(counts)))
    with database.connect(settings) as connection:
        for ref, (likes, comments, saves) in zip(refs, counts, strict=True):
            connection.execute(_COUNTS, (TOPIC, likes, comments, saves, ref.post_id))

    def worth(likes: int, comments: int, saves: int) -> float:
        weights = ENGAGEMENT_WEIGHTS
        return likes * weights[Action.LIKE] + comments * weights[Action.COMMENT] + saves * weights[Action.SAVE]

    assert sorted((worth(*each) for each in counts), reverse=True) == [worth(*each) for each in counts]
    return refs


def test_the_pool_of_a_topic_is_ordered_by_the_weights(settings: "Settings", posts: list[PostRef]) -> None:
    world = FeedWorld(settings)
    (untold,) = world.posts(world.people(1))
    with database.connect(settings) as connection:
        connection.execute("update posts set topic = '', topic_id = %s where id = %s", (NO_TOPIC, untold.post_id))
    with database.pool(settings) as pool:
        built = Topics(pool).build(datetime.now(UTC))
    assert topic_key(NO_TOPIC) not in built
    assert posts_of_pools(built[topic_key(TOPIC)])["post_id"].tolist() == [post.post_id for post in posts]


def test_popular_posts_of_the_archive_are_ordered_by_the_weights(settings: "Settings", posts: list[PostRef]) -> None:
    query = FeedQuery(FeedWorld(settings).people(1)[0], datetime.now(UTC), Viewer(frozenset(), frozenset(), 0))

    async def popular() -> list[int]:
        reads = Reads(settings, 1)
        try:
            found = await PostgresSource(reads).popular(query, [], len(posts))
        finally:
            await reads.aclose()
        return [int(post) for post in found.post_ids]

    assert asyncio.run(popular()) == [post.post_id for post in posts]
