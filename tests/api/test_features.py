"""From an action to the next feed request: through Feast, on real systems."""

import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from ingestion.bootstrap.engagement import engagement_pipeline
from ingestion.consumer.worker import Worker
from photofeed import topics
from photofeed.errors import InvalidError
from photofeed.feature_store import close_feature_store, open_feature_store
from photofeed.features.manifest import FeatureManifest
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.ids import decode_id
from photofeed.redis_client import connect_redis
from serving import bootstrap
from serving.app import create_app
from tests.api.pictures import picture

if TYPE_CHECKING:
    from photofeed.settings import Settings
    from tests.api.conftest import App, Person


@pytest.fixture(scope="module")
def store(settings: "Settings") -> Iterator[Any]:
    """Feast, opened on the stack."""
    store = open_feature_store(settings)
    yield store
    close_feature_store(store)


@pytest.fixture(scope="module")
def features(app: "App", settings: "Settings", store: Any) -> Iterator[Worker]:
    """The features worker, which runs when a test calls it, and skips the messages of other tests."""
    with connect_redis(settings) as client:
        consumer = app.log.consumer("features-test", topics.SUBSCRIPTIONS[topics.FEATURES_GROUP])
        while consumer.poll(1000, 0):
            pass
        pipeline = engagement_pipeline(settings, store, client)
        pipeline.become_leader()  # tests before may have had leaders
        yield Worker("features-test", consumer, app.log, pipeline.handle, threading.Event())


@pytest.fixture
def seen_by_model(app: "App") -> Any:
    """The features of each post of a page, from its served log."""

    def features_of(viewer: "Person", post_id: str) -> dict[str, float]:
        items = app.served(viewer.get("/v1/feed")["slateId"])["items"]
        (item,) = [item for item in items if item["postId"] == decode_id(post_id)]
        return dict(zip(FEATURE_NAMES, item["features"], strict=True))

    return features_of


def test_the_next_feed_request_sees_the_new_features(
    app: "App", features: Worker, store: Any, seen_by_model: Any
) -> None:
    author, viewer, other = app.person(), app.person(), app.person()
    for follower in (viewer, other):
        follower.call("PUT", f"/v1/users/{author.id}/follow")
    post_id, next_id = (
        author.upload(picture(seed, (320, 240)), tags=["harbour"], caption="Boats") for seed in (40, 41)
    )
    app.work()
    while features.step():
        pass
    before = seen_by_model(viewer, post_id)
    assert before["follows"] == 1
    assert before["aspect"] == pytest.approx(4 / 3, rel=1e-3)
    assert before["caption_length"] == 5
    assert before["post_age_hours"] < 1
    assert before["post_likes_1h"] == before["pair_likes_30d"] == 0

    viewer.call("PUT", f"/v1/posts/{post_id}/like")
    (receipt,) = [one["receipt"] for one in viewer.get("/v1/feed")["items"] if one["post"]["id"] == post_id]
    batch = [
        {"id": uuid.uuid4().hex, "type": "impression", "postId": post_id, "receipt": receipt},
        {"id": uuid.uuid4().hex, "type": "dwell", "postId": post_id, "dwellMs": 6000},
    ]
    viewer.call("POST", "/v1/events", json={"events": batch})
    viewer.call("POST", "/v1/events", json={"events": batch})
    app.work()
    while features.step():
        pass
    assert seen_by_model(other, post_id)["post_likes_1h"] == pytest.approx(1, rel=0.05)
    # seen posts are not in the next feed; the author's other post has the features of the pair
    after = seen_by_model(viewer, next_id)
    assert after["post_likes_1h"] == 0
    assert after["pair_likes_30d"] == pytest.approx(1, rel=1e-3)
    assert after["pair_impressions_30d"] == pytest.approx(1, rel=1e-3)
    assert after["topic_engagement_rate"] > before["topic_engagement_rate"]
    assert after["user_engagement_rate"] > before["user_engagement_rate"]
    # all their engagement is with photos, so their affinity to photos is average
    assert after["content_type_affinity"] == pytest.approx(1, rel=1e-3)

    stock = store.get_online_features(
        features=["user_activity:events_total", "user_activity:dwell_7d"],
        entity_rows=[{"user_id": decode_id(viewer.id)}],
    ).to_dict()
    assert stock["events_total"] == [4.0]
    assert stock["dwell_7d"] == [pytest.approx(6.0, rel=1e-3)]


def test_thousands_of_events_of_one_account_count_as_one_of_each_action(
    app: "App", features: Worker, store: Any, seen_by_model: Any
) -> None:
    author, viewer, stuffer = app.person(), app.person(), app.person()
    viewer.call("PUT", f"/v1/users/{author.id}/follow")
    post_id = author.upload(picture(42, (320, 240)))
    app.work()
    while features.step():
        pass
    before = viewer.get("/v1/dev/progress")["eventsInFeatures"]
    for _ in range(4):
        events = [
            {"id": uuid.uuid4().hex, "type": kind, "postId": post_id, "dwellMs": 3_600_000}
            for kind in ("share", "open", "dwell", "comment")
            for _ in range(100)
        ]
        assert stuffer.call("POST", "/v1/events", json={"events": events}).json()["accepted"] == 400
    while features.step():
        pass
    assert viewer.get("/v1/dev/progress")["eventsInFeatures"] == before + 1_600
    seen = seen_by_model(viewer, post_id)
    assert seen["post_shares_24h"] == pytest.approx(1, rel=0.01)
    assert seen["post_opens_24h"] == pytest.approx(1, rel=0.01)
    assert seen["post_engagement_rate"] < 1
    assert seen["post_dwell_rate"] < 10
    row = store.get_online_features(
        features=["post_engagement:dwell_7d"], entity_rows=[{"post_id": decode_id(post_id)}]
    ).to_dict()
    assert row["dwell_7d"] == [pytest.approx(60.0, rel=0.01)]


def test_an_event_of_a_fast_clock_takes_nothing_from_the_likes_of_others(
    app: "App", features: Worker, seen_by_model: Any
) -> None:
    author, viewer, fast = app.person(), app.person(), app.person()
    viewer.call("PUT", f"/v1/users/{author.id}/follow")
    post_id = author.upload(picture(43, (320, 240)))
    app.work()
    for _ in range(4):
        app.person().call("PUT", f"/v1/posts/{post_id}/like")
    ahead = (datetime.now(UTC) + timedelta(seconds=290)).isoformat()
    event = {"id": uuid.uuid4().hex, "type": "open", "postId": post_id, "occurredAt": ahead}
    assert fast.call("POST", "/v1/events", json={"events": [event]}).json()["accepted"] == 1
    app.work()
    while features.step():
        pass
    assert seen_by_model(viewer, post_id)["post_likes_5m"] > 3.5


def test_no_server_starts_on_features_that_lack_what_it_reads(app: "App", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "load_manifest", lambda *_: FeatureManifest("feed_ranker_v1", ()))
    make_services = partial(bootstrap.services, connect_publisher=lambda _: app.log)
    with pytest.raises(InvalidError, match="photofeed setup"), TestClient(create_app(app.settings, make_services)):
        pytest.fail("the server has started")
