"""`make kafka` says in one line what it lacks."""

import shutil
import subprocess
from pathlib import Path

import pytest

import tools.kafka.__main__ as command


@pytest.fixture(autouse=True)
def no_jars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "JARS", tmp_path)
    monkeypatch.setattr(command, "are_there", lambda: bool(list(tmp_path.glob("*.jar"))))


def _programs(monkeypatch: pytest.MonkeyPatch, *there: str) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name if name in there else None)


@pytest.mark.parametrize(("there", "missing"), [((), "java"), (("java",), "mvn")])
def test_a_missing_program_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], there: tuple[str, ...], missing: str
) -> None:
    _programs(monkeypatch, *there)
    assert command.main() == command.NOT_THERE
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"kafka: {missing} is missing")


def test_a_registry_that_does_not_serve_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _programs(monkeypatch, "java", "mvn")
    answer = subprocess.CompletedProcess[str]((), 1, "[INFO] x\n[ERROR] Could not transfer artifact\n[ERROR] more", "")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    assert command.main() == command.NOT_THERE
    assert capsys.readouterr().err == (
        "kafka: Maven's registry does not serve the jars: [ERROR] Could not transfer artifact\n"
    )


def test_jars_that_are_there_are_not_fetched_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _programs(monkeypatch)
    (tmp_path / "kafka_2.13-4.1.1.jar").touch()
    assert command.main() == 0
    assert capsys.readouterr().err == ""
