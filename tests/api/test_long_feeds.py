"""Feeds longer than a slate: the next one is ranked when a slate is used up, without repeats."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from photofeed import database
from photofeed.experiments import load_experiments
from photofeed.ids import decode_id, encode_id
from photofeed.redis_client import connect_redis
from photofeed.timelines import TimelineWriter
from photofeed.tokens import mint_token
from serving.feed import chain, pipeline
from serving.visibility import VISIBLE_TO_VIEWER
from tests.api.conftest import Person
from tests.api.feed_world import FeedWorld

if TYPE_CHECKING:
    from tests.api.conftest import App

LONG = 5_000


@pytest.fixture(scope="module")
def world(app: "App") -> FeedWorld:
    """Two posts each by a hundred strangers, in the fresh pool."""
    world = FeedWorld(app.settings, seed=11)
    world.deliver(world.posts(world.people(100), 2), [])
    return world


class Reader:
    """A viewer who follows accounts with as many posts as `posts` says."""

    def __init__(self, app: "App", world: FeedWorld, posts: list[int]) -> None:
        self.id, *followed = world.people(1 + len(posts))
        self.followed = [encode_id(author) for author in followed]
        world.follow(self.id, followed)
        refs = [ref for author, each in zip(followed, posts, strict=True) for ref in world.posts([author], each)]
        self.posts = {encode_id(ref.post_id) for ref in refs}
        self._refs, self._world, self._settings = refs, world, app.settings
        headers = {"Authorization": f"Bearer {mint_token(app.settings, self.id)}"}
        self.person = Person(encode_id(self.id), "", app.http, headers)

    def forget(self) -> None:
        """Delete the posts, so that they lengthen no feed of another test."""
        with database.connect(self._settings) as connection, connect_redis(self._settings) as client:
            connection.execute("delete from photos where id = any(%s)", ([ref.post_id for ref in self._refs],))
            TimelineWriter(client, self._settings.timeline_length).keep_from_strangers(self._refs)

    def deliver(self) -> "Reader":
        """Write the timeline."""
        self._world.deliver(self._refs, [self.id])
        return self

    def pages(self, limit: int = 100, path: str = "/v1/feed") -> Iterator[dict[str, Any]]:
        """All pages of a new feed."""
        cursor: dict[str, str] = {}
        while True:
            page = self.person.get(path, params={"limit": limit} | cursor)
            yield page
            if page["nextCursor"] is None:
                return
            cursor = {"cursor": page["nextCursor"]}


@pytest.fixture
def readers(app: "App", world: FeedWorld) -> Iterator[Callable[[list[int]], Reader]]:
    """Makes readers; their posts are deleted after the test."""
    made: list[Reader] = []

    def make(posts: list[int]) -> Reader:
        made.append(Reader(app, world, posts))
        return made[-1]

    yield make
    for one in made:
        one.forget()


def _ids(items: list[dict[str, Any]]) -> list[str]:
    return [item["post"]["id"] for item in items]


def _longest_run(items: list[dict[str, Any]]) -> int:
    return max(len(list(run)) for _, run in groupby(item["post"]["author"]["id"] for item in items))


_VISIBLE = f"select p.id from posts p join users u on u.id = p.author_id where {VISIBLE_TO_VIEWER}"  # noqa: S608


def _all(app: "App", viewer: int = 0) -> list[int]:
    """The posts that a viewer may see: tests before may have left private accounts."""
    with database.connect(app.settings) as connection:
        return [row["id"] for row in connection.execute(_VISIBLE, {"viewer": viewer})]


def _items(pages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for page in pages for item in page["items"]]


def test_a_follower_of_one_account_with_sixty_posts_reaches_all_of_them(readers: Callable[[list[int]], Reader]) -> None:
    reader = readers([60]).deliver()
    items: list[dict[str, Any]] = []
    for page in reader.pages(limit=30):
        items += page["items"]
        if reader.posts <= set(_ids(items)):
            break
    assert reader.posts <= set(_ids(items))
    assert len(set(_ids(items))) == len(items)
    assert _longest_run(items) <= 2
    assert [item["position"] for item in items] == list(range(len(items)))


@hypothesis_settings(
    max_examples=8,
    phases=[Phase.explicit, Phase.generate],  # an example takes seconds: to look for a smaller one would take minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=5), st.integers(1, 100))
def test_every_post_in_the_world_is_reached_once(app: "App", world: FeedWorld, posts: list[int], limit: int) -> None:
    reader = Reader(app, world, posts).deliver()
    pages, everything = list(reader.pages(limit=max(limit, 20))), _all(app, reader.id)
    reader.forget()
    items = _items(pages)
    assert len(set(_ids(items))) == len(items)
    assert {encode_id(post) for post in everything} == set(_ids(items))
    assert [item["position"] for item in items] == list(range(len(items)))
    assert all(page["items"] for page in pages[:-1])
    authors = [item["post"]["author"]["id"] for item in items]
    for index, run in enumerate(zip(authors, authors[1:], authors[2:], strict=False)):
        if len(set(run)) == 1:  # only if this author alone has posts left
            assert set(authors[index + 2 :]) == {run[0]}


def test_where_nobody_else_has_posts_all_sixty_come_in_a_row(
    app: "App", world: FeedWorld, readers: Callable[[list[int]], Reader]
) -> None:
    others = _all(app)
    reader = readers([60]).deliver()
    with world.hidden(others):
        assert set(_ids(_items(list(reader.pages(limit=30))))) == reader.posts


def test_posts_that_no_timeline_holds_are_reached(readers: Callable[[list[int]], Reader]) -> None:
    """Timelines and authors' posts in Redis are bounded: what is older is read from PostgreSQL."""
    reader = readers([40, 25])
    items: list[dict[str, Any]] = []
    for page in reader.pages():
        items += page["items"]
        if reader.posts <= set(_ids(items)):
            break
    assert reader.posts <= set(_ids(items))
    assert len(set(_ids(items))) == len(items)


def test_a_feed_of_five_thousand_posts_repeats_none(readers: Callable[[list[int]], Reader]) -> None:
    reader = readers([LONG // 20] * 20).deliver()
    items: list[dict[str, Any]] = []
    for page in reader.pages():
        items += page["items"]
        if len(items) >= LONG:
            break
    assert len(items) >= LONG
    assert len(set(_ids(items))) == len(items)
    assert _longest_run(items) <= 2
    assert {source for item in items if (source := item["source"]) != "explore"} <= {"following", "celebrity"}


def _second_slate(reader: Reader) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Pages of a new feed: its first, the last of its first slate, and the first of its second slate."""
    pages = reader.pages()
    opening = last = next(pages)
    for page in pages:
        if page["slateId"] != opening["slateId"]:
            return opening, last, page
        last = page
    pytest.fail("the feed has one slate")


def test_repeated_and_concurrent_requests_at_the_end_of_a_slate_get_one_slate(
    app: "App", readers: Callable[[list[int]], Reader]
) -> None:
    reader = readers([90, 90]).deliver()
    _, last, page = _second_slate(reader)
    _, unread, other = _second_slate(reader)
    with connect_redis(app.settings) as client:  # as if nobody had asked for the second slate of this feed yet
        assert client.delete(*client.keys(f"slate:*{other['slateId']}")) == 1

    def ask(cursor: str) -> tuple[str, list[str]]:
        page = reader.person.get("/v1/feed", params={"cursor": cursor, "limit": 100})
        return page["slateId"], _ids(page["items"])

    with ThreadPoolExecutor(8) as threads:
        again = list(threads.map(ask, [last["nextCursor"]] * 8))
        assert again == [(page["slateId"], _ids(page["items"]))] * 8
        assert len(set(map(str, threads.map(ask, [unread["nextCursor"]] * 8)))) == 1


def test_the_served_log_goes_on_with_positions(app: "App", readers: Callable[[list[int]], Reader]) -> None:
    reader = readers([90, 90]).deliver()
    *_, page = _second_slate(reader)
    served = app.served(page["slateId"])
    assert [item["position"] for item in served["items"]] == [item["position"] for item in page["items"]]
    assert served["items"][0]["position"] > 100
    for item in served["items"]:
        assert 0 < item["propensity"] <= 1
        assert (item["propensity"] == 1) == (item["source"] != "explore")


def test_new_posts_are_counted_for_every_slate_of_a_feed(
    app: "App", world: FeedWorld, readers: Callable[[list[int]], Reader]
) -> None:
    reader = readers([90, 90]).deliver()
    opening, _, page = _second_slate(reader)
    slates = [opening["slateId"], page["slateId"]]

    def new() -> list[int]:
        return [reader.person.get("/v1/feed/new", params={"slateId": slate})["newPosts"] for slate in slates]

    assert new() == [0, 0]
    world.deliver(world.posts([decode_id(reader.followed[0])], age=timedelta(0)), [reader.id])
    assert new() == [1, 1]
    with connect_redis(app.settings) as client:
        keys = [key for slate in slates for key in client.keys(f"*{slate}")]
        assert len(keys) == 5  # each slate, its newest posts, and the ids that the second one left out
        for key in keys:
            client.expire(key, 30)
        assert reader.person.get("/v1/feed", params={"cursor": page["nextCursor"]})["items"]
        extended = [key for key in keys if client.ttl(key) > 30]
        assert len(extended) == 4  # all except the first slate, whose pages are used up


def test_a_feed_ends_after_the_most_posts_that_one_may_have(
    world: FeedWorld, readers: Callable[[list[int]], Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world
    monkeypatch.setattr(chain, "MOST_SHOWN", 40)
    monkeypatch.setattr(pipeline, "MOST_SHOWN", 40)
    items = _items(list(readers([]).pages()))
    assert 35 <= len(items) <= 40  # posts of other tests may be withheld
    assert [item["position"] for item in items] == list(range(len(items)))


def test_later_slates_are_ranked_by_the_arm_of_the_first(
    app: "App", readers: Callable[[list[int]], Reader], tmp_path: Path
) -> None:
    file = tmp_path / "experiments.toml"
    arms = ", ".join(f'{{ name = "{name}", ranker = "recency", share = 0.5 }}' for name in ("a", "b"))
    file.write_text(f'[[experiments]]\nname = "e"\nsalt = "x"\narms = [{arms}]\n')
    feed = app.http.app_state["services"].feed
    right, feed.experiments = feed.experiments, load_experiments(file)
    try:
        opening, _, page = _second_slate(readers([]))
    finally:
        feed.experiments = right
    served = [app.served(one["slateId"]) for one in (opening, page)]
    assert {one["ranking"] for one in (opening, page)} == {"recency"}
    assert {one["experiment"] for one in served} == {"e"}
    assert len({one["arm"] for one in served} & {"a", "b"}) == 1


def test_a_feed_whose_ids_have_expired_is_expired(app: "App", readers: Callable[[list[int]], Reader]) -> None:
    reader = readers([200, 200]).deliver()
    *_, page = _second_slate(reader)
    with connect_redis(app.settings) as client:
        assert client.delete(f"shown:{page['slateId']}")
    while (reply := reader.person.call("GET", "/v1/feed", params={"cursor": page["nextCursor"]})).status_code == 200:
        page = reply.json()
    assert (reply.status_code, reply.json()["code"]) == (422, "cursor_expired")


def test_explore_goes_on_without_repeats_and_without_followed_authors(readers: Callable[[list[int]], Reader]) -> None:
    reader = readers([5]).deliver()
    items = _items(list(reader.pages(path="/v1/explore")))
    assert len(set(_ids(items))) == len(items) > 150
    assert {item["source"] for item in items} == {"explore"}
    assert not reader.posts & set(_ids(items))
