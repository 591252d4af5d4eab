from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console
from rich.text import Text

from simulation.replies import Feed, FeedItem
from simulation.report import feed_table

NOW = datetime(2025, 11, 3, 12, tzinfo=UTC)


def _item(author: str, *, age: timedelta = timedelta(hours=3), score: float | None = 1.25) -> FeedItem:
    return FeedItem(
        source="explore",
        score=score,
        reason="You like the sea",
        receipt="r",
        post_id="p",
        author_id=author,
        author_handle=author,
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
    return Feed("slate", "model" if version else "recency", version, items)


def _printed(feed: Feed, width: int = 140) -> str:
    out = StringIO()
    Console(file=out, width=width).print(feed_table("Mei Lund", feed, NOW))
    return out.getvalue()


def test_the_table_shows_author_caption_age_source_score_and_reason() -> None:
    printed = _printed(_feed(_item("mei"), _item("noor", age=timedelta(minutes=5), score=None)))

    assert "The feed of Mei Lund, ranked by model 3" in printed
    for expected in ("@mei", "A caption that goes on", "…", "3 h", "5 min", "explore", "1.250", "You like the sea"):
        assert expected in printed


def test_a_post_is_one_line_of_a_terminal_with_80_columns() -> None:
    long = replace(_item("a.person.with.a.long.name"), reason="Because you often like @a.person.with.a.long.name")
    lines = [line.rstrip() for line in _printed(_feed(*[long] * 9), width=80).splitlines() if line.strip()]
    assert max(map(len, lines)) <= 80
    assert len([line for line in lines if "@a.person" in line]) == 9
    assert len(lines) == 9 + 3  # title, names of the columns and a rule
    assert all("A caption" in line and "Because" in line for line in lines[3:])


def test_posts_are_numbered_from_one() -> None:
    table = feed_table("Mei Lund", _feed(_item("mei"), _item("noor")), NOW)

    assert [list(column.cells)[:2] for column in table.columns[:2]] == [["1", "2"], [Text("@mei"), Text("@noor")]]


@pytest.mark.parametrize(
    ("age", "shown"),
    [
        (timedelta(minutes=-3), "0 min"),
        (timedelta(0), "0 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=47, minutes=59), "47 h"),
        (timedelta(hours=48), "2 d"),
        (timedelta(3), "3 d"),
    ],
)
def test_ages_are_in_minutes_hours_or_days(age: timedelta, shown: str) -> None:
    assert shown in _printed(_feed(_item("mei", age=age)))


def test_the_title_names_the_ranking_if_no_model_ranked() -> None:
    assert "ranked by recency" in _printed(_feed(_item("mei"), version=""))


def test_a_caption_with_rich_markup_is_shown_literally() -> None:
    assert "[b]bold[/x] harbour" in _printed(_feed(replace(_item("mei"), caption="[b]bold[/x] harbour")))
