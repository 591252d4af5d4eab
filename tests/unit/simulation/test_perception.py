from datetime import UTC, datetime

import pytest

from simulation.behaviour import PostView
from simulation.journal import UploadedPhoto
from simulation.people import appeal, populate
from simulation.perception import Perception
from simulation.replies import Feed, FeedItem, Photo

NOW = datetime(2025, 11, 3, 12, tzinfo=UTC)
POPULATION = populate(3, 5, 2, ("sea", "city"))
PERCEPTION = Perception(POPULATION, {index: f"user{index}" for index in range(7)})


def _item(author_id: str = "user1", **changes: object) -> FeedItem:
    fields: dict[str, object] = {
        "source": "explore",
        "score": 1.0,
        "reason": "",
        "receipt": "r",
        "post_id": "post",
        "author_id": author_id,
        "author_handle": "handle",
        "author_followed": False,
        "caption": "Waves",
        "topic": "city",
        "content_type": "reel",
        "posted_at": NOW,
        "width": 800,
        "height": 1000,
        "dominant_color": "#ffffff",
        "liked": False,
        "saved": False,
    }
    return FeedItem(**fields | changes)  # type: ignore[arg-type]


def _view(item: FeedItem) -> PostView:
    slate = PERCEPTION.of_feed(Feed("slate", "model", "1", (item,)))
    assert slate.id == "slate"
    (post,) = slate.posts
    return post


def test_a_post_of_the_world_has_the_features_that_tastes_depend_on() -> None:
    post = _view(_item())

    creator, handle = POPULATION.creators[1], POPULATION.people[1].handle
    assert (post.creator, post.topic, post.topic_name) == (1, 1, "city")
    assert post.appeal == appeal(creator, handle, "Waves") != 0.0
    assert (post.is_reel, post.aspect) == (True, 0.8)
    assert post.brightness == pytest.approx(1.0)
    assert (post.id, post.author_id, post.source, post.posted_at) == ("post", "user1", "explore", NOW)


def test_the_viewers_own_state_is_kept() -> None:
    assert not any((_view(_item()).liked, _view(_item()).saved, _view(_item()).followed))
    assert _view(_item(liked=True)).liked
    assert _view(_item(saved=True)).saved
    assert _view(_item(author_followed=True)).followed


@pytest.mark.parametrize("author", ["user2", "stranger"])
def test_a_post_by_a_reader_or_a_stranger_has_no_creator(author: str) -> None:
    post = _view(_item(author, topic="motorcycles"))

    assert (post.creator, post.topic, post.appeal) == (None, None, 0.0)


@pytest.mark.parametrize(
    ("color", "brightness"), [("#000000", 0.0), ("#00ff00", 0.7152), ("#ff0000", 0.2126), ("", 0.5), ("red", 0.5)]
)
def test_brightness_is_the_luma_of_the_dominant_colour(color: str, brightness: float) -> None:
    assert _view(_item(dominant_color=color)).brightness == pytest.approx(brightness)


def test_an_upload_has_the_size_and_colour_that_processing_found() -> None:
    uploaded = UploadedPhoto("p", 0, "sea", "Waves", is_reel=False, created_at=NOW)
    processed = Photo("p", "ready", "", width=1200, height=800, dominant_color="#000000", variants=6)

    post = PERCEPTION.of_upload(uploaded, processed)

    assert (post.id, post.author_id, post.creator, post.topic) == ("p", "user0", 0, 0)
    assert (post.aspect, post.brightness, post.is_reel, post.posted_at) == (1.5, 0.0, False, NOW)
