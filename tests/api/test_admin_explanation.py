"""Why a person sees a post or does not, for those who run photofeed."""

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from photofeed import database, topics
from photofeed.ids import decode_id
from tests.api.pictures import picture

if TYPE_CHECKING:
    from tests.api.conftest import App, Person


@pytest.fixture(scope="module")
def author(app: "App") -> "Person":
    author = app.person()
    for number in range(6):
        author.upload(picture(7_000 + number, (160, 120)), tags=["explained"], caption=f"explained {number}")
    app.work()
    return author


@pytest.fixture
def viewer(app: "App", author: "Person") -> "Person":
    viewer = app.person()
    viewer.call("PUT", f"/v1/users/{author.id}/follow")
    app.work()
    return viewer


def _post_of(viewer: "Person", author: "Person") -> str:
    post: str = viewer.get(f"/v1/users/{author.id}/posts")["items"][0]["id"]
    return post


def _explain(app: "App", viewer: "Person", post: str | None = None, **query: Any) -> dict[str, Any]:
    query = {"handle": viewer.handle} | ({"postId": post} if post else {}) | query
    found: dict[str, Any] = app.admin().get("/v1/admin/explanation", params=query)
    return found


def test_a_shown_post_has_its_features_score_and_moves_by_two_rankers(
    app: "App", author: "Person", viewer: "Person"
) -> None:
    post = _post_of(viewer, author)
    found = _explain(app, viewer, post, ranker=["popularity", "recency"])
    assert found["post"]["reasons"] == []
    assert found["post"]["followsAuthor"] is True
    assert [one["ranker"] for one in found["rankings"]] == ["popularity", "recency"]
    for ranking in found["rankings"]:
        assert ranking["ranking"] == ranking["ranker"]
        assert ranking["outcome"] == ranking["post"]["outcome"] == "in the slate"
        assert ranking["post"]["source"] == "following"
        assert {one["name"] for one in ranking["post"]["features"]} >= {"aspect"}
        assert [one["postId"] for one in ranking["candidates"]].index(post) == ranking["post"]["position"]
    popularity, recency = (one["post"]["score"] for one in found["rankings"])
    assert popularity != recency


def test_a_model_that_is_not_loaded_is_said_to_be_replaced(app: "App", viewer: "Person") -> None:
    (ranking,) = _explain(app, viewer)["rankings"]
    assert (ranking["ranker"], ranking["ranking"], ranking["insteadOf"]) == ("champion", "popularity", "champion")
    assert (ranking["version"], ranking["post"], ranking["outcome"]) == (None, None, None)


@pytest.mark.parametrize(
    ("method", "path", "reason", "outcome"),
    [
        ("PUT", "/v1/users/{author}/mute", "muted", "dropped: muted_or_blocked"),
        ("PUT", "/v1/users/{author}/block", "blocked", "no source found it"),
        ("PUT", "/v1/posts/{post}/hide", "hidden", "dropped: hidden"),
        ("POST", "/v1/posts/{post}/report", "reported", "dropped: hidden"),
    ],
)
def test_what_the_viewer_did_is_why(
    app: "App", author: "Person", viewer: "Person", method: str, path: str, reason: str, outcome: str
) -> None:
    post = _post_of(viewer, author)
    assert viewer.call(method, path.format(author=author.id, post=post)).is_success
    app.work()
    found = _explain(app, viewer, post)
    assert found["post"]["reasons"] == [reason]
    (ranking,) = found["rankings"]
    assert ranking["outcome"].startswith((outcome, "dropped: muted_or_blocked"))


def test_a_block_by_the_author_is_why(app: "App") -> None:
    author, viewer, other = app.person(), app.person(), app.person()
    post = author.upload(picture(7_101, (160, 120)))
    app.work()
    author.call("PUT", f"/v1/users/{viewer.id}/block")
    assert _explain(app, viewer, post)["post"]["reasons"] == ["blocked"]
    assert _explain(app, other, post)["post"]["reasons"] == []


def test_own_private_and_moderated_posts_say_so(app: "App") -> None:
    owner, stranger = app.person(), app.person()
    post = owner.upload(picture(7_100, (160, 120)))
    app.work()
    assert owner.call("PATCH", "/v1/me", json={"isPrivate": True}).is_success
    assert _explain(app, owner, post)["post"]["reasons"] == ["own"]
    found = _explain(app, stranger, post)
    assert found["post"]["reasons"] == ["private"]
    assert found["rankings"][0]["outcome"] == "withheld: no longer visible to the viewer"
    for status, reason in (("review", "moderation"), ("ready", "not_visible")):
        with database.connect(app.settings) as connection:
            connection.execute("update photos set status = %s where id = %s", (status, decode_id(post)))
            connection.execute("update posts set visible = false where id = %s", (decode_id(post),))
        assert _explain(app, stranger, post)["post"]["reasons"] == ["private", reason]


def test_an_explanation_is_no_slate_that_anybody_saw(app: "App", author: "Person", viewer: "Person") -> None:
    def served() -> int:
        consumer = app.log.consumer(uuid.uuid4().hex, (topics.FEED_SERVED,))
        viewers = [message.key for message in consumer.poll(1_000_000, 0)]
        return viewers.count(str(decode_id(viewer.id)))

    _explain(app, viewer, _post_of(viewer, author))
    assert served() == 0


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"handle": "nobody.here"}, 404, "user_not_found"),
        ({"postId": "15OGRpnNiJv"}, 404, "post_not_found"),
        ({"handle": "N O"}, 422, "invalid"),
        ({"ranker": ["champion", "recency", "popularity"]}, 422, "invalid"),
        ({"ranker": ["best"]}, 422, "invalid"),
    ],
)
def test_what_cannot_be_explained_is_refused(
    app: "App", viewer: "Person", query: dict[str, Any], status: int, code: str
) -> None:
    reply = app.admin().call("GET", "/v1/admin/explanation", params={"handle": viewer.handle} | query)
    assert (reply.status_code, reply.json()["code"]) == (status, code)
