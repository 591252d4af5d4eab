"""The run of all tests: parts at once, and a second run of the few that fail."""

from pathlib import Path

import pytest

from tools.run_tests import Part, run

STEADY = "def test_steady():\n    pass\n"
BROKEN = "def test_broken():\n    assert 0\n"
UNSTEADY = """
from pathlib import Path

def test_unsteady():
    been = Path(__file__).with_suffix(".been")
    if not been.exists():
        been.touch()
        raise AssertionError("only the first time")
"""


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Part]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they take seconds to import
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"test_{name}.py").write_text(STEADY)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return [Part("a", ("a",)), Part("b", ("b",))]


def test_both_parts_count(parts: list[Part], capfd: pytest.CaptureFixture[str]) -> None:
    assert run(parts, again=3) == 0
    assert capfd.readouterr().out.count("1 passed") == 2
    Path("b/test_b.py").write_text(BROKEN)
    assert run(parts, again=0) == 1
    Path("b/test_b.py").write_text(STEADY)
    Path("a/test_a.py").write_text(BROKEN)
    assert run(parts, again=0) == 1


def test_a_test_that_passes_alone_is_listed(parts: list[Part], capfd: pytest.CaptureFixture[str]) -> None:
    Path("a/test_a.py").write_text(STEADY + UNSTEADY)
    assert run(parts, again=0) == 1
    Path("a/test_a.been").unlink()
    assert run(parts, again=1) == 0
    printed = capfd.readouterr().out
    assert "UNSTEADY a/test_a.py::test_unsteady: failed, then passed alone" in printed
    assert "test_steady:" not in printed


@pytest.mark.parametrize("more", [BROKEN, "import nothing_of_this_name\n"])
def test_what_fails_twice_fails(parts: list[Part], more: str) -> None:
    Path("a/test_a.py").write_text(STEADY + UNSTEADY)
    Path("b/test_b.py").write_text(more)
    assert run(parts, again=3) != 0


def test_many_failures_are_not_run_again(parts: list[Part], capfd: pytest.CaptureFixture[str]) -> None:
    Path("a/test_a.py").write_text(UNSTEADY)
    Path("b/test_b.py").write_text(UNSTEADY)
    assert run(parts, again=1) == 1
    assert "once more" not in capfd.readouterr().out
