"""Explore pools: trending posts, neighbours of liked posts, and new creators."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ingestion.bootstrap.feeds import open_pools
from ingestion.engagement.feed_memory import RedisFeedMemory
from ingestion.pools import new_creators, topics, trending
from ingestion.pools.neighbours import LIKED_FOR, Neighbours, nearest
from ingestion.pools.new_creators import LITTLE_KNOWN_FOLLOWERS, NEW_FOR, POSTS_EACH, NewCreators
from ingestion.pools.topics import LATEST_FOR, Topics
from ingestion.pools.trending import Trending
from ingestion.pools.worker import KEPT_SECONDS, PoolsWorker
from photofeed import database
from photofeed.action_weights import ENGAGEMENT_WEIGHTS
from photofeed.events import Action, EngagementEvent, engagement_envelope
from photofeed.explore_pools import (
    NEW_CREATORS_KEY,
    TRENDING_POOL_KEY,
    liked_key,
    neighbours_key,
    posts_of_pools,
    topic_key,
)
from photofeed.factorization import factorize
from photofeed.features.event_columns import EventColumns
from photofeed.ids import topic_id
from photofeed.posts import PostRef
from photofeed.timelines import TRENDING_POOL, entries_of
from photofeed.tokens import mint_token
from tests.api.feed_world import FeedWorld
from tests.metric_values import metric

if TYPE_CHECKING:
    from tests.api.conftest import App


@pytest.fixture
def pools(app: "App") -> Iterator[PoolsWorker]:
    with open_pools(app.settings) as worker:
        yield worker


def _like(app: "App", user: int, post: PostRef, ago: timedelta = timedelta()) -> EngagementEvent:
    with database.connect(app.settings) as connection:
        connection.execute("insert into likes values (%s, %s, now() - %s)", (user, post.post_id, ago))
    return EngagementEvent(
        uuid.uuid4().hex, Action.LIKE, user, post.author_id, datetime.now(UTC), post_id=post.post_id, topic_id=7
    )


def _remember(pools: PoolsWorker, events: list[EngagementEvent], likes: dict[int, tuple[float, int]]) -> None:
    payloads = [one for event in events for one in engagement_envelope(event.user_id, [event]).payload["events"]]
    RedisFeedMemory(pools.redis).remember(EventColumns.from_payloads(payloads), likes)


def _posts_in(pools: PoolsWorker, key: str) -> list[int]:
    ids: list[int] = posts_of_pools(pools.redis.get(key))["post_id"].tolist()
    return ids


def test_posts_liked_by_the_same_people_are_neighbours() -> None:
    pairs = [(user, post) for user in range(40) for post in range(20) if user % 2 == post % 2]
    users, posts = (np.array(column, np.int64) for column in zip(*pairs, strict=True))
    found = factorize(users, posts, np.ones(len(users), np.float32))
    ids, factors = found.post_ids, found.posts
    near = nearest(factors, 5)
    assert (ids[near] % 2 == ids[:, None] % 2).all()
    assert (near != np.arange(len(ids))[:, None]).all()


def test_there_are_fewer_neighbours_where_there_are_fewer_posts() -> None:
    near = nearest(np.eye(3, 8, dtype=np.float32), 5)
    assert (near >= 0).sum(axis=1).tolist() == [2, 2, 2]


def test_only_posts_that_two_people_lately_liked_have_neighbours(app: "App") -> None:
    world = FeedWorld(app.settings)
    author, *fans = world.people(4)
    one, other, of_one_fan, of_long_ago = posts = world.posts([author] * 4)
    for fan in fans[:2]:
        _like(app, fan, one)
        _like(app, fan, other, LIKED_FOR - timedelta(hours=1))
        _like(app, fan, of_long_ago, LIKED_FOR + timedelta(hours=1))
    _like(app, fans[2], of_one_fan)
    with database.pool(app.settings) as pool:
        built = Neighbours(pool).build(datetime.now(UTC))
    assert [post for post in posts if neighbours_key(post.post_id) in built] == [one, other]


def test_liking_brings_what_others_who_liked_it_like(app: "App", pools: PoolsWorker) -> None:
    world = FeedWorld(app.settings)
    author, viewer, *fans = world.people(14)
    liked, wanted, other, another = world.posts([author] * 4)
    for fan in fans[:6]:
        _like(app, fan, liked)
        _like(app, fan, wanted)
    for fan in fans[6:]:
        _like(app, fan, other)
        _like(app, fan, another)
    assert pools.build(datetime.now(UTC))["neighbours"] >= 4
    assert _posts_in(pools, neighbours_key(liked.post_id))[0] == wanted.post_id
    _remember(pools, [_like(app, viewer, liked)], {})
    token = mint_token(app.settings, viewer)
    body = app.http.get("/v1/feed?explain=true&limit=100", headers={"Authorization": f"Bearer {token}"}).json()
    pools_of = {one["postId"]: one["pool"] for one in body["explanation"]["candidates"]}
    assert "neighbours" in pools_of.values()


def test_unliked_posts_no_longer_influence_explore(app: "App", pools: PoolsWorker) -> None:
    world = FeedWorld(app.settings)
    author, viewer = world.people(2)
    kept, unliked, again = world.posts([author] * 3)

    def told(*actions: tuple[Action, PostRef]) -> list[EngagementEvent]:
        began = datetime.now(UTC)
        return [
            EngagementEvent(
                uuid.uuid4().hex, action, viewer, author, began + timedelta(seconds=n), post_id=post.post_id, topic_id=7
            )
            for n, (action, post) in enumerate(actions)
        ]

    _remember(
        pools, told((Action.LIKE, kept), (Action.LIKE, unliked), (Action.LIKE, again), (Action.UNLIKE, again)), {}
    )
    _remember(pools, told((Action.UNLIKE, unliked), (Action.SAVE, again)), {})
    liked = pools.redis.zrange(liked_key(viewer), 0, -1)
    assert {int.from_bytes(one[:8]) for one in liked} == {kept.post_id, again.post_id}


def test_posts_with_comments_by_the_same_people_are_neighbours(app: "App", pools: PoolsWorker) -> None:
    world = FeedWorld(app.settings)
    author, *fans = world.people(9)
    one, other, apart = world.posts([author] * 3)
    said = [(fan, post) for fan in fans[:4] for post in (one, other, one)] + [(fan, apart) for fan in fans[4:]]
    with database.connect(app.settings) as connection:
        for fan, post in said:
            connection.execute(
                "insert into comments (id, post_id, user_id, body, created_at) values (%s, %s, %s, 'ah', now())",
                (uuid.uuid4().int >> 65, post.post_id, fan),
            )
    pools.build(datetime.now(UTC))
    assert _posts_in(pools, neighbours_key(one.post_id))[0] == other.post_id
    assert _posts_in(pools, neighbours_key(other.post_id))[0] == one.post_id
    with database.pool(app.settings) as pool:
        pairs = zip(*(column.tolist() for column in Neighbours(pool)._pairs(datetime.now(UTC))), strict=True)
    # who comments on a post again and again weighs no more
    weights = {(fan, post): weight for fan, post, weight in pairs if fan in fans}
    assert weights == {(fan, post.post_id): ENGAGEMENT_WEIGHTS[Action.COMMENT] for fan, post in said}


def test_a_private_post_is_in_no_pool(app: "App", pools: PoolsWorker) -> None:
    world = FeedWorld(app.settings)
    author, *fans = world.people(6)
    one, other = world.posts([author] * 2)
    _remember(pools, [_like(app, fan, post) for fan in fans for post in (one, other)], {one.post_id: (1e9, 0)})
    pools.build(datetime.now(UTC))
    assert one.post_id in _posts_in(pools, TRENDING_POOL_KEY)
    with database.connect(app.settings) as connection:
        connection.execute("update users set is_private = true where id = %s", (author,))
    pools.build(datetime.now(UTC))
    for key in (TRENDING_POOL_KEY, NEW_CREATORS_KEY, neighbours_key(other.post_id)):
        assert not {one.post_id, other.post_id} & set(_posts_in(pools, key))


def test_a_like_counted_after_its_post_was_deleted_adds_it_to_no_pool(app: "App", pools: PoolsWorker) -> None:
    world = FeedWorld(app.settings)
    author, fan = world.people(2)
    kept, deleted = world.posts([author] * 2)
    now_us = int(datetime.now(UTC).timestamp() * 1e6)
    _remember(pools, [_like(app, fan, post) for post in (kept, deleted)], {kept.post_id: (5.0, now_us)})
    with database.connect(app.settings) as connection:
        connection.execute("delete from posts where id = %s", (deleted.post_id,))
    late = EngagementEvent(
        uuid.uuid4().hex, Action.LIKE, fan, author, datetime.now(UTC), post_id=deleted.post_id, topic_id=7
    )
    _remember(pools, [late], {deleted.post_id: (5.0, now_us)})
    assert {TRENDING_POOL} & {key for key, _ in entries_of(pools.redis, [deleted])}
    pools.build(datetime.now(UTC))
    assert not list(entries_of(pools.redis, [deleted]))
    assert kept.post_id in _posts_in(pools, TRENDING_POOL_KEY)


def test_older_likes_trend_less(app: "App", pools: PoolsWorker) -> None:
    world = FeedWorld(app.settings)
    author, fan = world.people(2)
    old, young = world.posts([author] * 2)
    now_us = int(datetime.now(UTC).timestamp() * 1e6)
    events = [_like(app, fan, old), _like(app, fan, young)]
    likes = {old.post_id: (50.0, now_us - 2 * 86_400_000_000), young.post_id: (50.0, now_us)}
    _remember(pools, events, likes)
    pools.build(datetime.now(UTC))
    trending = _posts_in(pools, TRENDING_POOL_KEY)
    assert trending.index(young.post_id) < trending.index(old.post_id)


def test_only_the_hottest_posts_trend(app: "App", pools: PoolsWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    world = FeedWorld(app.settings)
    author, fan = world.people(2)
    posts = world.posts([author] * 3)
    now_us = int(datetime.now(UTC).timestamp() * 1e6)
    likes = {post.post_id: (1e12 + number, now_us) for number, post in enumerate(posts)}
    _remember(pools, [_like(app, fan, post) for post in posts], likes)
    monkeypatch.setattr(trending, "LENGTH", 2)
    pools.build(datetime.now(UTC))
    assert _posts_in(pools, TRENDING_POOL_KEY) == [posts[2].post_id, posts[1].post_id]
    for post in posts:
        pools.redis.zrem(TRENDING_POOL, post.bare().member())  # no other test has room beside such scores


def test_pools_that_are_no_longer_built_expire(app: "App", pools: PoolsWorker) -> None:
    world = FeedWorld(app.settings)
    world.posts(world.people(1))
    pools.build(datetime.now(UTC))
    assert KEPT_SECONDS - 60 < pools.redis.ttl(NEW_CREATORS_KEY) <= KEPT_SECONDS


def test_every_new_creator_has_a_post_before_any_has_a_second_one(
    app: "App", pools: PoolsWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_creators, "LENGTH", 100_000)  # room for the creators of all tests
    world = FeedWorld(app.settings)
    authors = world.people(3)
    posts = world.posts(authors, 4)
    too_old = world.posts(authors[:1], 1, timedelta(days=9))
    later = world.posts(authors[1:2], 1, timedelta(minutes=1))
    pools.build(datetime.now(UTC) - timedelta(minutes=10))
    found = _posts_in(pools, NEW_CREATORS_KEY)
    mine = [post.post_id for post in posts]
    assert [post for post in found if post in mine] == mine[
        : -3 * POSTS_EACH - 1 : -1
    ]  # the oldest of each is left out
    assert not {too_old[0].post_id, later[0].post_id} & set(found)


def test_creators_are_new_or_little_known(app: "App", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_creators, "LENGTH", 100_000)  # room for the creators of all tests
    world, hour = FeedWorld(app.settings), timedelta(hours=1)
    both, is_new, little_known, neither = authors = world.people(4)
    ages = {both: NEW_FOR - hour, is_new: NEW_FOR - hour, little_known: NEW_FOR + hour, neither: NEW_FOR + hour}
    known = {is_new, neither}
    with database.connect(app.settings) as connection:
        for author, age in ages.items():
            followers = LITTLE_KNOWN_FOLLOWERS - (author not in known)
            values = (age, followers, author)
            connection.execute("update users set created_at = now() - %s, follower_count = %s where id = %s", values)
    posts = world.posts(authors)
    with database.pool(app.settings) as pool:
        pools = NewCreators(pool).build(datetime.now(UTC))
    found = set(posts_of_pools(pools[NEW_CREATORS_KEY])["post_id"].tolist())
    assert {post.author_id for post in posts if post.post_id in found} == {both, is_new, little_known}


def test_popular_posts_of_a_topic_are_of_the_last_weeks(app: "App", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "LENGTH", 100_000)
    world, hour = FeedWorld(app.settings), timedelta(hours=1)
    (author,) = world.people(1)
    (recent,), (old,) = (world.posts([author], age=age) for age in (LATEST_FOR - hour, LATEST_FOR + hour))
    with database.pool(app.settings) as pool:
        built = Topics(pool).build(datetime.now(UTC))
    found = set(posts_of_pools(built[topic_key(recent.topic_id)])["post_id"].tolist())
    assert found & {recent.post_id, old.post_id} == {recent.post_id}


def test_the_most_popular_posts_of_a_topic_come_first(app: "App", monkeypatch: pytest.MonkeyPatch) -> None:
    world = FeedWorld(app.settings)
    posts = world.posts(world.people(5))
    counts = {posts[0]: (0, 0, 1), posts[1]: (2, 0, 0), posts[2]: (0, 2, 0), posts[3]: (1, 0, 0), posts[4]: (1, 0, 0)}
    of_topic = topic_id(uuid.uuid4().hex)
    set_counts = "update posts set topic_id = %s, like_count = %s, save_count = %s, comment_count = %s where id = %s"
    with database.pool(app.settings) as pool:
        with pool.connection() as connection:
            for post, (likes, saves, comments) in counts.items():
                connection.execute(set_counts, (of_topic, likes, saves, comments, post.post_id))

        def best() -> list[int]:
            built = Topics(pool).build(datetime.now(UTC))[topic_key(of_topic)]
            ids: list[int] = posts_of_pools(built)["post_id"].tolist()
            return ids

        worth = {
            post: likes * ENGAGEMENT_WEIGHTS[Action.LIKE]
            + saves * ENGAGEMENT_WEIGHTS[Action.SAVE]
            + comments * ENGAGEMENT_WEIGHTS[Action.COMMENT]
            for post, (likes, saves, comments) in counts.items()
        }
        expected = [post.post_id for post in sorted(posts, key=lambda post: (worth[post], post.post_id), reverse=True)]
        assert best() == expected
        monkeypatch.setattr(topics, "LENGTH", 3)
        assert best() == expected[:3]


def test_posts_without_a_topic_are_of_no_pool(app: "App", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "LENGTH", 100_000)
    world = FeedWorld(app.settings)
    named, unnamed = world.posts(world.people(2))
    with database.pool(app.settings) as pool:
        with pool.connection() as connection:
            change = "update posts set topic = '', topic_id = %s where id = %s"
            connection.execute(change, (topic_id(""), unnamed.post_id))
        built = Topics(pool).build(datetime.now(UTC))
    assert topic_key(topic_id("")) not in built
    found = {post for posts in built.values() for post in posts_of_pools(posts)["post_id"].tolist()}
    assert found & {named.post_id, unnamed.post_id} == {named.post_id}


def test_a_pool_that_cannot_be_built_does_not_affect_the_others(app: "App", pools: PoolsWorker) -> None:
    def metrics(kind: str) -> list[float]:
        """Builds, those that failed, and pools that the last one wrote."""
        series = ("photofeed_pools_build_seconds_count", "photofeed_pools_failed_total", "photofeed_pools_built")
        return [metric(one, pools=kind) for one in series]

    pools.build(datetime.now(UTC))
    (builds, failed, trending), (builds_of_others, failed_of_others, _) = metrics("trending"), metrics("topics")
    with database.pool(app.settings) as closed:
        closed.close()
        worker = PoolsWorker([Trending(closed, pools.redis), *pools.builders[1:]], pools.redis)
        built = worker.build(datetime.now(UTC))
    assert "trending" not in built
    assert "topics" in built
    assert metrics("trending") == [builds + 1, failed + 1, trending]  # the previous pools stay
    assert metrics("topics") == [builds_of_others + 1, failed_of_others, built["topics"]]
    assert trending == 1
