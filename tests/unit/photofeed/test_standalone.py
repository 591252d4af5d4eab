"""The packages that install by themselves need nothing else of photofeed, nor what they install only as an extra."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import photofeed

PACKAGES = ["photofeed.online_store", "photofeed.models.scorer"]


@pytest.mark.parametrize("package", PACKAGES)
def test_it_imports_nothing_else_of_photofeed(package: str) -> None:
    folder = Path(photofeed.__file__).parents[1].joinpath(*package.split("."))
    imported = {
        node.module
        for file in folder.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("photofeed")
    }
    assert imported
    assert [module for module in imported if not module.startswith(f"{package}.")] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_it_imports_no_extra(package: str) -> None:
    extras = {"feast", "pandas", "pyarrow", "lightgbm"}
    program = f"import sys, {package}; print(sorted({extras} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    assert answer.stdout.strip() == "[]"
