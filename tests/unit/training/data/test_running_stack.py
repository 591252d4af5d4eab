from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from photofeed import bundled
from photofeed.errors import NotFoundError
from photofeed.settings import STACK_ENV_FILE, Settings
from training.data import running_stack
from training.data.running_stack import open_workbench

STACK_ENV = "PHOTOFEED_ENV=dev\n"  # as an embedded stack writes it


@pytest.fixture(autouse=True)
def restored_logs() -> Iterator[None]:
    configuration = structlog.get_config()
    yield
    structlog.configure(**configuration)


@pytest.fixture(autouse=True)
def without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("PHOTOFEED_STATE_DIR", "PHOTOFEED_FEATURE_REPO", "PHOTOFEED_DATABASE_URL"):
        monkeypatch.setenv(variable, "")  # removed again after the test, whatever the workbench sets
        monkeypatch.delenv(variable)


@dataclass
class OpenedSources:
    settings: Settings


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Settings]:
    """Open the workbench without servers; the settings that its sources were opened with."""

    class Sources:
        open = OpenedSources

    monkeypatch.setattr(running_stack, "Sources", Sources)

    def open_it() -> Settings:
        sources: Any = open_workbench().sources
        settings: Settings = sources.settings
        return settings

    return open_it


def test_a_notebook_without_a_stack_is_told_how_to_start_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotFoundError, match=r"no stack was started in .*photofeed demo"):
        open_workbench()


def test_a_notebook_finds_the_stack_and_the_feature_repo_of_a_folder_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Callable[[], Settings]
) -> None:
    for file in (Path(".photofeed") / STACK_ENV_FILE, Path("feature_repo/feature_store.yaml"), Path("notebooks/x")):
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).touch()
    (tmp_path / ".photofeed" / STACK_ENV_FILE).write_text(STACK_ENV)
    monkeypatch.chdir(tmp_path / "notebooks")
    settings = opened()
    assert settings.state_dir == tmp_path / ".photofeed"
    assert settings.feature_repo == tmp_path / "feature_repo"


def test_outside_a_checkout_a_notebook_uses_the_feature_repo_that_came_with_photofeed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Callable[[], Settings]
) -> None:
    (tmp_path / ".photofeed").mkdir()
    (tmp_path / ".photofeed" / STACK_ENV_FILE).write_text(STACK_ENV)
    monkeypatch.chdir(tmp_path)
    settings = opened()
    assert settings.state_dir == tmp_path / ".photofeed"
    assert settings.feature_repo == bundled.feature_repo()


def test_a_traceback_in_a_notebook_has_no_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Callable[[], Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    """Outputs are stored in notebooks, and variables of functions hold passwords."""
    structlog.reset_defaults()
    (tmp_path / ".photofeed").mkdir()
    (tmp_path / ".photofeed" / "stack.env").write_text(STACK_ENV)
    monkeypatch.chdir(tmp_path)
    opened()
    try:
        password = "of-the-" + "database"
        raise ValueError(len(password))
    except ValueError as error:
        structlog.get_logger().error("no answer", exc_info=error)
    printed = capsys.readouterr().out
    assert "ValueError: 15" in printed
    assert "of-the-database" not in printed
