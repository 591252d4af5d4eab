import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from simulation.errors import BrokenPathError
from simulation.replies import Feed, FeedItem
from simulation.smoke import SmokeResult, folder_kept_if_broken, like_posts, longest_run, moved_scores

_WHOLE = SmokeResult(
    photos_uploaded=72,
    photos_ready=72,
    variants_per_photo=6,
    events_sent=6000,
    events_in_features=6000,
    model_version="1",
    feed_items=30,
    feed_sources={"explore": 120, "following": 1080},
    explore_share=0.1,
    seconds=100.0,
    longest_run=2,
    scores_moved_by_likes=5,
    notebooks=(),
    tutorials=(),
)


def test_a_good_result_passes_every_check_and_has_all_figures() -> None:
    _WHOLE.check()
    assert _WHOLE.to_json().keys() >= {
        "photosUploaded", "photosReady", "variantsPerPhoto", "eventsSent", "eventsInFeatures", "modelVersion",
        "feedItems", "feedSources", "exploreShare", "seconds",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"photos_ready": 71}, "71 of 72 photos are ready"),
        ({"photos_ready": 0, "photos_uploaded": 0}, "0 of 0 photos are ready"),
        ({"variants_per_photo": 0}, "a photo has no variants"),
        ({"events_in_features": 5999}, "6000 events were sent, 5999 were counted"),
        ({"events_in_features": 6001}, "6000 events were sent, 6001 were counted"),
        ({"model_version": ""}, "no model ranks the feed"),
        ({"feed_items": 0}, "the feed is empty"),
        ({"explore_share": 0.04}, "0.040 of the feed is explore"),
        ({"explore_share": 0.16}, "0.160 of the feed is explore"),
        ({"longest_run": 3}, "3 consecutive posts of one author"),
        ({"scores_moved_by_likes": 0}, "likes changed no score"),
    ],
)
def test_each_failed_check_is_named(change: dict[str, float], reason: str) -> None:
    with pytest.raises(BrokenPathError, match=f"^{re.escape(reason)}$"):
        replace(_WHOLE, **change).check()  # type: ignore[arg-type]


def test_the_folder_is_kept_after_a_failure() -> None:
    with (
        pytest.raises(BrokenPathError, match=r"no photo .state and logs kept in ") as broken,
        folder_kept_if_broken() as folder,
    ):
        raise BrokenPathError("no photo")

    assert str(folder) in str(broken.value)
    folder.rmdir()


def test_the_folder_is_removed_after_success() -> None:
    with folder_kept_if_broken() as folder:
        (folder / "postgres").mkdir()

    assert not folder.exists()


def test_longest_run_of_one_author() -> None:
    assert longest_run("abbbaa") == 3
    assert longest_run("ab") == 1
    assert longest_run("") == 0


def _feed(*items: tuple[str, float, bool]) -> Feed:
    """A feed of (post id, score, liked)."""
    fields = {"source": "following", "reason": "", "author_id": "a", "author_handle": "a", "author_followed": True}
    fields |= {"caption": "", "topic": "sea", "content_type": "photo", "dominant_color": "#000000"}
    posts = tuple(
        FeedItem(
            **fields,  # type: ignore[arg-type]
            post_id=post_id,
            receipt=f"receipt of {post_id}",
            score=score,
            liked=liked,
            saved=False,
            posted_at=datetime(2025, 11, 3, tzinfo=UTC),
            width=1,
            height=1,
        )
        for post_id, score, liked in items
    )
    return Feed("slate", "model", "1", posts)


def test_likes_go_to_the_first_five_unliked_posts(api: Any) -> None:
    api.users["me"] = {"handle": "me"}
    feed = _feed(*((str(number), 0.0, number == 1) for number in range(8)))

    with api.client() as client:
        assert like_posts(client, "me", feed, np.random.default_rng(1)) == 5
    assert [(event["postId"], event["actorId"], event["type"], event["receipt"]) for event in api.events] == [
        (post, "me", "like", f"receipt of {post}") for post in "02345"
    ]


def test_scores_count_as_moved_only_for_newly_liked_posts() -> None:
    before = _feed(
        ("new like", 1.0, False), ("same score", 1.0, False), ("old like", 1.0, True), ("unliked", 1.0, False)
    )
    after = _feed(
        ("new like", 2.0, True), ("same score", 1.0, True), ("old like", 2.0, True), ("unliked", 2.0, False),
        ("not in the feed before", 2.0, True),
    )  # fmt: skip

    assert moved_scores(before, after) == 1
