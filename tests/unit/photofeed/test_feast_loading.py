import copy
import importlib.util
import subprocess
import sys
from pathlib import Path

import feast
import typeguard

import photofeed.feast_loading
from photofeed.feast_loading import load_feast_unchecked

_PROGRAM = """
import photofeed, feast, typeguard

@typeguard.typechecked
def doubled(number: int) -> int:
    return 2 * number

try:
    doubled("2")
except typeguard.TypeCheckError:
    print("checked")
print(feast.FeatureView.__init__.__module__)
print(any("typeguard" in name for name in feast.FeatureView.__init__.__code__.co_names))
"""


def test_feast_is_loaded_without_checks_and_other_packages_keep_theirs(tmp_path: Path) -> None:
    program = tmp_path / "program.py"  # typeguard needs a file
    program.write_text(_PROGRAM)
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=False)  # noqa: S603
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["checked", "feast.feature_view", "False"]


def test_the_loader_answers_as_the_one_that_it_wraps() -> None:
    assert feast.__spec__ is not None
    loader = copy.copy(feast.__spec__.loader)
    assert loader.get_filename("feast") == feast.__file__
    assert "FeatureStore" in loader.get_source("feast")


def test_a_module_that_feast_does_not_have_is_not_found() -> None:
    assert importlib.util.find_spec("feast.no_such_module") is None
    assert importlib.util.find_spec("feast.feature_view") is not None


def test_asking_twice_changes_nothing() -> None:
    before = list(sys.meta_path)
    load_feast_unchecked()
    assert sys.meta_path == before
    assert typeguard.typechecked is not photofeed.feast_loading._unchecked
