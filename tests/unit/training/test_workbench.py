"""`training.workbench` is the one module of training that notebooks import."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from training import workbench

REPOSITORY = Path(__file__).resolve().parents[3]
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))


def _imports(source: str) -> Iterator[tuple[str, list[str]]]:
    """(module, imported names) of every import in the source, in functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            yield node.module or "", [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)


def _code(notebook: Path) -> str:
    cells = [cell["source"] for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
    return "\n".join(line for cell in cells for line in "".join(cell).splitlines() if not line.startswith("%"))


def test_there_are_five_notebooks() -> None:
    assert [notebook.name[:3] for notebook in NOTEBOOKS] == ["01_", "02_", "03_", "04_", "05_"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_notebooks_import_only_the_workbench_from_training(notebook: Path) -> None:
    of_training = {
        module: names for module, names in _imports(_code(notebook)) if module.partition(".")[0] == "training"
    }
    assert list(of_training) == ["training.workbench"]
    assert set(of_training["training.workbench"]) <= set(workbench.__all__)


@pytest.mark.parametrize("name", workbench.__all__)
def test_every_public_name_is_exported(name: str) -> None:
    exported = getattr(workbench, name)
    assert exported.__name__.rpartition(".")[2] == name if hasattr(exported, "__name__") else name.isupper()


def test_type_checkers_see_the_same_names_from_the_same_modules() -> None:
    """The imports under TYPE_CHECKING and the names that are resolved at run time are two lists: they must agree."""
    static = {name: module for module, names in _imports(Path(workbench.__file__).read_text()) for name in names}
    assert static.keys() >= set(workbench.__all__)
    for name in workbench.__all__:
        exported, module = getattr(workbench, name), sys.modules[static[name]]
        assert exported is getattr(module, name)


def test_a_name_that_is_not_exported_is_reported() -> None:
    with pytest.raises(AttributeError, match=r"'training\.workbench' has no attribute 'trian'"):
        workbench.__getattr__("trian")


def test_one_name_does_not_import_everything() -> None:
    code = (
        "import sys\n"
        "from training.workbench import auc\n"
        "heavy = {'feast', 'mlflow', 'lightgbm', 'pandas', 'duckdb', 'training.pipeline'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
