"""Progress of long runs."""

from io import StringIO

import pytest
from rich.console import Console

from simulation.stages import LINE_EVERY_SECONDS, ConsoleStages, in_words, time_left


@pytest.mark.parametrize("is_terminal", [True, False])
def test_the_duration_of_each_stage_is_kept(is_terminal: bool) -> None:
    out = StringIO()
    stages = ConsoleStages(Console(file=out, force_terminal=is_terminal, width=80))
    for title in ("start", "train"):
        with stages.stage(title, 2) as advance:
            advance(2)
    assert list(stages.seconds) == ["start", "train"]
    assert all(seconds >= 0 for seconds in stages.seconds.values())
    assert "train" in out.getvalue()


def test_a_stage_that_failed_has_no_duration() -> None:
    stages = ConsoleStages(Console(file=StringIO()))

    def fail() -> None:
        with stages.stage("start"):
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert stages.seconds == {}


def test_a_file_gets_a_line_with_the_time_left_now_and_then() -> None:
    out, now = StringIO(), [0.0]
    stages = ConsoleStages(Console(file=out), clock=lambda: now[0])
    with stages.stage("upload", 40) as advance:
        for _ in range(4):
            advance(10)
            now[0] += LINE_EVERY_SECONDS / 2 + 1
    assert out.getvalue().splitlines() == ["upload: 30 of 40, 6 s left", "upload: 34.0 s"]


def test_a_terminal_shows_the_time_left_also_of_a_stage_without_steps() -> None:
    out = StringIO()
    stages = ConsoleStages(Console(file=out, force_terminal=True, width=100))
    with stages.stage("train", usual_seconds=90):
        pass
    assert " s left" in out.getvalue()


def test_the_time_left_follows_the_pace_so_far() -> None:
    assert time_left(25, 100, 10) == "30 s left"
    assert time_left(0, 100, 10) == time_left(100, 100, 10) == ""
    assert in_words(-3) == "a moment left"
    assert in_words(290) == "5 min left"
