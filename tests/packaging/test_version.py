import re
import tomllib
from importlib.metadata import version
from pathlib import Path

from photofeed.settings import Settings
from serving.app import create_app

ROOT = Path(__file__).parents[2]


def declared_version() -> str:
    project: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project["version"]


def test_the_api_reports_the_declared_version() -> None:
    assert version("photofeed") == declared_version()
    assert create_app(Settings()).version == declared_version()


def test_the_newest_entry_of_the_changelog_is_the_declared_version() -> None:
    entries = re.findall(r"^## \[([^\]]+)\] - ", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert entries[0] == declared_version()
