import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from simulation.errors import BrokenPathError
from simulation.notebooks import outputs_are_stale, run_notebooks
from tests.doubles.silent_stages import SilentStages

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"
LARGEST_NOTEBOOK_BYTES = 500_000


def _read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


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


def test_outputs_are_stored_small_and_without_widgets_and_are_stale_once_the_code_changes(tmp_path: Path) -> None:
    path = tmp_path / "01_outputs.ipynb"
    _write(
        path,
        "import sys; print('a line'); print('a warning', file=sys.stderr)",
        "from IPython.display import HTML; HTML('<b>' + 'x' * 200_000 + '</b>')",
        "from IPython.display import display\ndisplay({'application/vnd.jupyter.widget-view+json': {}}, raw=True)",
    )
    run_notebooks(tmp_path, {}, SilentStages())
    assert not any(cell["outputs"] for cell in _read(path)["cells"])
    run_notebooks(tmp_path, {}, SilentStages(), keep_outputs=True)
    notebook = _read(path)
    nbformat.validate(notebook)
    lines, page, widget = (cell["outputs"] for cell in notebook["cells"])
    assert [line["text"] for line in lines] == ["a line\n"]
    assert list(page[0]["data"]) == ["text/plain"]
    assert widget == []
    assert not outputs_are_stale(notebook)
    notebook["cells"][0]["source"] += "\n1 + 1"
    assert outputs_are_stale(notebook)


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_stored_outputs_of_a_notebook_are_those_of_its_code(path: Path) -> None:
    stale = outputs_are_stale(json.loads(path.read_text()))
    assert not stale, "run `make notebook-outputs`"
    assert path.stat().st_size <= LARGEST_NOTEBOOK_BYTES
