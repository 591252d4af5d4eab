"""Progress of long runs."""

from io import StringIO

import pytest
from rich.console import Console

from simulation.stages import ConsoleStages


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
