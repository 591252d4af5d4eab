"""Which messages announce that a post is shown, is no longer shown, or was described."""

from datetime import UTC, datetime
from typing import Any

import pytest

from photofeed.posts import ITEM, PublishedPost
from photofeed.publication import (
    AVATAR_REMOVED,
    ITEM_DESCRIBED,
    announcement,
    avatar_removal,
    description,
    withdrawal,
)
from photofeed.topics import PHOTO_PROCESSED, PHOTO_ZOOM

MOMENT = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
ROW: dict[str, Any] = {
    "id": 5,
    "author_id": 9,
    "topic_id": 7,
    "posted_at": MOMENT,
    "content_type": "reel",
    "caption_length": 12,
    "tag_count": 3,
    "public": True,
    "imported": False,
    "variants": [{"size": 150}, {"size": 1080}],
    "aspect": 1.5,
    "sharpness": 100.0,
    "brightness": 0.5,
    "entropy": 7.0,
    "phash": 77,
}


def _check(post: PublishedPost) -> None:
    ref = post.ref
    assert (ref.post_id, ref.author_id, ref.topic_id, post.posted_at) == (5, 9, 7, MOMENT)
    assert (ref.perceptual_hash, ref.is_reel, post.content_type) == (77, True, "reel")
    assert (post.caption_length, post.tag_count, post.public, post.imported) == (12, 3, True, False)
    assert (post.aspect, post.sharpness, post.brightness, post.entropy) == (1.5, 100.0, 0.5, 7.0)


@pytest.mark.parametrize("has_zoom", [False, True])
def test_a_shown_post_is_announced_and_its_zoom_size_asked_for_if_it_is_missing(*, has_zoom: bool) -> None:
    variants = [*ROW["variants"], *([{"size": 3840}] if has_zoom else [])]
    (topic, announced), *more = announcement(ROW | {"variants": variants})
    assert (topic, announced.type, announced.key) == (PHOTO_PROCESSED, "photo.processed", "5")
    _check(PublishedPost.from_payload(announced.payload))
    zoom = [(PHOTO_ZOOM, "photo.zoom", "5", {"photoId": 5})]
    assert [(topic, one.type, one.key, one.payload) for topic, one in more] == ([] if has_zoom else zoom)


def test_a_post_that_is_no_longer_shown_is_withdrawn_with_all_that_is_known_of_it() -> None:
    ((topic, withdrawn),) = withdrawal(ROW)
    assert (topic, withdrawn.type, withdrawn.key) == (PHOTO_PROCESSED, "photo.removed", "5")
    _check(PublishedPost.from_payload(withdrawn.payload))


def test_a_removed_profile_picture_is_no_post() -> None:
    ((topic, removed),) = avatar_removal(5)
    assert (topic, removed.type, removed.key, removed.payload) == (PHOTO_PROCESSED, AVATAR_REMOVED, "5", {"photoId": 5})


@pytest.mark.parametrize(("author", "creator"), [(9, 9), (None, 5)])
def test_an_item_is_described_as_one_that_no_page_shows(author: int | None, creator: int) -> None:
    row = {"id": 5, "author_id": author, "topic_id": 7, "posted_at": MOMENT, "caption": "four", "tags": ["a", "b"]}
    topic, described = description(row)
    post = PublishedPost.from_payload(described.payload)
    assert (topic, described.type, described.key) == (PHOTO_PROCESSED, ITEM_DESCRIBED, "5")
    assert (post.ref.post_id, post.ref.author_id, post.ref.topic_id, post.posted_at) == (5, creator, 7, MOMENT)
    assert (post.content_type, post.caption_length, post.tag_count, post.public) == (ITEM, 4, 2, False)
