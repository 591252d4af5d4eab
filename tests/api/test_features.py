"""From an action to the next feed request: through Feast, on real systems."""

import threading
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from ingestion.bootstrap.engagement import engagement_pipeline
from photofeed import topics
from photofeed.feature_store import close_feature_store, open_feature_store
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.ids import decode_id
from photofeed.timelines import connect_redis
from photofeed.worker import Worker
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
    """The features worker, which works when told to; what other tests left in the log is none of its business."""
    with connect_redis(settings) as client:
        consumer = app.log.consumer("features-test", topics.SUBSCRIPTIONS[topics.FEATURES_GROUP])
        while consumer.poll(1000, 0):
            pass
        handler = engagement_pipeline(settings, store, client).handle
        yield Worker("features-test", consumer, app.log, handler, threading.Event())


@pytest.fixture
def seen_by_model(app: "App") -> Any:
    """What the model would see of each post of a page: the features in its served log."""

    def features_of(viewer: "Person", post_id: str) -> dict[str, float]:
        items = app.served(viewer.get("/v1/feed")["slateId"])["items"]
        (item,) = [item for item in items if item["postId"] == decode_id(post_id)]
        return dict(zip(FEATURE_NAMES, item["features"], strict=True))

    return features_of


def test_the_next_feed_request_sees_what_was_done(app: "App", features: Worker, store: Any, seen_by_model: Any) -> None:
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
    batch = [
        {"id": uuid.uuid4().hex, "type": "impression", "postId": post_id},
        {"id": uuid.uuid4().hex, "type": "dwell", "postId": post_id, "dwellMs": 6000},
    ]
    viewer.call("POST", "/v1/events", json={"events": batch})
    viewer.call("POST", "/v1/events", json={"events": batch})
    app.work()
    while features.step():
        pass
    assert seen_by_model(other, post_id)["post_likes_1h"] == pytest.approx(1, rel=0.05)
    # what was seen stays out of the viewer's next feed; the author's other post shows what is known of the two
    after = seen_by_model(viewer, next_id)
    assert after["post_likes_1h"] == 0
    assert after["pair_likes_30d"] == pytest.approx(1, rel=1e-3)
    assert after["pair_impressions_30d"] == pytest.approx(1, rel=1e-3)
    assert after["topic_engagement_rate"] > before["topic_engagement_rate"]
    assert after["user_engagement_rate"] > before["user_engagement_rate"]
    # all they did was with photos, so photos are as usual for them
    assert after["content_type_affinity"] == pytest.approx(1, rel=1e-3)

    stock = store.get_online_features(
        features=["user_activity:events_total", "user_activity:dwell_7d"],
        entity_rows=[{"user_id": decode_id(viewer.id)}],
    ).to_dict()
    assert stock["events_total"] == [4.0]
    assert stock["dwell_7d"] == [pytest.approx(6.0, rel=1e-3)]
