"""What so many people need."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from photofeed import capacity
from photofeed.capacity import Demand, Habits, Need, first_to_break, habits_with, needs
from photofeed.errors import InvalidError
from tests.command_line import photofeed

ROOT = Path(__file__).parents[3]
SMALL = Demand(people=10_000, posts_per_day=2_000, feeds_per_second=5)
LARGE = Demand(people=500e6, posts_per_day=100e6, feeds_per_second=100_000)


def _amounts(demand: Demand) -> dict[str, float]:
    return {need.name: need.amount for need in needs(demand)}


def test_the_sums_are_those_of_the_measured_figures() -> None:
    amounts = _amounts(SMALL)
    assert amounts["API cores"] == pytest.approx(5 * 3 / 240 / 0.6)
    assert amounts["photo cores"] == pytest.approx(2_000 / 86_400 * 3 * capacity.PHOTO_CORE_SECONDS.value / 0.6)
    assert amounts["Redis: pairs"] == pytest.approx(10_000 * 100 * capacity.PAIR_ROW.value / 1e9)


def test_ten_times_the_demand_needs_ten_times_as_much_except_for_what_is_bounded() -> None:
    more = replace(
        LARGE,
        people=10 * LARGE.people,
        posts_per_day=10 * LARGE.posts_per_day,
        feeds_per_second=10 * LARGE.feeds_per_second,
    )
    for name, amount in _amounts(LARGE).items():
        assert _amounts(more)[name] == pytest.approx(10 * amount), name


def test_a_timeline_is_never_longer_than_it_is_kept() -> None:
    eager = replace(SMALL, habits=Habits(follows=1e6))
    assert _amounts(eager)["Redis: timelines"] == pytest.approx(10_000 * 800 * capacity.TIMELINE_ENTRY.value / 1e9)


def test_what_breaks_first_is_what_exceeds_its_limit_most() -> None:
    assert first_to_break(needs(SMALL)) == []
    found = [
        Need("a", 3, "", "", limit=2),
        Need("b", 9, "", "", limit=3),
        Need("c", 1, "", "", limit=2),
        Need("d", 9, "", ""),
    ]
    assert [need.name for need in first_to_break(found)] == ["b", "a"]
    assert "features cores" in [need.name for need in first_to_break(needs(LARGE))]


@pytest.mark.parametrize(
    "change",
    [
        "follow=3",
        "follows",
        "follows=",
        "follows=many",
        "follows=-1",
        "follows=nan",
        "follows=inf",
        "utilisation=1.5",
        "edge_hit_rate=2",
        "=3",
    ],
)
def test_a_wrong_habit_is_refused(change: str) -> None:
    with pytest.raises(InvalidError):
        habits_with([change])


def test_habits_can_be_changed() -> None:
    assert habits_with(["follows=300", "peak=2"]) == Habits(follows=300, peak=2)


def test_every_figure_names_a_target_of_the_makefile() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    for figure in capacity.FIGURES:
        assert figure.value > 0
        assert figure.command.removeprefix("make ") in targets


def test_the_table_of_the_document_is_what_the_command_prints() -> None:
    document = (ROOT / "docs" / "scale.md").read_text()
    command = re.search(r"^photofeed (size .*)$", document, flags=re.MULTILINE)
    assert command
    block = document[command.end() :].partition("```\n\n```\n")[2].partition("```")[0]
    done = photofeed(*command[1].split())
    assert done.returncode == 0, done.stderr
    assert done.stdout == block


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "1e300", "many", ""])
@pytest.mark.parametrize("name", ["people", "posts-per-day", "feeds-per-second"])
def test_the_command_refuses_numbers_that_mean_nothing(name: str, value: str) -> None:
    numbers = {"people": "1000", "posts-per-day": "10", "feeds-per-second": "1"} | {name: value}
    done = photofeed("size", *(f"--{each}={number}" for each, number in numbers.items()))
    assert done.returncode == 2
    assert f"'--{name}'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_refuses_bad_input_in_one_line_and_prints_json() -> None:
    arguments = ("size", "--people", "1000", "--posts-per-day", "10", "--feeds-per-second", "1")
    refused = photofeed(*arguments, "--assume", "follow=1")
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
    document = json.loads(photofeed(*arguments, "--json").stdout)
    assert {need["name"] for need in document["needs"]} == set(_amounts(SMALL))
    assert document["breaks"] == []
