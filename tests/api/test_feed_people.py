"""Right feeds for people at the edges: new ones, those who follow thousands, those who have seen everything."""

from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pytest

from photofeed import database
from photofeed.ids import decode_id, encode_id
from photofeed.timelines import connect_redis, seen_key
from photofeed.tokens import mint_token
from tests.api.feed_world import FeedWorld

if TYPE_CHECKING:
    from serving.feed.candidates import Candidates
    from serving.feed.features import FeatureMatrix
    from serving.feed.query import FeedQuery, FeedRequest
    from tests.api.conftest import App


@pytest.fixture(scope="module")
def world(app: "App") -> FeedWorld:
    """A hundred posts by fifty strangers, in the fresh pool."""
    world = FeedWorld(app.settings, seed=5)
    world.deliver(world.posts(world.people(50), 2), [])
    return world


def _call(app: "App", user: int, path: str = "/v1/feed?limit=100") -> Any:
    return app.http.get(path, headers={"Authorization": f"Bearer {mint_token(app.settings, user)}"})


def _feed(app: "App", user: int, path: str = "/v1/feed?limit=100") -> Any:
    reply = _call(app, user, path)
    assert reply.status_code == 200, reply.text
    return reply.json()


def _see(app: "App", user: int, posts: list[int]) -> None:
    with connect_redis(app.settings) as client:
        client.zadd(seen_key(user), {str(post): datetime.now(UTC).timestamp() for post in posts})


def test_somebody_new_gets_a_page_of_many_authors(app: "App", world: FeedWorld) -> None:
    (viewer,) = world.people(1)
    items = _feed(app, viewer)["items"]
    assert len(items) == 30
    assert len({item["post"]["author"]["id"] for item in items}) >= 10


@pytest.mark.parametrize("follows", [5_000, 10_000])
def test_somebody_who_follows_thousands_gets_a_full_feed_of_them(app: "App", world: FeedWorld, follows: int) -> None:
    viewer, *followed = world.people(follows + 1)
    world.follow(viewer, followed)
    posts = world.posts(followed[:600])
    world.deliver(posts[:500], [viewer])
    body = _feed(app, viewer)
    sources = [item["source"] for item in body["items"]]
    assert len(sources) == 100
    assert 0.05 <= sources.count("explore") / 100 <= 0.15
    assert body["skippedSources"] == []


def test_of_more_celebrities_than_a_feed_has_room_for_the_newest_posts_are_there(app: "App", world: FeedWorld) -> None:
    viewer, *stars = world.people(601)
    world.follow(viewer, stars)
    with database.connect(app.settings) as connection:
        connection.execute("update users set pulled = true where id = any(%s)", (stars,))
    world.deliver(world.posts(stars[:-50], age=timedelta(hours=3)), [])
    newest = world.posts(stars[-50:], age=timedelta(minutes=3))
    world.deliver(newest, [])
    why = _feed(app, viewer, "/v1/feed?limit=30&explain=true")["explanation"]["candidates"]
    pulled = {one["postId"] for one in why if one["source"] == "celebrity"}
    assert len(pulled) == 400
    assert {encode_id(post.post_id) for post in newest} <= pulled


def test_followed_posts_whose_timeline_is_lost_come_from_the_archive(app: "App", world: FeedWorld) -> None:
    viewer, *followed = world.people(5_001)
    world.follow(viewer, followed)
    world.posts(followed[:60])
    sources = [item["source"] for item in _feed(app, viewer)["items"]]
    assert sources.count("following") >= 45


def test_when_all_followed_posts_are_seen_strangers_fill_the_slate_and_nothing_comes_twice(
    app: "App", world: FeedWorld
) -> None:
    viewer, author = world.people(2)
    world.follow(viewer, [author])
    posts = world.posts([author], 40)
    world.deliver(posts, [viewer])
    _see(app, viewer, [post.post_id for post in posts])
    body = _feed(app, viewer)
    assert len(body["items"]) == 30
    assert not {item["post"]["id"] for item in body["items"]} & {encode_id(post.post_id) for post in posts}
    assert body["repeats"] == 0


def test_only_who_has_seen_the_world_sees_posts_again_and_is_told_so(app: "App", world: FeedWorld) -> None:
    viewer, author = world.people(2)
    world.follow(viewer, [author])
    (unseen,) = world.posts([author])
    world.deliver([unseen], [viewer])
    with database.connect(app.settings) as connection:
        everything = [row["id"] for row in connection.execute("select id from posts")]
    _see(app, viewer, [post for post in everything if post != unseen.post_id])
    body = _feed(app, viewer, "/v1/feed?limit=100&explain=true")
    assert body["items"][0]["post"]["id"] == encode_id(unseen.post_id)
    assert body["repeats"] == len(body["items"]) - 1 > 0
    assert body["explanation"]["repeats"] == body["repeats"]


def test_a_post_deleted_between_two_pages_is_gone_and_no_other_is_lost(app: "App", world: FeedWorld) -> None:
    viewer, *followed = world.people(11)
    world.follow(viewer, followed)
    posts = world.posts(followed, 4)
    world.deliver(posts, [viewer])
    first = _feed(app, viewer, "/v1/feed?limit=10")
    shown = [item["post"]["id"] for item in first["items"]]
    gone = next(post for post in posts if encode_id(post.post_id) not in shown)
    cursor, items = first["nextCursor"], first["items"]
    with world.hidden([gone.post_id]):
        while cursor:
            page = _feed(app, viewer, f"/v1/feed?limit=10&cursor={cursor}")
            items += page["items"]
            cursor = page["nextCursor"]
    ids = [item["post"]["id"] for item in items]
    assert len(set(ids)) == len(ids)
    expected = {encode_id(post.post_id) for post in posts if post is not gone}
    assert expected <= set(ids)
    assert encode_id(gone.post_id) not in ids
    authors = [item["post"]["author"]["id"] for item in items]
    assert max(len(list(run)) for _, run in groupby(authors)) <= 2
    assert [item["position"] for item in items] == list(range(len(items)))


def test_where_a_whole_page_is_gone_the_next_one_comes_instead_of_an_end(app: "App", world: FeedWorld) -> None:
    viewer, *followed = world.people(11)
    world.follow(viewer, followed)
    world.deliver(world.posts(followed, 4), [viewer])
    first = _feed(app, viewer, "/v1/feed?limit=3&explain=true")
    slate = [one["postId"] for one in first["explanation"]["candidates"] if one["place"] is not None]
    with world.hidden([decode_id(post) for post in slate[3:9]]):
        page = _feed(app, viewer, f"/v1/feed?limit=3&cursor={first['nextCursor']}")
    assert [item["post"]["id"] for item in page["items"]] == slate[9:12]
    assert [item["position"] for item in page["items"]] == [3, 4, 5]
    with world.hidden([decode_id(post) for post in slate]):
        end = _feed(app, viewer, f"/v1/feed?limit=3&cursor={page['nextCursor']}")
    assert (end["items"], end["nextCursor"]) == ([], None)


class Broken:
    """A source, and a reader of features, with a bug."""

    name = "broken"

    async def fetch(self, request: "FeedRequest", limit: int) -> "Candidates":
        raise ValueError(f"{limit} candidates for {request.user_id}")

    async def read(self, query: "FeedQuery", candidates: "Candidates") -> "FeatureMatrix":
        raise ValueError(f"features of {len(candidates)} posts for {query.user_id}")


def test_a_source_and_a_store_that_say_nonsense_cost_nobody_the_feed(app: "App", world: FeedWorld) -> None:
    viewer, author = world.people(2)
    world.follow(viewer, [author])
    world.deliver(world.posts([author], 5), [viewer])
    feed = app.http.app_state["services"].feed
    right = feed.explore, feed.features
    feed.explore, feed.features = [*feed.explore, Broken()], Broken()
    try:
        body = _feed(app, viewer)
    finally:
        feed.explore, feed.features = right
    assert body["skippedSources"] == ["broken"]
    assert body["ranking"] == "recency"
    assert sum(item["source"] == "following" for item in body["items"]) == 5


def test_somebody_who_was_deleted_is_told_so(app: "App", world: FeedWorld) -> None:
    (viewer,) = world.people(1)
    with database.connect(app.settings) as connection:
        connection.execute("delete from users where id = %s", (viewer,))
    reply = _call(app, viewer)
    assert (reply.status_code, reply.json()["code"]) == (404, "user_not_found")


@pytest.mark.parametrize("jump", [timedelta(days=-400), timedelta(days=400)])
def test_a_clock_that_jumps_changes_the_order_at_most(app: "App", world: FeedWorld, jump: timedelta) -> None:
    viewer, author = world.people(2)
    world.follow(viewer, [author])
    world.deliver(world.posts([author], 5), [viewer])
    feed = app.http.app_state["services"].feed
    right = feed.clock
    feed.clock = lambda: datetime.now(UTC) + jump
    try:
        items = _feed(app, viewer)["items"]
    finally:
        feed.clock = right
    assert len(items) == 30
    assert sum(item["source"] == "following" for item in items) == 5
