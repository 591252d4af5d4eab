"""Hiding a post shows less of its author from the next feed on, and undoing it takes that back at once."""

import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from psycopg.rows import tuple_row

from photofeed import database
from photofeed.ids import decode_id, encode_id
from photofeed.redis_client import connect_redis
from photofeed.timelines import hidden_key
from photofeed.tokens import mint_token
from photofeed.turned_away import KEPT_SECONDS, UNFOLLOWED_LENGTH, SkippedPost, skipped_key, unfollowed_key
from serving.feed.dislikes import DISLIKED, LATEST, Dislikes
from tests.api.feed_world import FeedWorld

if TYPE_CHECKING:
    from tests.api.conftest import App, Person

AUTHORS = 35


class Viewer:
    """Somebody who follows AUTHORS accounts with three posts each."""

    def __init__(self, app: "App") -> None:
        world = FeedWorld(app.settings, seed=9110)
        self.app = app
        self.id, *followed = world.people(AUTHORS + 1)
        world.follow(self.id, followed)
        world.deliver(world.posts(followed, 3), [self.id])
        self.headers = {"Authorization": f"Bearer {mint_token(app.settings, self.id)}"}

    def call(self, method: str, path: str, **options: Any) -> Any:
        reply = self.app.http.request(method, path, headers=self.headers, **options)
        assert reply.is_success, reply.text
        return reply

    def feed(self) -> list[dict[str, Any]]:
        """The posts of the follow graph in the first page of a new feed."""
        items = self.call("GET", "/v1/feed?limit=30").json()["items"]
        return [item["post"] for item in items if item["source"] != "explore"]

    def position(self, author: str) -> int | None:
        """The position of an author in a new feed; None if the author is not in it."""
        authors = [post["author"]["id"] for post in self.feed()]
        return authors.index(author) if author in authors else None


@pytest.fixture
def viewer(app: "App") -> Viewer:
    return Viewer(app)


def test_one_hide_is_felt_at_the_next_feed_and_undone_at_once(viewer: Viewer) -> None:
    best = viewer.feed()[0]
    author = best["author"]["id"]
    assert viewer.call("PUT", f"/v1/posts/{best['id']}/hide").status_code == 204
    assert viewer.position(author) != 0
    assert best["id"] not in [post["id"] for post in viewer.feed()]
    assert viewer.call("DELETE", f"/v1/posts/{best['id']}/hide").status_code == 204
    assert viewer.feed()[0]["id"] == best["id"]


def test_a_hidden_post_is_on_no_page(app: "App") -> None:
    world = FeedWorld(app.settings, seed=9120)
    reader, author = world.people(2)
    world.follow(reader, [author])
    posts = world.posts([author], 5)
    world.deliver(posts, [reader])
    hidden = encode_id(posts[2].post_id)
    headers = {"Authorization": f"Bearer {mint_token(app.settings, reader)}"}
    assert app.http.put(f"/v1/posts/{hidden}/hide", headers=headers).status_code == 204
    shown: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = app.http.get(f"/v1/feed?limit=50{cursor and '&cursor='}{cursor}", headers=headers).json()
        shown += [item["post"]["id"] for item in page["items"]]
        cursor = page["nextCursor"]
    assert {encode_id(post.post_id) for post in posts} - set(shown) == {hidden}


def test_two_hides_remove_the_author_from_the_top_30(viewer: Viewer) -> None:
    author = viewer.feed()[0]["author"]["id"]
    posts = viewer.call("GET", f"/v1/users/{author}/posts").json()["items"]
    for post in posts[:2]:
        viewer.call("PUT", f"/v1/posts/{post['id']}/hide")
    assert viewer.feed()
    assert viewer.position(author) is None
    viewer.call("DELETE", f"/v1/posts/{posts[0]['id']}/hide")
    viewer.call("DELETE", f"/v1/posts/{posts[1]['id']}/hide")
    assert viewer.position(author) == 0


def test_a_hide_that_a_client_reports_as_an_event_counts_alike(viewer: Viewer, app: "App") -> None:
    best = viewer.feed()[0]

    def report(action: str) -> dict[str, Any]:
        events = [{"id": uuid4().hex, "type": action, "postId": best["id"]}]
        outcome: dict[str, Any] = viewer.call("POST", "/v1/events", json={"events": events}).json()
        return outcome

    assert report("hide")["accepted"] == 1
    assert report("hide")["accepted"] == 0  # a repeated hide changes nothing, and counts once
    app.work()
    assert best["id"] not in [post["id"] for post in viewer.feed()]
    assert viewer.position(best["author"]["id"]) != 0
    assert report("unhide")["accepted"] == 1
    app.work()
    with connect_redis(app.settings) as client:
        assert not client.smembers(hidden_key(viewer.id))
    assert viewer.feed()[0]["id"] == best["id"]


def test_only_posts_that_one_may_see_can_be_hidden(viewer: Viewer) -> None:
    path = f"/v1/posts/{encode_id(123)}/hide"
    for method in ("PUT", "DELETE"):
        reply = viewer.app.http.request(method, path, headers=viewer.headers)
        assert (reply.status_code, reply.json()["code"]) == (404, "post_not_found")


def test_an_unfollow_is_felt_at_the_next_feed_and_undone_by_a_follow(viewer: Viewer) -> None:
    author = viewer.feed()[0]["author"]["id"]
    path = f"/v1/users/{author}/follow"
    with connect_redis(viewer.app.settings) as client:
        viewer.call("DELETE", path)
        assert client.zrange(unfollowed_key(viewer.id), 0, -1) == [str(decode_id(author)).encode()]
        assert viewer.position(author) != 0
        viewer.call("PUT", path)
        assert client.exists(unfollowed_key(viewer.id)) == 0


def test_quick_skips_of_an_author_are_felt(viewer: Viewer) -> None:
    best = viewer.feed()[0]
    author = decode_id(best["author"]["id"])
    skipped = {SkippedPost(post, author, 0).member(): time.time() for post in range(1, 6)}
    with connect_redis(viewer.app.settings) as client:
        client.zadd(skipped_key(viewer.id), skipped)
    assert viewer.position(best["author"]["id"]) != 0


@pytest.mark.parametrize("what", ["person", "comment"])
def test_a_report_of_a_person_or_their_comment_shows_less_of_them(viewer: Viewer, what: str) -> None:
    best = viewer.feed()[0]
    author = best["author"]["id"]
    path = f"/v1/users/{author}/report"
    if what == "comment":
        token = mint_token(viewer.app.settings, decode_id(author))
        headers = {"Authorization": f"Bearer {token}"}
        body = {"text": "buy now"}
        said = viewer.app.http.post(f"/v1/posts/{best['id']}/comments", headers=headers, json=body).json()
        path = f"/v1/posts/{best['id']}/comments/{said['id']}/report"
    viewer.call("POST", path, json={"reason": "harassment"})
    position = viewer.position(author)
    assert position is None if what == "person" else position != 0


def _unfollowed(app: "App", person: "Person") -> list[int]:
    with connect_redis(app.settings) as client:
        return [int(author) for author in client.zrange(unfollowed_key(decode_id(person.id)), 0, -1)]


def test_an_unfollow_is_forgotten_when_the_request_to_follow_again_is_accepted(app: "App") -> None:
    person, author = app.person(), app.person()
    for method in ("PUT", "DELETE"):
        person.call(method, f"/v1/users/{author.id}/follow")
    author.call("PATCH", "/v1/me", json={"isPrivate": True})
    person.call("PUT", f"/v1/users/{author.id}/follow")
    assert _unfollowed(app, person) == [decode_id(author.id)]
    assert author.call("PUT", f"/v1/me/follow-requests/{person.id}").status_code == 204
    assert _unfollowed(app, person) == []


def test_a_follow_that_the_author_ended_is_no_unfollow(app: "App") -> None:
    person, author = app.person(), app.person()
    for method, path in (("DELETE", f"/v1/me/followers/{person.id}"), ("PUT", f"/v1/users/{person.id}/block")):
        assert person.call("PUT", f"/v1/users/{author.id}/follow").status_code == 204
        assert author.call(method, path).status_code == 204
        assert _unfollowed(app, person) == []


def test_a_block_of_a_followed_author_is_an_unfollow(app: "App") -> None:
    person, author = app.person(), app.person()
    for one, other in ((person, author), (author, person)):
        assert one.call("PUT", f"/v1/users/{other.id}/follow").status_code == 204
    assert person.call("PUT", f"/v1/users/{author.id}/block").status_code == 204
    assert (_unfollowed(app, person), _unfollowed(app, author)) == ([decode_id(author.id)], [])


def test_the_latest_unfollows_are_kept_for_a_time(app: "App") -> None:
    person, author = app.person(), app.person()
    key = unfollowed_key(decode_id(person.id))
    with connect_redis(app.settings) as client:
        client.zadd(key, {str(number): number for number in range(1, UNFOLLOWED_LENGTH + 1)})
        for method in ("PUT", "DELETE"):
            person.call(method, f"/v1/users/{author.id}/follow")
        assert _unfollowed(app, person) == [*range(2, UNFOLLOWED_LENGTH + 1), decode_id(author.id)]
        assert KEPT_SECONDS - 60 < client.ttl(key) <= KEPT_SECONDS


_PAST = {
    "hide": """
        insert into hides (user_id, post_id, created_at) select %(me)s, id, %(at)s from posts where id = any(%(ids)s)
        """,
    "report": """
        insert into reports (user_id, post_id, created_at) select %(me)s, id, %(at)s from posts where id = any(%(ids)s)
        """,
    "person": """
        insert into person_reports (user_id, person_id, reason, created_at)
        select %(me)s, id, 'spam', %(at)s from users where id = any(%(ids)s)
        """,
    "comment": """
        with said as (
            insert into comments (id, post_id, user_id, body, event_id, created_at)
            select id, id, author_id, 'spam', 'said ' || id, now() from posts where id = any(%(ids)s) returning id)
        insert into comment_reports (user_id, comment_id, reason, created_at)
        select %(me)s, id, 'spam', %(at)s from said
        """,
}


@pytest.mark.parametrize(("what", "weight"), [("hide", 1.0), ("report", 3.0), ("person", 3.0), ("comment", 1.0)])
def test_the_latest_dislikes_of_each_kind_count_however_many_there_were_before(
    app: "App", what: str, weight: float
) -> None:
    world = FeedWorld(app.settings)
    person, *authors = world.people(LATEST + 2)
    refs = world.posts(authors)
    ids = authors if what == "person" else [ref.post_id for ref in refs]
    with database.connect(app.settings) as connection:
        for those, moment in ((ids[:-1], "2020-01-01"), (ids[-1:], "2020-01-02")):
            connection.execute(_PAST[what].encode(), {"me": person, "at": moment, "ids": those})
        row = connection.cursor(row_factory=tuple_row).execute(DISLIKED, {"me": person}).fetchone()
    assert row is not None
    dislikes = Dislikes.of(row)
    assert (len(dislikes), authors[-1] in dislikes.author_ids) == (LATEST, True)
    assert set(dislikes.weights.tolist()) == {weight}
    if what in {"hide", "report"}:
        assert ids[-1] in dislikes.post_ids
        assert set(dislikes.hashes.tolist()) <= {ref.perceptual_hash for ref in refs}
        assert set(dislikes.topic_ids.tolist()) == {7}
    else:
        assert not dislikes.post_ids.any()  # their posts may be shown
