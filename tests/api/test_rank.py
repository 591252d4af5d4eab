"""Rankings of candidates that a service brings along: order, reasons, log, receipts, and what is refused."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from photofeed import database
from photofeed.experiments import Arm, Experiment, Experiments
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.ids import decode_id, encode_id
from photofeed.redis_client import connect_redis
from photofeed.timelines import hidden_key
from serving.feed.scorers.fallback_chain import FallbackChain
from serving.feed.scorers.popularity import PopularityScorer
from serving.feed.scorers.recency import RecencyScorer
from serving.receipts import ReceiptSealer, ServedAt
from tests.api.feed_world import FeedWorld
from tests.unit.serving.fake_models import FakeModels, FixedScorer, model_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.feed.given import GivenRanker
    from tests.api.conftest import App

TAGS = FEATURE_NAMES.index("tag_count")


class ByTags(FixedScorer):
    """Scores by the feature tag_count."""

    engine = "booster"

    def __init__(self) -> None:
        super().__init__(np.zeros(1))

    def score(self, matrix: "NDArray[np.float32]") -> "NDArray[np.float64]":
        return matrix[:, TAGS].astype(np.float64)


@pytest.fixture
def given(app: "App") -> Iterator["GivenRanker"]:
    """The ranker, with a champion 1 and a challenger 2 of this test."""
    ranker: GivenRanker = app.http.app_state["services"].given
    before, experiments = ranker.ranker, ranker.experiments
    reader = before.features
    models = FakeModels(model_of("1", ByTags(), reader), None, model_of("2", ByTags(), reader))
    chain = FallbackChain(models, [PopularityScorer(), RecencyScorer()])
    ranker.ranker = replace(before, fallback_chain=chain)
    yield ranker
    ranker.ranker, ranker.experiments = before, experiments


def _names(number: int) -> list[str]:
    return [f"sku-{uuid.uuid4().hex}" for _ in range(number)]


def _call(app: "App", body: dict[str, Any]) -> Any:
    return app.service.call("POST", "/v1/rank", json={"person": {"externalId": "ranked"}} | body)


def _rank(app: "App", candidates: list[Any], **more: Any) -> dict[str, Any]:
    items = [{"externalId": one} if isinstance(one, str) else one for one in candidates]
    reply = _call(app, {"candidates": items} | more)
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


def _order(body: dict[str, Any]) -> list[str]:
    return [one["externalId"] for one in body["items"]]


def _tagged(names: list[str]) -> list[dict[str, Any]]:
    """Candidates whose stated features make a model put them in this order."""
    return [{"externalId": name, "features": {"tag_count": 100.0 - at}} for at, name in enumerate(names)]


@pytest.mark.usefixtures("given")
def test_the_model_orders_candidates_by_features_that_the_request_states(app: "App") -> None:
    names = _names(5)
    body = _rank(app, _tagged(names)[::-1])
    assert _order(body) == names
    assert (body["ranking"], body["model"]["version"], body["insteadOf"]) == ("model", "1", None)
    assert [one["score"] for one in body["items"]] == [100.0, 99.0, 98.0, 97.0, 96.0]
    assert {one["propensity"] for one in body["items"]} == {1.0}
    assert body["unknown"] == names[::-1]
    of_all = _rank(app, names, features={"tag_count": 3.0})
    assert {one["score"] for one in of_all["items"]} == {3.0}
    both = _rank(
        app, [{"externalId": names[0], "features": {"tag_count": 2.0}}, *names[1:]], features={"tag_count": 3.0}
    )
    assert {one["externalId"]: one["score"] for one in both["items"]} == dict.fromkeys(names, 3.0) | {names[0]: 2.0}


@pytest.mark.usefixtures("given")
def test_the_log_has_what_the_model_saw_and_receipts_prove_it(app: "App") -> None:
    names = _names(3)
    body = _rank(app, _tagged(names), limit=2)
    assert len(body["items"]) == 2
    page = app.served(body["slateId"])
    assert (page["ranking"], page["modelVersion"]) == ("model", "1")
    assert [one["postId"] for one in page["items"]] == [decode_id(one["id"]) for one in body["items"]]
    assert [(one["position"], one["source"], one["pool"]) for one in page["items"]] == [
        (0, "given", "given"),
        (1, "given", "given"),
    ]
    assert [one["features"][TAGS] for one in page["items"]] == [100.0, 99.0]
    events = [
        {"id": uuid.uuid4().hex, "type": "impression", "actorExternalId": "ranked"}
        | {"itemExternalId": one["externalId"], "receipt": one["receipt"]}
        for one in body["items"]
    ]
    sent = {"events": [*events, events[0] | {"id": uuid.uuid4().hex, "itemExternalId": names[2]}]}
    outcome = app.service.call("POST", "/v1/events", json=sent).json()
    assert outcome["accepted"] == 2
    assert [one["code"] for one in outcome["refused"]] == ["receipt_invalid"]
    with database.connect(app.settings) as connection:
        row = connection.execute("select user_id from external_ids where external_id = 'ranked'").fetchone()
    assert row is not None
    sealer = ReceiptSealer(app.settings)
    for position, one in enumerate(body["items"]):
        served = sealer.read(one["receipt"], row["user_id"], decode_id(one["id"]))
        assert (served, one["position"]) == (ServedAt(body["slateId"], position), position)


@pytest.mark.usefixtures("given")
def test_long_rankings_are_logged_whole_in_several_messages(app: "App") -> None:
    names = _names(250)
    body = _rank(app, names)
    assert sorted(_order(body)) == sorted(names)
    assert [one["position"] for one in body["items"]] == list(range(250))
    assert len(app.served(body["slateId"])["items"]) == 100


def test_a_version_or_an_arm_ranks_if_the_request_says_so(app: "App", given: "GivenRanker") -> None:
    names = _names(4)
    other = _rank(app, _tagged(names), version="2")
    assert (other["ranking"], other["model"]["version"]) == ("challenger", "2")
    arms = (Arm(name="a", ranker="champion", share=0.5), Arm(name="b", ranker="challenger", share=0.5))
    given.experiments = Experiments(experiments=(Experiment(name="test", salt="s", arms=arms),))
    chosen = _rank(app, _tagged(names), experiment="test", arm="b")
    assert (chosen["experiment"], chosen["arm"], chosen["ranking"]) == ("test", "b", "challenger")
    assert app.served(chosen["slateId"])["arm"] == "b"
    assigned = _rank(app, _tagged(names))
    assert assigned["experiment"] == "test"
    assert assigned["ranking"] == {"a": "model", "b": "challenger"}[assigned["arm"]]
    wrong = _call(app, {"candidates": [{"externalId": "x"}], "experiment": "test", "arm": "c"})
    assert (wrong.status_code, wrong.json()["code"]) == (404, "arm_not_found")
    unloaded = _call(app, {"candidates": [{"externalId": "x"}], "version": "7"})
    assert (unloaded.status_code, unloaded.json()["code"]) == (422, "version_not_loaded")
    assert "1, 2" in unloaded.json()["detail"]


def test_without_a_model_popularity_ranks_and_the_reply_says_so(app: "App") -> None:
    body = _rank(app, _names(3), ranker="challenger")
    assert (body["ranking"], body["insteadOf"], body["model"]) == ("popularity", "challenger", None)


@pytest.mark.usefixtures("given")
def test_unknown_items_rank_by_defaults_and_are_told_until_they_are_described(app: "App") -> None:
    known, unknown = _names(2)
    app.service.call("PUT", "/v1/items", json={"items": [{"externalId": known, "tags": ["chairs"]}]})
    assert _rank(app, [known, unknown])["unknown"] == [unknown]
    app.service.call("PUT", "/v1/items", json={"items": [{"externalId": unknown}]})
    assert _rank(app, [known, unknown])["unknown"] == []


@pytest.mark.usefixtures("given")
def test_items_to_explore_are_drawn_for_one_slot_in_ten_with_their_propensity(app: "App") -> None:
    certain, explored = _names(90), _names(20)
    offered = [{"externalId": name, "explore": True} for name in explored]
    body = _rank(app, [*_tagged(certain), *offered])
    drawn = [one for one in body["items"] if one["externalId"] in explored]
    assert len(drawn) == 10
    assert all(0 < one["propensity"] < 1 for one in drawn)
    assert {one["propensity"] for one in body["items"] if one not in drawn} == {1.0}
    assert {one["reason"] for one in body["leftOut"]} == {"ranked too low"}
    assert len(body["items"]) + len(body["leftOut"]) == 110
    assert {one["source"] for one in app.served(body["slateId"])["items"]} == {"given", "explore"}


@pytest.mark.usefixtures("given")
def test_hidden_own_and_missing_candidates_are_left_out_by_name(app: "App") -> None:
    me, hidden, own, other = f"me-{uuid.uuid4().hex}", *_names(3)
    app.service.call("PUT", "/v1/items", json={"items": [{"externalId": own, "creatorExternalId": me}]})
    first = _rank(app, [hidden], person={"externalId": me})
    with database.connect(app.settings) as connection, connect_redis(app.settings) as redis:
        row = connection.execute("select user_id from external_ids where external_id = %s", (me,)).fetchone()
        assert row is not None
        redis.sadd(hidden_key(row["user_id"]), decode_id(first["items"][0]["id"]))
    nothing = encode_id(1)
    body = _rank(app, [hidden, own, other, {"id": nothing}], person={"externalId": me})
    assert _order(body) == [other]
    reasons = {one["externalId"] or one["id"]: one["reason"] for one in body["leftOut"]}
    assert reasons == {hidden: "hidden", own: "own", nothing: "not_found"}


@pytest.mark.usefixtures("given")
def test_what_a_person_thinks_of_the_creators_counts(app: "App") -> None:
    me, muted, followed, *items = (f"c-{uuid.uuid4().hex}" for _ in range(6))
    creators = zip(items, (muted, followed), strict=False)
    described = [{"externalId": item, "creatorExternalId": creator} for item, creator in creators]
    app.service.call("PUT", "/v1/items", json={"items": described})
    events = [
        {"id": uuid.uuid4().hex, "type": kind, "actorExternalId": me, "personExternalId": person}
        for kind, person in (("mute", muted), ("follow", followed))
    ]
    assert app.service.call("POST", "/v1/events", json={"events": events}).json()["accepted"] == 2
    body = _rank(app, items, person={"externalId": me})
    assert {one["externalId"]: one["reasonCode"] for one in body["items"]} == {items[1]: "followed", items[2]: "new"}
    assert [(one["externalId"], one["reason"]) for one in body["leftOut"]] == [(items[0], "muted_or_blocked")]


@pytest.mark.usefixtures("given")
def test_an_item_is_given_once_by_whichever_id(app: "App") -> None:
    (name,) = _names(1)
    (item,) = _rank(app, [name])["items"]
    twice = _call(app, {"candidates": [{"externalId": name}, {"id": item["id"]}]})
    assert (twice.status_code, twice.json()["code"]) == (422, "duplicate_candidates")
    assert item["id"] in twice.json()["detail"]


@pytest.mark.usefixtures("given")
def test_posts_can_be_ranked_beside_items_if_the_person_may_see_them(app: "App") -> None:
    world = FeedWorld(app.settings, seed=11)
    author, viewer = world.people(2)
    shown, withheld = world.posts([author], 2)
    with world.hidden([withheld.post_id]):
        candidates = [{"id": encode_id(shown.post_id)}, {"id": encode_id(withheld.post_id)}, *_names(1)]
        body = _rank(app, candidates, person={"id": encode_id(viewer)})
    assert {one["id"] for one in body["items"]} >= {encode_id(shown.post_id)}
    assert [(one["id"], one["reason"]) for one in body["leftOut"]] == [(encode_id(withheld.post_id), "not_found")]


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ({"candidates": [{"externalId": f"c{at}"} for at in range(2001)]}, "invalid", "at most 2000"),
        ({"candidates": []}, "invalid", "at least 1"),
        ({"candidates": [{"externalId": "twice"}] * 2}, "duplicate_candidates", "twice"),
        ({"candidates": [{"externalId": "a", "features": {"price": 1}}]}, "unknown_feature", "price"),
        ({"candidates": [{"externalId": "a"}], "features": {"colour": 1}}, "unknown_feature", "colour"),
        ({"candidates": [{"externalId": "a", "features": {"tag_count": True}}]}, "invalid", "tag_count"),
        ({"candidates": [{"externalId": "a", "features": {"tag_count": 1e300}}]}, "invalid", "tag_count"),
        ({"candidates": [{}]}, "one_id", "candidates.0"),
        ({"candidates": [{"externalId": "a", "id": "0" * 11}]}, "one_id", "candidates.0"),
        ({"candidates": [{"externalId": "a"}], "person": {}}, "one_id", "person"),
        ({"candidates": [{"externalId": "a"}], "ranker": "champion", "version": "1"}, "one_ranker", "one of"),
        ({"candidates": [{"externalId": "a"}], "arm": "b"}, "one_ranker", "one of"),
    ],
)
def test_wrong_calls_are_refused_by_name(app: "App", body: dict[str, Any], code: str, said: str) -> None:
    reply = _call(app, body)
    assert (reply.status_code, reply.json()["code"]) == (422, code)
    assert said in reply.text


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused_by_the_name_of_their_feature(app: "App", value: float) -> None:
    body = {"person": {"externalId": "a"}, "candidates": [{"externalId": "a", "features": {"tag_count": value}}]}
    headers = {"Content-Type": "application/json"}
    reply = app.service.call("POST", "/v1/rank", content=json.dumps(body), headers=headers)
    assert reply.status_code == 422
    assert "tag_count" in reply.json()["detail"]


def test_nobody_but_a_service_ranks_and_only_for_people_that_exist(app: "App") -> None:
    body = {"person": {"id": encode_id(1)}, "candidates": [{"externalId": "a"}]}
    assert app.person().call("POST", "/v1/rank", json=body).status_code == 403
    reply = app.service.call("POST", "/v1/rank", json=body)
    assert (reply.status_code, reply.json()["code"]) == (404, "user_not_found")
