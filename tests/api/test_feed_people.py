"""Feeds of unusual viewers: new ones, those who follow thousands, those who have seen everything."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import REGISTRY

from photofeed import database
from photofeed.ids import decode_id, encode_id
from photofeed.redis_client import connect_redis
from photofeed.timelines import hidden_key, seen_key
from photofeed.tokens import mint_token
from serving.feed.candidates import Candidates
from serving.feed.source_table import Source
from tests.api.feed_world import FeedWorld

if TYPE_CHECKING:
    from photofeed.posts import PostRef
    from serving.feed.features import RequestFeatures
    from serving.feed.query import FeedQuery, FeedRequest
    from tests.api.conftest import App

# Without followed posts a slate has 30 posts. Some may be withheld: those of other tests which were hidden since.
MAY_BE_WITHHELD = 5
NEARLY_FULL = 30 - MAY_BE_WITHHELD


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


def _see(app: "App", user: int, posts: list[int], hours_ago: float = 0) -> None:
    at = datetime.now(UTC) - timedelta(hours=hours_ago)
    with connect_redis(app.settings) as client:
        client.zadd(seen_key(user), {str(post): at.timestamp() for post in posts})


def _hide(app: "App", user: int, post: int) -> None:
    with connect_redis(app.settings) as client:
        client.sadd(hidden_key(user), post)


def _everything(app: "App") -> list[int]:
    with database.connect(app.settings) as connection:
        return [row["id"] for row in connection.execute("select id from posts where visible")]


def _outcomes(app: "App", user: int) -> dict[str, str]:
    """Post id -> outcome, of all candidates of a feed."""
    candidates = _feed(app, user, "/v1/feed?limit=100&explain=true")["explanation"]["candidates"]
    return {one["postId"]: one["outcome"] for one in candidates}


def test_a_new_user_gets_a_page_of_many_authors(app: "App", world: FeedWorld) -> None:
    (viewer,) = world.people(1)
    items = _feed(app, viewer)["items"]
    assert len(items) >= NEARLY_FULL
    assert len({item["post"]["author"]["id"] for item in items}) >= 10


def test_explore_is_not_limited_to_the_shortest_slate(app: "App", world: FeedWorld) -> None:
    (viewer,) = world.people(1)
    items = _feed(app, viewer, "/v1/explore?limit=100")["items"]
    assert len(items) >= 60
    assert {item["source"] for item in items} == {"explore"}


def test_older_posts_of_strangers_are_never_of_followed_muted_or_own_accounts(app: "App", world: FeedWorld) -> None:
    viewer, followed, muted, stranger = world.people(4)
    world.follow(viewer, [followed])
    old = world.posts([viewer, followed, muted, stranger], age=timedelta(days=30))
    world.deliver(world.posts([followed]), [viewer])  # the timeline is there, and lacks the old post
    with database.connect(app.settings) as connection:
        connection.execute("insert into mutes (muter_id, muted_id) values (%s, %s)", (viewer, muted))
    _see(app, viewer, [post for post in _everything(app) if post not in {one.post_id for one in old}])
    explored = {
        one["authorId"]
        for one in _feed(app, viewer, "/v1/feed?limit=100&explain=true")["explanation"]["candidates"]
        if one["pool"] == "popular"
    }
    assert encode_id(stranger) in explored
    assert not explored & {encode_id(person) for person in (viewer, followed, muted)}


@pytest.mark.parametrize("follows", [5_000, 10_000])
def test_a_viewer_with_thousands_of_follows_gets_a_full_feed(app: "App", world: FeedWorld, follows: int) -> None:
    viewer, *followed = world.people(follows + 1)
    world.follow(viewer, followed)
    posts = world.posts(followed[:600])
    world.deliver(posts[:500], [viewer])
    body = _feed(app, viewer)
    sources = [item["source"] for item in body["items"]]
    assert 100 - MAY_BE_WITHHELD <= len(sources) <= 100
    assert 0.05 <= sources.count("explore") / len(sources) <= 0.15
    assert body["skippedSources"] == []


def test_of_many_followed_celebrities_the_newest_posts_are_candidates(app: "App", world: FeedWorld) -> None:
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


def test_without_a_timeline_followed_posts_come_from_postgres(app: "App", world: FeedWorld) -> None:
    viewer, *followed = world.people(5_001)
    world.follow(viewer, followed)
    world.posts(followed[:60])
    sources = [item["source"] for item in _feed(app, viewer)["items"]]
    assert sources.count("following") >= 45


def test_when_all_followed_posts_are_seen_explore_fills_the_slate(app: "App", world: FeedWorld) -> None:
    viewer, author = world.people(2)
    world.follow(viewer, [author])
    posts = world.posts([author], 40)
    world.deliver(posts, [viewer])
    _see(app, viewer, [post.post_id for post in posts])
    body = _feed(app, viewer)
    assert len(body["items"]) >= NEARLY_FULL
    assert not {item["post"]["id"] for item in body["items"]} & {encode_id(post.post_id) for post in posts}
    assert body["repeats"] == 0


def test_posts_repeat_only_if_the_viewer_has_seen_nearly_all(app: "App", world: FeedWorld) -> None:
    viewer, author = world.people(2)
    world.follow(viewer, [author])
    (unseen,) = world.posts([author])
    world.deliver([unseen], [viewer])
    _see(app, viewer, [post for post in _everything(app) if post != unseen.post_id])
    body = _feed(app, viewer, "/v1/feed?limit=100&explain=true")
    assert body["items"][0]["post"]["id"] == encode_id(unseen.post_id)
    assert body["repeats"] == len(body["items"]) - 1 > 0
    assert body["explanation"]["repeats"] == body["repeats"]


def test_posts_seen_more_than_a_day_ago_are_shown_again(app: "App", world: FeedWorld) -> None:
    viewer, *authors = world.people(21)
    world.follow(viewer, authors)
    posts = world.posts(authors, 2)
    world.deliver(posts, [viewer])
    older, recent = ([post.post_id for post in part] for part in (posts[:20], posts[20:]))
    _see(app, viewer, older, hours_ago=25)
    _see(app, viewer, recent, hours_ago=23)
    outcomes = _outcomes(app, viewer)
    assert {outcomes[encode_id(post)] for post in recent} == {"dropped: seen"}
    assert {outcomes[encode_id(post)] for post in older} == {"in the slate"}


def test_a_hidden_post_does_not_return(app: "App", world: FeedWorld) -> None:
    viewer, author = world.people(2)
    world.follow(viewer, [author])
    hidden, *others = world.posts([author], 5)
    world.deliver([hidden, *others], [viewer])
    _hide(app, viewer, hidden.post_id)
    outcomes = _outcomes(app, viewer)
    assert outcomes[encode_id(hidden.post_id)] == "dropped: hidden"
    assert {outcomes[encode_id(post.post_id)] for post in others} == {"in the slate"}


def test_a_hidden_post_does_not_return_among_older_posts_of_strangers(app: "App", world: FeedWorld) -> None:
    viewer, *strangers = world.people(6)
    hidden, *others = world.posts(strangers, age=timedelta(days=30))
    unseen = {post.post_id for post in (hidden, *others)}
    _see(app, viewer, [post for post in _everything(app) if post not in unseen])
    _hide(app, viewer, hidden.post_id)
    outcomes = _outcomes(app, viewer)
    assert outcomes[encode_id(hidden.post_id)] == "dropped: hidden"
    assert {outcomes[encode_id(post.post_id)] for post in others} == {"in the slate"}


def test_a_post_deleted_between_two_pages_is_skipped_and_no_other_is_lost(app: "App", world: FeedWorld) -> None:
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


def test_if_all_posts_of_a_page_are_hidden_the_next_page_is_returned(app: "App", world: FeedWorld) -> None:
    viewer, *followed = world.people(11)
    world.follow(viewer, followed)
    world.deliver(world.posts(followed, 4), [viewer])
    first = _feed(app, viewer, "/v1/feed?limit=3&explain=true")
    slate = [one["postId"] for one in first["explanation"]["candidates"] if one["position"] is not None]
    with world.hidden([decode_id(post) for post in slate[3:9]]):
        page = _feed(app, viewer, f"/v1/feed?limit=3&cursor={first['nextCursor']}")
    assert [item["post"]["id"] for item in page["items"]] == slate[9:12]
    assert [item["position"] for item in page["items"]] == [3, 4, 5]
    with world.hidden(_everything(app)):
        end = _feed(app, viewer, f"/v1/feed?limit=3&cursor={page['nextCursor']}")
    assert (end["items"], end["nextCursor"]) == ([], None)


class Broken:
    """A candidate source and a feature reader that raise."""

    name = "broken"

    async def fetch(self, request: "FeedRequest", limit: int) -> "Candidates":
        raise ValueError(f"{limit} candidates for {request.user_id}")

    async def read(
        self, query: "FeedQuery", candidates: "Candidates", models: object, given: object
    ) -> "RequestFeatures":
        raise ValueError(f"features of {len(candidates)} posts for {query.user_id}, {models} and {given}")


def _skipped() -> float:
    return REGISTRY.get_sample_value("photofeed_feed_sources_skipped_total", {"source": Broken.name}) or 0.0


def test_a_broken_source_and_a_broken_feature_store_do_not_break_the_feed(app: "App", world: FeedWorld) -> None:
    before = _skipped()
    viewer, author = world.people(2)
    world.follow(viewer, [author])
    world.deliver(world.posts([author], 5), [viewer])
    feed = app.http.app_state["services"].feed
    right = feed.explore, feed.ranker
    feed.explore, feed.ranker = [*feed.explore, Broken()], replace(feed.ranker, features=Broken())
    try:
        body = _feed(app, viewer)
    finally:
        feed.explore, feed.ranker = right
    assert body["skippedSources"] == ["broken"]
    assert _skipped() == before + 1
    assert body["ranking"] == "recency"
    assert sum(item["source"] == "following" for item in body["items"]) == 5


@pytest.mark.parametrize("broken", [False, True])
def test_a_feed_ends_with_its_posts_unless_a_source_that_may_have_more_was_skipped(
    app: "App", world: FeedWorld, *, broken: bool
) -> None:
    others = _everything(app)
    viewer, author = world.people(2)
    world.follow(viewer, [author])
    world.deliver(world.posts([author], 5), [viewer])
    feed = app.http.app_state["services"].feed
    right = feed.explore
    feed.explore = [Broken()] if broken else []  # pools have posts that are hidden now
    try:
        with world.hidden(others):
            page = _feed(app, viewer)
    finally:
        feed.explore = right
    assert len(page["items"]) == 5
    assert (page["nextCursor"] is None) is not broken


def test_without_explore_the_feed_of_one_author_has_the_most_popular_of_the_newest_posts_of_strangers(
    app: "App", world: FeedWorld
) -> None:
    viewer, author, *strangers = world.people(102)
    world.follow(viewer, [author])
    world.deliver(world.posts([author], 40), [viewer])
    (popular,) = world.posts(strangers[:1], age=timedelta(minutes=3))
    (unpopular,) = world.posts(strangers[:1], age=timedelta(minutes=3))
    newer = world.posts(strangers[1:], age=timedelta(minutes=1))
    with database.connect(app.settings) as connection:
        connection.execute("update posts set like_count = 50 where id = %s", (popular.post_id,))
    feed = app.http.app_state["services"].feed
    right = feed.explore
    feed.explore = []
    try:
        outcomes = _outcomes(app, viewer)
    finally:
        feed.explore = right
    found = set(outcomes) - {encode_id(post.post_id) for post in newer}
    assert encode_id(popular.post_id) in found
    assert encode_id(unpopular.post_id) not in found


class OnePool:
    """An explore source with these posts."""

    name = "pool"

    def __init__(self, posts: "list[PostRef]") -> None:
        self._posts = posts

    async def fetch(self, request: "FeedRequest", limit: int) -> "Candidates":  # noqa: ARG002
        return Candidates.from_members([post.member() for post in self._posts], Source.FRESH)


def test_explore_brings_no_posts_of_followed_authors_that_their_timeline_lacks(app: "App", world: FeedWorld) -> None:
    viewer, followed, stranger = world.people(3)
    world.follow(viewer, [followed])
    in_timeline, in_pool = world.posts([followed], 5), world.posts([followed, stranger], 5)
    world.deliver(in_timeline, [viewer])
    feed = app.http.app_state["services"].feed
    right = feed.explore
    feed.explore = [OnePool(in_pool)]
    try:
        candidates = _feed(app, viewer, "/v1/feed?limit=100&explain=true")["explanation"]["candidates"]
    finally:
        feed.explore = right
    explored = {one["postId"] for one in candidates if one["pool"] == "fresh"}
    assert explored == {encode_id(post.post_id) for post in in_pool if post.author_id == stranger}


def test_the_feed_of_a_deleted_user_is_not_found(app: "App", world: FeedWorld) -> None:
    (viewer,) = world.people(1)
    with database.connect(app.settings) as connection:
        connection.execute("delete from users where id = %s", (viewer,))
    reply = _call(app, viewer)
    assert (reply.status_code, reply.json()["code"]) == (404, "user_not_found")


@pytest.mark.parametrize("jump", [timedelta(days=-400), timedelta(days=400)])
def test_a_clock_jump_changes_only_the_order(app: "App", world: FeedWorld, jump: timedelta) -> None:
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
    assert len(items) >= NEARLY_FULL
    assert sum(item["source"] == "following" for item in items) == 5
