"""Runs notebooks from top to bottom on a running stack."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from simulation.errors import BrokenPathError
from simulation.stages import Stages

SLOWEST_CELL_SECONDS = 600


def run_notebooks(folder: Path, environment: Mapping[str, str], stages: Stages) -> Sequence[str]:
    """Execute all notebooks of a folder in order of name, each in a new kernel, and return their names.

    The notebook files are not changed.

    Raises:
        BrokenPathError: the folder has no notebook, or a cell failed; the message names the notebook and the error.
    """
    notebooks = sorted(folder.glob("*.ipynb"))
    if not notebooks:
        raise BrokenPathError(f"there are no notebooks in {folder}")
    with stages.stage("notebooks", len(notebooks)) as advance:
        for notebook in notebooks:
            _run(notebook, environment)
            advance(1)
    return [notebook.stem for notebook in notebooks]


def _run(notebook: Path, environment: Mapping[str, str]) -> None:
    try:
        import nbformat  # noqa: PLC0415  a second; only smoke tests run notebooks
        from nbclient import NotebookClient  # noqa: PLC0415
        from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError  # noqa: PLC0415
    except ImportError as error:
        raise BrokenPathError(f"{error}: notebooks need `pip install photofeed[notebooks]`") from error

    client = NotebookClient(
        nbformat.read(notebook, as_version=4),
        timeout=SLOWEST_CELL_SECONDS,
        resources={"metadata": {"path": str(notebook.parent)}},
    )
    try:
        client.execute(env={**os.environ, **environment})
    except CellExecutionError as error:
        raise BrokenPathError(f"{notebook.name}: {error.ename}: {error.evalue}\n{error.traceback}") from error
    except (CellTimeoutError, DeadKernelError) as error:
        raise BrokenPathError(f"{notebook.name}: {error}") from error
