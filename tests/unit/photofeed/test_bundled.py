import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from photofeed import bundled
from photofeed.settings import Settings

ROOT = Path(__file__).parents[3]


@pytest.fixture
def installed(tmp_path: Path) -> ModuleType:
    """The module as a wheel installs it, with the bundled files beside it."""
    package = tmp_path / "site-packages" / "photofeed"
    for name in ("feature_repo", "web/dist"):
        (package / "_bundled" / name).mkdir(parents=True)
    file = shutil.copy(ROOT / "photofeed" / "bundled.py", package)
    spec = importlib.util.spec_from_file_location("installed_bundled", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_feature_repo_in_the_working_directory_is_used_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: ModuleType
) -> None:
    (tmp_path / "feature_repo").mkdir()
    monkeypatch.chdir(tmp_path)
    assert Settings().feature_repo == installed.feature_repo() == Path("feature_repo")


def test_without_one_a_checkout_uses_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings().feature_repo == ROOT / "feature_repo"
    assert bundled.web_app() == ROOT / "web" / "dist"


def test_without_one_an_installed_wheel_uses_the_bundled_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: ModuleType
) -> None:
    monkeypatch.chdir(tmp_path)
    inside = tmp_path / "site-packages" / "photofeed" / "_bundled"
    assert installed.feature_repo() == inside / "feature_repo"
    assert installed.web_app() == inside / "web" / "dist"
