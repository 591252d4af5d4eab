from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from simulation.replies import Feed, FeedItem
from simulation.report import feed_table
from simulation.smoke import SmokeResult, longest_run

NOW = datetime(2025, 11, 3, 12, tzinfo=UTC)


def _item(author: str, *, age: timedelta = timedelta(hours=3), score: float | None = 1.25) -> FeedItem:
    return FeedItem(
        source="explore",
        score=score,
        reason="You like the sea",
        post_id="p",
        author_id=author,
        author_handle=author,
        author_name=author.title(),
        author_followed=False,
        caption="A caption that goes on and on until nobody would read any more of it",
        topic="sea",
        content_type="photo",
        posted_at=NOW - age,
        width=1,
        height=1,
        dominant_color="#000000",
        liked=False,
        saved=False,
    )


def _feed(*items: FeedItem, version: str = "3") -> Feed:
    return Feed("slate", "model" if version else "recency", version, items, None)


def _printed(feed: Feed) -> str:
    out = StringIO()
    Console(file=out, width=140).print(feed_table("Mei Lund", feed, NOW))
    return out.getvalue()


def test_the_table_shows_who_what_when_whence_and_why() -> None:
    printed = _printed(_feed(_item("mei"), _item("noor", age=timedelta(minutes=5), score=None)))

    assert "The feed of Mei Lund, ranked by model 3" in printed
    for expected in ("@mei", "A caption that goes on", "…", "3 h", "5 min", "explore", "1.250", "You like the sea"):
        assert expected in printed


@pytest.mark.parametrize(
    ("age", "shown"), [(timedelta(0), "0 min"), (timedelta(hours=47), "47 h"), (timedelta(3), "3 d")]
)
def test_ages_read_as_people_say_them(age: timedelta, shown: str) -> None:
    assert shown in _printed(_feed(_item("mei", age=age)))


def test_a_feed_that_no_model_ranked_says_so() -> None:
    assert "ranked by recency" in _printed(_feed(_item("mei"), version=""))


def test_posts_of_one_author_in_a_row_are_counted() -> None:
    authors = [_item(name) for name in ("a", "b", "b", "b", "a", "a")]

    assert longest_run(_feed(*authors)) == 3
    assert longest_run(_feed()) == 0


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
)


def test_a_whole_path_has_nothing_broken_and_all_the_figures() -> None:
    assert _WHOLE.broken() == []
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
        ({"events_in_features": 5999}, "6000 events were sent but 5999 counted"),
        ({"events_in_features": 6001}, "6000 events were sent but 6001 counted"),
        ({"model_version": ""}, "no model ranks the feed"),
        ({"feed_items": 0}, "the feed is empty"),
        ({"explore_share": 0.04}, "0.040 of the feed is explore"),
        ({"explore_share": 0.16}, "0.160 of the feed is explore"),
        ({"longest_run": 3}, "3 posts of one author in a row"),
        ({"scores_moved_by_likes": 0}, "likes moved no score"),
    ],
)
def test_each_break_of_the_path_is_named(change: dict[str, float], reason: str) -> None:
    assert replace(_WHOLE, **change).broken() == [reason]  # type: ignore[arg-type]
