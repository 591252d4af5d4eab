"""What the wheel holds beside the packages, built here and used outside the checkout (`make wheel-check` does more)."""

import subprocess
import sys
from pathlib import Path
from shutil import copy, copytree, ignore_patterns

import pytest

from tests.packaging.empty_venv import run

ROOT = Path(__file__).parents[2]
FOLDERS = ("photofeed", "ingestion", "serving", "training", "simulation", "feature_repo", "clients/python")
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "NOTICE")

PROGRAM = """
import sys
from pathlib import Path
site = Path({site!r})
sys.path.insert(0, str(site))
from photofeed import bundled, database
from photofeed.settings import Settings
from training.promotion.gate_file import load_gates
for file in (bundled.web_app() / "index.html", Settings().feature_repo / "feature_store.yaml"):
    assert file.is_relative_to(site) and file.is_file(), file
import photofeed_client.generated.models
assert Path(photofeed_client.__file__).is_relative_to(site)
migrations = Path(database.__file__).with_name("migrations")
assert migrations.is_relative_to(site) and (migrations / "env.py").is_file()
load_gates()
print(len(list(migrations.glob("versions/*.py"))))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel would install."""
    source = tmp_path_factory.mktemp("source")
    for folder in FOLDERS:
        copytree(ROOT / folder, source / folder, ignore=ignore_patterns("__pycache__"))
    for file in FILES:
        copy(ROOT / file, source)
    (source / "web" / "dist").mkdir(parents=True)
    (source / "web" / "dist" / "index.html").write_text("<div id=app></div>")
    (source / "feature_repo" / ".mypy_cache").mkdir(exist_ok=True)
    (source / "feature_repo" / ".mypy_cache" / "cache.json").write_text("{}")
    target = tmp_path_factory.mktemp("installed") / "site"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "setup.py", "--quiet", "build_py", "--build-lib", target],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return target


def test_feature_repo_browser_app_gates_and_migrations_are_inside(site: Path, tmp_path: Path) -> None:
    program = PROGRAM.format(site=str(site))
    migrations = list((ROOT / "photofeed" / "migrations" / "versions").glob("*.py"))
    assert int(run(Path(sys.executable), program, tmp_path)) == len(migrations) > 10


def test_neither_caches_nor_the_metadata_of_other_distributions_are_inside(site: Path) -> None:
    names = {file.name for file in site.rglob("*")}
    assert {"feature_store.yaml", ".feastignore", "feed_ranker_v1.json"} <= names
    assert names & {".mypy_cache", "cache.json", "pyproject.toml"} == set()
