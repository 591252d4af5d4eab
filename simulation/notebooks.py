"""Notebooks, run top to bottom on a stack that runs."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from simulation.errors import BrokenPathError
from simulation.stages import Stages

SLOWEST_CELL_SECONDS = 600


def run_notebooks(folder: Path, environment: Mapping[str, str], stages: Stages) -> Sequence[str]:
    """Execute every notebook of a folder in the order of their names, each in a fresh kernel; nothing is written.

    Returns their names.

    Raises:
        BrokenPathError: there are none, or a cell failed; the message has the notebook and the error.
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
