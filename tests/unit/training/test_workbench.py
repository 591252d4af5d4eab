from pathlib import Path

import pytest

from photofeed.errors import NotFoundError
from training.workbench import PROJECT_MARK, open_workbench


def test_a_notebook_outside_a_project_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotFoundError, match="not inside the project"):
        open_workbench()


def test_a_notebook_without_a_stack_is_told_how_to_start_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / PROJECT_MARK).parent.mkdir()
    (tmp_path / PROJECT_MARK).touch()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    for variable in ("PHOTOFEED_STATE_DIR", "PHOTOFEED_FEATURE_REPO", "PHOTOFEED_DATABASE_URL"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.setenv(variable, "")  # restored to its absence after the test, whatever the workbench sets
        monkeypatch.delenv(variable)
    with pytest.raises(NotFoundError, match="make demo"):
        open_workbench()
