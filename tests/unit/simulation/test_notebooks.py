from pathlib import Path

import nbformat
import pytest

from simulation.errors import BrokenPathError
from simulation.notebooks import run_notebooks
from tests.doubles.silent_stages import SilentStages


def _write(path: Path, *cells: str) -> None:
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), path)


def test_notebooks_run_in_order_of_name_with_the_stacks_environment(tmp_path: Path) -> None:
    _write(tmp_path / "01_first.ipynb", "open('seen', 'w').write(__import__('os').environ['PHOTOFEED_STATE_DIR'])")
    _write(tmp_path / "02_second.ipynb", "assert open('seen').read() == '/a/stack'")
    names = run_notebooks(tmp_path, {"PHOTOFEED_STATE_DIR": "/a/stack"}, SilentStages())
    assert names == ["01_first", "02_second"]


def test_a_failed_cell_is_an_error_with_the_notebooks_name(tmp_path: Path) -> None:
    _write(tmp_path / "03_broken.ipynb", "1 + 1", "raise ValueError('no such feature')")
    with pytest.raises(BrokenPathError, match=r"03_broken\.ipynb: ValueError: no such feature"):
        run_notebooks(tmp_path, {}, SilentStages())


def test_a_folder_without_notebooks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BrokenPathError, match="no notebooks"):
        run_notebooks(tmp_path, {}, SilentStages())
