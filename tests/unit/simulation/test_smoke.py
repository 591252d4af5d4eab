import re
from dataclasses import replace

import pytest

from simulation.errors import BrokenPathError
from simulation.smoke import SmokeResult, folder_kept_if_broken, longest_run

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
)


def test_a_whole_path_has_nothing_broken_and_all_the_figures() -> None:
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
    with pytest.raises(BrokenPathError, match=f"^{re.escape(reason)}$"):
        replace(_WHOLE, **change).check()  # type: ignore[arg-type]


def test_the_folder_of_a_broken_run_is_kept_for_its_logs() -> None:
    with (
        pytest.raises(BrokenPathError, match=r"no photo .state and logs kept in ") as broken,
        folder_kept_if_broken() as folder,
    ):
        raise BrokenPathError("no photo")

    assert str(folder) in str(broken.value)
    folder.rmdir()


def test_the_folder_of_a_whole_run_is_removed() -> None:
    with folder_kept_if_broken() as folder:
        (folder / "postgres").mkdir()

    assert not folder.exists()


def test_posts_of_one_author_in_a_row_are_counted() -> None:
    assert longest_run("abbbaa") == 3
    assert longest_run("ab") == 1
    assert longest_run("") == 0
