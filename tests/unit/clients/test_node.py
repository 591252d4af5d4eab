"""The browser app's and the TypeScript client's own tests, in Node, so that `make test` runs all tests."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("folder", ["clients/typescript", "web"])
def test_all_tests_of_a_package_pass(folder: str) -> None:
    package = ROOT / folder
    npm = shutil.which("npm")
    if npm is None or not (package / "node_modules").is_dir():
        pytest.skip(f"npm or {folder}/node_modules is missing: install nodejs 20 or later, run make clients web")
    files = list((package / "test").glob("*.test.ts"))
    assert files
    done = subprocess.run([npm, "test"], cwd=package, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr
    (passed,) = re.findall(r"^\S pass (\d+)$", done.stdout, re.MULTILINE)
    assert int(passed) > len(files)
