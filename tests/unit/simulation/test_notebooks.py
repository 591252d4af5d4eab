from pathlib import Path

import nbformat
import pytest

from simulation.errors import BrokenPathError
from simulation.notebooks import run_notebooks
from simulation.stages import SilentStages


def _write(path: Path, *cells: str) -> None:
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), path)


def test_notebooks_run_in_order_beside_their_files_with_the_stack_s_environment(tmp_path: Path) -> None:
    _write(tmp_path / "01_first.ipynb", "open('seen', 'w').write(__import__('os').environ['PHOTOFEED_STATE_DIR'])")
    _write(tmp_path / "02_second.ipynb", "assert open('seen').read() == '/a/stack'")
    names = run_notebooks(tmp_path, {"PHOTOFEED_STATE_DIR": "/a/stack"}, SilentStages())
    assert names == ["01_first", "02_second"]


def test_a_cell_that_fails_is_named_with_its_error(tmp_path: Path) -> None:
    _write(tmp_path / "03_broken.ipynb", "1 + 1", "raise ValueError('no such feature')")
    with pytest.raises(BrokenPathError, match=r"03_broken\.ipynb: ValueError: no such feature"):
        run_notebooks(tmp_path, {}, SilentStages())


def test_a_folder_without_notebooks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BrokenPathError, match="no notebooks"):
        run_notebooks(tmp_path, {}, SilentStages())
