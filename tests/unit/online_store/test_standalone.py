"""The package can be used outside photofeed, and read with where Feast is not installed."""

import ast
import subprocess
import sys
from pathlib import Path

import photofeed.online_store

PACKAGE = Path(photofeed.online_store.__file__).parent


def test_it_imports_nothing_else_of_photofeed() -> None:
    imported = {
        node.module
        for file in PACKAGE.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("photofeed")
    }
    assert imported
    assert all(module.startswith("photofeed.online_store") for module in imported)


def test_reading_and_writing_rows_imports_neither_feast_nor_pandas() -> None:
    program = "import sys, photofeed.online_store; print(sorted({'feast', 'pandas', 'pyarrow'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    assert answer.stdout.strip() == "[]"
