"""The code of tutorials runs, and a block that fails is found."""

from pathlib import Path

import pytest

from simulation.errors import BrokenPathError
from simulation.tutorials import blocks, run_tutorials
from tests.doubles.silent_stages import SilentStages

ROOT = Path(__file__).parents[3]


def test_only_marked_blocks_run_and_python_blocks_share_names(tmp_path: Path) -> None:
    (tmp_path / "one.md").write_text(
        '# One\n\n```\nmake demo\n```\n\n```python\nvalue = 40\n```\n\n```sh\ntest "$ANSWER" = 42\n```\n\n'
        "```python\nassert value + 2 == 42\n```\n"
    )
    assert run_tutorials(tmp_path, {"ANSWER": "42"}, SilentStages()) == ["one"]


@pytest.mark.parametrize("block", ["```python\n\nassert 1 == 2\n```", "```sh\nfalse | cat\n```"])
def test_a_block_that_fails_is_reported_by_the_name_of_its_tutorial(tmp_path: Path, block: str) -> None:
    (tmp_path / "broken.md").write_text(f"# Broken\n\n{block}\n")
    with pytest.raises(BrokenPathError, match=r"broken\.md"):
        run_tutorials(tmp_path, {}, SilentStages())


def test_a_folder_without_tutorials_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenPathError, match="no tutorials"):
        run_tutorials(tmp_path, {}, SilentStages())


def test_every_tutorial_of_the_documentation_has_code() -> None:
    tutorials = sorted((ROOT / "docs/tutorials").glob("*.md"))
    assert [one.stem for one in tutorials] == ["client", "data-scientist", "mlops", "own-catalogue"]
    assert [one.stem for one in tutorials if not list(blocks(one.read_text()))] == []
