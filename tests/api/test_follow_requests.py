"""A private account is followed only with its owner's consent."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from photofeed.events import Action, Envelope, engagement_events, event_id
from photofeed.ids import decode_id, uuid7
from photofeed.topics import ENGAGEMENT, GRAPH_CHANGED
from serving.api import followers
from tests.api.held_up import Begin, held_up
from tests.api.pictures import picture
from tests.doubles.event_log import InMemoryConsumer

if TYPE_CHECKING:
    from tests.api.conftest import App, Person


@pytest.fixture
def owner(app: "App") -> "Person":
    return app.person(isPrivate=True)


@pytest.fixture
def published(app: "App") -> InMemoryConsumer:
    """A reader of the messages about follows from now on."""
    consumer = app.log.consumer(uuid7(), (ENGAGEMENT, GRAPH_CHANGED))
    consumer.poll(1_000_000, 0)
    return consumer


def _follow(one: "Person", other: "Person") -> int:
    return one.call("PUT", f"/v1/users/{other.id}/follow").status_code


def _asking(owner: "Person") -> list[str]:
    return [item["handle"] for item in owner.get("/v1/me/follow-requests")["items"]]


def _messages(app: "App", published: InMemoryConsumer, follower: "Person") -> list[str]:
    app.work()
    envelopes = [Envelope.decode(message.value) for message in published.poll(1_000, 0)]
    of_one = [envelope for envelope in envelopes if envelope.key == str(decode_id(follower.id))]
    engagement = [event.action.value for one in of_one if one.type == "engagement" for event in engagement_events(one)]
    return engagement + [one.type for one in of_one if one.type != "engagement"]


def test_each_change_of_the_follow_graph_is_published_once(app: "App", published: InMemoryConsumer) -> None:
    one, other = app.person(), app.person()
    for _ in range(2):
        assert _follow(one, other) == 204
    assert _messages(app, published, one) == ["follow", "followed"]
    for _ in range(2):
        one.call("DELETE", f"/v1/users/{other.id}/follow")
    assert _messages(app, published, one) == ["unfollow", "unfollowed"]
    for is_private, kind in ((True, "made_private"), (False, "made_public")):
        for _ in range(2):
            one.call("PATCH", "/v1/me", json={"isPrivate": is_private})
        assert _messages(app, published, one) == [kind]


def test_a_private_account_is_followed_after_its_owner_accepts(
    app: "App", owner: "Person", published: InMemoryConsumer
) -> None:
    post_id = owner.upload(picture(31))
    follower, other, begin = app.person(), app.person(), datetime.now(UTC)
    assert [_follow(follower, owner), _follow(follower, owner), _follow(other, owner)] == [202, 202, 202]
    seen = follower.get(f"/v1/users/{owner.id}")
    assert (seen["followedByMe"], seen["requestedByMe"], seen["followerCount"]) == (False, True, 0)
    assert follower.get(f"/v1/users/{owner.id}/posts")["items"] == []
    assert _messages(app, published, follower) == [], "a request is nothing that features or timelines know"
    assert _asking(owner) == [other.handle, follower.handle]
    first = owner.get("/v1/me/follow-requests", params={"limit": 1})
    second = owner.get("/v1/me/follow-requests", params={"limit": 1, "cursor": first["nextCursor"]})
    assert [first["total"], second["total"]] == [2, 2]
    assert [page["items"][0]["handle"] for page in (first, second)] == [other.handle, follower.handle]
    assert second["nextCursor"] is None
    moments = [datetime.fromisoformat(page["items"][0]["requestedAt"]) for page in (first, second)]
    assert begin - timedelta(milliseconds=1) <= moments[1] <= moments[0] <= datetime.now(UTC)

    assert owner.call("PUT", f"/v1/me/follow-requests/{follower.id}").status_code == 204
    seen = follower.get(f"/v1/users/{owner.id}")
    assert (seen["followedByMe"], seen["requestedByMe"], seen["followerCount"]) == (True, False, 1)
    assert _messages(app, published, follower) == ["follow", "followed"]
    assert [item["id"] for item in follower.get(f"/v1/users/{owner.id}/posts")["items"]] == [post_id]
    assert post_id in [item["post"]["id"] for item in follower.get("/v1/feed")["items"]]
    assert _follow(follower, owner) == 204, "who follows need not ask again"
    assert _asking(owner) == [other.handle]


def test_only_pending_requests_can_be_accepted_and_a_declined_one_leaves_no_trace(app: "App", owner: "Person") -> None:
    one, stranger = app.person(), app.person()
    for path in (f"/v1/me/follow-requests/{stranger.id}", "/v1/me/follow-requests/nonsense"):
        assert owner.call("PUT", path).status_code == 404
    _follow(one, owner)
    assert stranger.call("PUT", f"/v1/me/follow-requests/{one.id}").json()["code"] == "request_not_found"
    for _ in range(2):
        assert owner.call("DELETE", f"/v1/me/follow-requests/{one.id}").status_code == 204
    assert not one.get(f"/v1/users/{owner.id}")["requestedByMe"]
    assert owner.call("PUT", f"/v1/me/follow-requests/{one.id}").status_code == 404
    assert not one.get(f"/v1/users/{owner.id}")["followedByMe"]


def test_unfollowing_withdraws_a_request_and_a_block_ends_it(app: "App", owner: "Person") -> None:
    one, other = app.person(), app.person()
    for each in (one, other):
        _follow(each, owner)
    assert one.call("DELETE", f"/v1/users/{owner.id}/follow").status_code == 204
    owner.call("PUT", f"/v1/users/{other.id}/block")
    assert _asking(owner) == []
    assert _follow(other, owner) == 404


def test_a_follow_event_makes_a_request_and_a_service_imports_follows_directly(app: "App", owner: "Person") -> None:
    one, friend = app.person(), app.person()
    event = {"id": uuid7(), "type": Action.FOLLOW.value, "personId": owner.id}
    one.call("POST", "/v1/events", json={"events": [event]})
    assert _asking(owner) == [one.handle]
    undone = [{"id": uuid7(), "type": kind, "personId": owner.id} for kind in ("unfollow", "follow", "unfollow")]
    one.call("POST", "/v1/events", json={"events": undone})
    assert _asking(owner) == []
    told = {"id": uuid7(), "type": "follow", "personId": owner.id, "actorId": friend.id}
    assert app.service.call("POST", "/v1/events", json={"events": [told]}).json()["accepted"] == 1
    assert friend.get(f"/v1/users/{owner.id}")["followedByMe"]


def test_requests_are_accepted_when_an_account_becomes_public_and_followers_stay_when_it_becomes_private(
    app: "App", owner: "Person", published: InMemoryConsumer
) -> None:
    follower = app.person()
    _follow(follower, owner)
    assert owner.call("PATCH", "/v1/me", json={"isPrivate": False}).json()["followerCount"] == 1
    assert _messages(app, published, follower) == ["follow", "followed"]
    assert _asking(owner) == []
    owner.call("PATCH", "/v1/me", json={"isPrivate": True})
    assert _follow(follower, owner) == 204
    assert _follow(app.person(), owner) == 202


def test_however_many_requests_there_are_all_are_accepted_when_an_account_becomes_public(
    app: "App", owner: "Person", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followers, "_BATCH", 2)
    people = [app.person() for _ in range(5)]
    for one in people:
        _follow(one, owner)
    assert owner.call("PATCH", "/v1/me", json={"isPrivate": False}).json()["followerCount"] == len(people)
    assert _asking(owner) == []


def test_a_removed_follower_no_longer_sees_the_photos_in_the_feed(app: "App", owner: "Person") -> None:
    post_id = owner.upload(picture(32))
    follower, stranger = app.person(), app.person()
    _follow(follower, owner)
    owner.call("PUT", f"/v1/me/follow-requests/{follower.id}")
    app.work()
    assert post_id in [item["post"]["id"] for item in follower.get("/v1/feed")["items"]]
    for person in (follower, follower, stranger):
        assert owner.call("DELETE", f"/v1/me/followers/{person.id}").status_code == 204
    app.work()
    assert post_id not in [item["post"]["id"] for item in follower.get("/v1/feed")["items"]]
    assert follower.call("GET", f"/v1/posts/{post_id}/comments").status_code == 404
    assert owner.get("/v1/me")["followerCount"] == 0
    assert _follow(follower, owner) == 202, "who wants to come back asks"
    assert owner.call("DELETE", "/v1/me/followers/nonsense").status_code == 404
    assert owner.call("DELETE", f"/v1/me/followers/{owner.id}").status_code == 422


_HOLD_EVENT = b"insert into told_changes (event_id) values (%s)"
_HOLD_PERSON = b"select from users where id = %s for no key update"


@contextmanager
def _while_following(app: "App", follower: "Person", owner: "Person") -> Iterator[Begin]:
    """Starts calls that wait after their checks and before their writes."""
    event = {"id": uuid7(), "type": "follow", "personId": owner.id}
    with held_up(app, _HOLD_EVENT, event_id(decode_id(follower.id), event["id"])) as begin:
        begin(lambda: follower.call("POST", "/v1/events", json={"events": [event]}))
        yield begin


def test_a_follow_that_races_with_a_removal_does_not_survive_it(app: "App", owner: "Person") -> None:
    follower = app.person()
    _follow(follower, owner)
    owner.call("PUT", f"/v1/me/follow-requests/{follower.id}")
    with _while_following(app, follower, owner) as begin:
        ended = begin(owner.call, "DELETE", f"/v1/me/followers/{follower.id}")
    assert ended.result().status_code == 204
    assert not follower.get(f"/v1/users/{owner.id}")["followedByMe"]
    assert owner.get("/v1/me")["followerCount"] == 0


def test_refollowing_a_private_account_needs_a_new_request_also_in_one_batch(app: "App", owner: "Person") -> None:
    follower = app.person()
    _follow(follower, owner)
    owner.call("PUT", f"/v1/me/follow-requests/{follower.id}")
    there_and_back = [{"id": uuid7(), "type": kind, "personId": owner.id} for kind in ("unfollow", "follow")]
    follower.call("POST", "/v1/events", json={"events": there_and_back})
    seen = follower.get(f"/v1/users/{owner.id}")
    assert (seen["followedByMe"], seen["requestedByMe"]) == (False, True)


def test_a_request_that_races_with_the_account_becoming_public_becomes_a_follow(app: "App", owner: "Person") -> None:
    follower = app.person()
    with _while_following(app, follower, owner) as begin:
        begin(lambda: owner.call("PATCH", "/v1/me", json={"isPrivate": False}))
    seen = follower.get(f"/v1/users/{owner.id}")
    assert (seen["followedByMe"], seen["requestedByMe"]) == (True, False)


@pytest.mark.parametrize("is_block", [False, True])
def test_an_acceptance_that_races_with_a_withdrawal_or_a_block_does_not_survive_it(
    app: "App", owner: "Person", *, is_block: bool
) -> None:
    follower = app.person()
    _follow(follower, owner)
    with held_up(app, _HOLD_PERSON, decode_id(owner.id)) as begin:
        begin(owner.call, "PUT", f"/v1/me/follow-requests/{follower.id}")
        if is_block:
            begin(owner.call, "PUT", f"/v1/users/{follower.id}/block")
        else:
            begin(follower.call, "DELETE", f"/v1/users/{owner.id}/follow")
    owner.call("DELETE", f"/v1/users/{follower.id}/block")
    seen = follower.get(f"/v1/users/{owner.id}")
    assert (seen["followedByMe"], seen["requestedByMe"], seen["followerCount"]) == (False, False, 0)


def test_a_removed_follower_sees_no_posts_in_pages_and_searches(app: "App", owner: "Person") -> None:
    word = uuid7().replace("-", "")
    posts = {owner.upload(picture(number), caption=word) for number in range(33, 37)}
    follower = app.person()
    _follow(follower, owner)
    owner.call("PUT", f"/v1/me/follow-requests/{follower.id}")
    app.work()
    follower.call("PUT", f"/v1/users/{owner.id}/follow")
    assert {post["id"] for post in follower.get("/v1/search", params={"q": word})["items"]} == posts
    page = follower.get("/v1/feed", params={"limit": 1})
    before = follower.get(f"/v1/users/{owner.id}/posts", params={"limit": 1})["nextCursor"]
    owner.call("DELETE", f"/v1/me/followers/{follower.id}")
    shown = [*follower.get("/v1/search", params={"q": word})["items"]]
    shown += follower.get(f"/v1/users/{owner.id}/posts", params={"cursor": before})["items"]
    while page["nextCursor"]:
        page = follower.get("/v1/feed", params={"limit": 100, "cursor": page["nextCursor"]})
        shown += [item["post"] for item in page["items"]]
    for path in ("/v1/feed", "/v1/explore"):
        shown += [item["post"] for item in follower.get(path, params={"limit": 100})["items"]]
    assert posts.isdisjoint(post["id"] for post in shown)
    for post in posts:
        for method, path in (("GET", f"/v1/photos/{post}"), ("PUT", f"/v1/posts/{post}/save")):
            assert follower.call(method, path).status_code == 404


def test_followers_are_listed_page_by_page_to_the_owner(app: "App") -> None:
    owner, other, *followers = (app.person() for _ in range(5))
    for follower in followers:
        assert _follow(follower, owner) == 204
    pages: list[list[str]] = []
    cursor = None
    while not pages or cursor:
        page = owner.get("/v1/me/followers", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
        pages.append([item["handle"] for item in page["items"]])
        cursor = page["nextCursor"]
    assert pages == [[followers[2].handle, followers[1].handle], [followers[0].handle]]
    assert other.get("/v1/me/followers") == {"items": [], "nextCursor": None}
    said = owner.call("GET", "/v1/me/followers", params={"cursor": "no id"})
    assert (said.status_code, said.json()["code"]) == (422, "cursor_invalid")


@pytest.mark.parametrize("cursor", ["nonsense", "zzzzzzzzzzzzzzzzzzzzzz", "00000000000", "0" * 21])
def test_a_cursor_of_no_follow_request_is_refused(owner: "Person", cursor: str) -> None:
    reply = owner.call("GET", "/v1/me/follow-requests", params={"cursor": cursor})

    assert (reply.status_code, reply.json()["code"]) == (422, "cursor_invalid")
