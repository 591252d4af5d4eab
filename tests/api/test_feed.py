from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pytest

from photofeed import database, tracing
from photofeed.ids import decode_id, encode_id
from photofeed.tokens import ADMIN, USER, mint_token
from serving.feed.reasons import ReasonCode
from serving.receipts import ReceiptSealer, ServedAt
from tests.api.pictures import picture

if TYPE_CHECKING:
    from tests.api.conftest import App, Person


def _follow(app: "App", viewer: "Person", creators: list["Person"]) -> None:
    for creator in creators:
        viewer.call("PUT", f"/v1/users/{creator.id}/follow")
    app.work()


def _authors(items: list[dict[str, Any]]) -> list[str]:
    return [item["post"]["author"]["id"] for item in items]


def _longest_run(authors: list[str]) -> int:
    return max(len(list(run)) for _, run in groupby(authors))


def test_a_feed_has_followed_posts_and_one_explore_post_in_ten(app: "App", creators: list["Person"]) -> None:
    viewer = app.person()
    _follow(app, viewer, creators[:3])
    page = viewer.get("/v1/feed?limit=30")
    assert 0.05 <= page["exploreShare"] <= 0.15
    followed = {creator.id for creator in creators[:3]}
    for item in page["items"]:
        assert (item["post"]["author"]["id"] in followed) == (item["source"] != "explore")
        assert item["reason"]
        assert item["reasonCode"] in set(ReasonCode)
    assert _longest_run(_authors(page["items"])) <= 2


def test_a_feed_does_nothing_for_traces_while_they_are_off(
    app: "App", creators: list["Person"], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Switch:
        """Counts who asks whether traces are on."""

        asked = 0

        @property
        def spans(self) -> None:
            self.asked += 1

    viewer, switch = app.person(), Switch()
    _follow(app, viewer, creators[:3])
    monkeypatch.setattr(tracing, "_process", switch)
    assert viewer.get("/v1/feed?limit=30")["items"]
    assert switch.asked == 0
    viewer.call("PUT", f"/v1/users/{creators[3].id}/follow")
    assert switch.asked == 1  # for the row of the outbox


def test_a_single_followed_author_has_at_most_two_posts_in_a_row(app: "App", creators: list["Person"]) -> None:
    viewer = app.person()
    _follow(app, viewer, creators[:1])
    assert _longest_run(_authors(viewer.get("/v1/feed?limit=30")["items"])) <= 2


def test_a_viewer_without_follows_gets_a_feed(app: "App", creators: list["Person"]) -> None:
    page = app.person().get("/v1/feed")
    assert len(page["items"]) >= 20
    assert {item["source"] for item in page["items"]} == {"explore"}
    assert creators


def test_pages_repeat_no_post_and_have_at_most_two_of_an_author_in_a_row(app: "App", creators: list["Person"]) -> None:
    viewer = app.person()
    _follow(app, viewer, creators)
    items, cursor, sizes = [], None, []
    while True:
        page = viewer.get("/v1/feed", params={"limit": 7} | ({"cursor": cursor} if cursor else {}))
        items += page["items"]
        sizes.append(len(page["items"]))
        if cursor is None:
            creators[0].upload(picture(999, (160, 120)))
            app.work()
        cursor = page["nextCursor"]
        if cursor is None:
            break
    ids = [item["post"]["id"] for item in items]
    assert len(set(ids)) == len(ids) >= 40
    assert [item["position"] for item in items] == list(range(len(items)))
    authors = _authors(items)
    while len(authors) > 1 and authors[-1] == authors[-2]:  # nobody else is left at the end of a feed
        authors.pop()
    assert _longest_run(authors) <= 2
    assert max(sizes) == 7
    assert min(sizes[:-1]) > 0


def test_every_item_carries_the_receipt_of_its_place(app: "App", creators: list["Person"]) -> None:
    viewer, sealer = app.person(), ReceiptSealer(app.settings)
    _follow(app, viewer, creators[:1])
    for surface in ("feed", "explore"):
        first = viewer.get(f"/v1/{surface}?limit=5")
        second = viewer.get(f"/v1/{surface}?limit=5&cursor={first['nextCursor']}")
        items = first["items"] + second["items"]
        assert len(items) >= 6  # posts of other tests may be withheld
        for position, item in enumerate(items):
            served = sealer.read(item["receipt"], decode_id(viewer.id), decode_id(item["post"]["id"]))
            assert served == ServedAt(first["slateId"], position)


def test_posts_of_celebrities_are_pulled_and_labelled(app: "App", creators: list["Person"]) -> None:
    star = app.person()
    fans = [app.person() for _ in range(4)]
    for fan in fans:
        fan.call("PUT", f"/v1/users/{star.id}/follow")
    app.work()
    post_id = star.upload(picture(31))
    app.work()
    sources = {item["post"]["id"]: item["source"] for item in fans[0].get("/v1/feed")["items"]}
    assert sources[post_id] == "celebrity"
    assert creators


def test_own_muted_and_unfollowed_posts_are_not_in_the_feed(app: "App", creators: list["Person"]) -> None:
    viewer = app.person()
    _follow(app, viewer, creators)
    own = viewer.upload(picture(32))
    app.work()
    viewer.call("PUT", f"/v1/users/{creators[0].id}/mute")
    viewer.call("DELETE", f"/v1/users/{creators[1].id}/follow")
    app.work()
    items = viewer.get("/v1/feed?limit=100")["items"]
    assert own not in [item["post"]["id"] for item in items]
    assert creators[0].id not in _authors(items)
    assert creators[1].id not in [
        item["post"]["author"]["id"] for item in items if item["source"] in {"following", "celebrity"}
    ]


def test_the_served_log_has_the_page_as_it_was_shown(app: "App", creators: list["Person"]) -> None:
    viewer = app.person()
    _follow(app, viewer, creators[:2])
    page = viewer.get("/v1/feed?limit=5")
    served = app.served(page["slateId"])
    assert [item["position"] for item in served["items"]] == [0, 1, 2, 3, 4]
    assert [item["score"] for item in served["items"]] == [item["score"] for item in page["items"]]
    for item in served["items"]:
        assert len(item["features"]) > 30
        assert 0 < item["propensity"] <= 1
        assert (item["propensity"] == 1) == (item["source"] != "explore")


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=many", "cursor=forged", "cursor=" + "x" * 1001])
def test_limits_and_cursors_out_of_range_are_refused(app: "App", query: str) -> None:
    reply = app.person().call("GET", f"/v1/feed?{query}")
    assert reply.status_code == 422
    assert reply.json()["code"] in {"invalid", "cursor_invalid"}


def test_another_viewers_cursor_is_refused(app: "App", creators: list["Person"]) -> None:
    one, other = app.person(), app.person()
    cursor = one.get("/v1/feed?limit=5")["nextCursor"]
    reply = other.call("GET", "/v1/feed", params={"cursor": cursor})
    assert reply.json()["code"] == "cursor_invalid"
    assert creators


def test_profiles_page_through_all_posts_newest_first(app: "App", creators: list["Person"]) -> None:
    viewer, seen, cursor = app.person(), [], None
    while True:
        params = {"limit": 5} | ({"cursor": cursor} if cursor else {})
        page = viewer.get(f"/v1/users/{creators[2].id}/posts", params=params)
        seen += [post["id"] for post in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 12
    assert seen == sorted(seen, reverse=True)


def test_a_feed_can_be_explained(app: "App", creators: list["Person"]) -> None:
    viewer = app.person()
    _follow(app, viewer, creators[:2])
    viewer.call("PUT", f"/v1/users/{creators[1].id}/mute")
    page = viewer.get("/v1/feed?limit=10&explain=true")
    why = page["explanation"]["candidates"]
    in_slate = [one for one in why if one["outcome"] == "in the slate"]
    assert [one["postId"] for one in in_slate[:10]] == [item["post"]["id"] for item in page["items"]]
    assert [one["position"] for one in in_slate] == list(range(len(in_slate)))
    muted = [one for one in why if one["outcome"] == "dropped: muted_or_blocked"]
    assert {one["authorId"] for one in muted} == {creators[1].id}
    assert len(muted) == 12
    assert all(len(one["features"]) == len(page["explanation"]["featureNames"]) for one in in_slate)
    assert "explanation" not in viewer.get("/v1/feed")


def test_an_admin_may_explain_any_feed_and_act_for_nobody(app: "App", creators: list["Person"]) -> None:
    viewer, curious = app.person(), app.person()
    _follow(app, viewer, creators[:2])
    admin = app.person()
    admin.headers["Authorization"] = f"Bearer {mint_token(app.settings, decode_id(admin.id), frozenset({USER, ADMIN}))}"
    theirs = {"Act-As": viewer.id}
    page = admin.get("/v1/feed?explain=true", headers=theirs)
    assert {item["post"]["author"]["id"] for item in page["items"] if item["source"] != "explore"} == {
        creator.id for creator in creators[:2]
    }
    assert page["explanation"]["candidates"]
    assert curious.call("GET", "/v1/feed?explain=true", headers=theirs).status_code == 403
    for method, path in (("GET", "/v1/me"), ("PUT", f"/v1/users/{creators[3].id}/follow")):
        assert admin.call(method, path, headers=theirs).status_code == 403


def test_outside_development_users_cannot_explain_their_feeds(app: "App") -> None:
    viewer, state = app.person(), app.http.app_state
    services = state["services"]
    state["services"] = replace(services, settings=app.settings.model_copy(update={"env": "production"}))
    try:
        reply = viewer.call("GET", "/v1/feed?explain=true")
    finally:
        state["services"] = services
    assert (reply.status_code, reply.json()["code"]) == (403, "forbidden")


def test_an_explanation_has_moves_and_withheld_posts(app: "App", creators: list["Person"]) -> None:
    viewer = app.person()
    _follow(app, viewer, creators[:3])
    page = viewer.get("/v1/feed?limit=100&explain=true")
    why = [one for one in page["explanation"]["candidates"] if "rank" in one]
    assert sorted(one["rank"] for one in why) == list(range(len(why)))
    assert [one["score"] for one in sorted(why, key=lambda one: one["rank"])] == sorted(
        (one["score"] for one in why), reverse=True
    )
    for one in why:
        position = one["rank"]
        for move in one["moves"]:
            assert move["from"] == position != move["to"]
            position = move["to"]
        assert one["position"] in {position, None}
    assert {move["rule"] for one in why for move in one["moves"]} >= {"explore slots"}
    hidden = decode_id(page["items"][0]["post"]["id"])
    with database.connect(app.settings) as connection:
        connection.execute("update posts set visible = false where id = %s", (hidden,))
        try:
            page = viewer.get("/v1/feed?limit=100&explain=true")
        finally:
            connection.execute("update posts set visible = true where id = %s", (hidden,))
    withheld = [one for one in page["explanation"]["candidates"] if one["outcome"].startswith("withheld")]
    assert encode_id(hidden) in [one["postId"] for one in withheld]
    assert encode_id(hidden) not in [item["post"]["id"] for item in page["items"]]


def test_explore_shows_no_followed_authors(app: "App", creators: list["Person"]) -> None:
    viewer = app.person()
    _follow(app, viewer, creators[:2])
    page = viewer.get("/v1/explore?limit=20")
    assert len(page["items"]) >= 15  # posts of other tests may be withheld
    assert {item["source"] for item in page["items"]} == {"explore"}
    assert not {creators[0].id, creators[1].id} & set(_authors(page["items"]))
    more = viewer.get("/v1/explore", params={"limit": 20, "cursor": page["nextCursor"]})
    assert not {item["post"]["id"] for item in more["items"]} & {item["post"]["id"] for item in page["items"]}


def test_search_finds_words_of_visible_captions_and_tags(app: "App") -> None:
    author, stranger = app.person(isPrivate=True), app.person()
    public = app.person()
    hidden = author.upload(picture(50, (160, 120)), caption="Zephyrus over the quay", tags=["harbour"])
    shown = public.upload(picture(51, (160, 120)), caption="An old quay", tags=["zephyrus", "harbour"])
    app.work()
    assert [post["id"] for post in stranger.get("/v1/search", params={"q": "ZEPHYRUS quay"})["items"]] == [shown]
    assert [post["id"] for post in author.get("/v1/search", params={"q": '"zephyrus over the quay"'})["items"]] == [
        hidden
    ]
    assert stranger.get("/v1/search", params={"q": "zephyrus -quay"})["items"] == []
    assert stranger.get("/v1/search", params={"q": "'; drop table posts; --"})["items"] == []
    for query in ("q=", "q=" + "x" * 201, ""):
        assert stranger.call("GET", f"/v1/search?{query}").status_code == 422
