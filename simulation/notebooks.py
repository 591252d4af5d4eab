"""Runs notebooks from top to bottom on a running stack, and stores what they print."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from simulation.errors import BrokenPathError
from simulation.stages import Stages

SLOWEST_CELL_SECONDS = 600
LARGEST_OUTPUT_BYTES = 120_000
"""Of one form of one output in a file: forms that are larger are shown by the others, at least as text."""

_DIGEST = "outputs_of"
_WIDGETS = "application/vnd.jupyter.widget"


def run_notebooks(
    folder: Path, environment: Mapping[str, str], stages: Stages, *, keep_outputs: bool = False
) -> Sequence[str]:
    """Execute all notebooks of a folder in order of name, each in a new kernel, and return their names.

    The notebook files are not changed, unless `keep_outputs` stores the outputs in them (see with_outputs).

    Raises:
        BrokenPathError: the folder has no notebook, or a cell failed; the message names the notebook and the error.
    """
    notebooks = sorted(folder.glob("*.ipynb"))
    if not notebooks:
        raise BrokenPathError(f"there are no notebooks in {folder}")
    with stages.stage("notebooks", len(notebooks)) as advance:
        for notebook in notebooks:
            executed = _run(notebook, environment)
            if keep_outputs:
                _write(notebook, with_outputs(executed))
            advance(1)
    return [notebook.stem for notebook in notebooks]


def code_digest(notebook: Mapping[str, Any]) -> str:
    """A hash of the code of a notebook (nbformat 4): outputs are those of its code if they were stored beside it."""
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return hashlib.blake2b(json.dumps(code).encode(), digest_size=8).hexdigest()


def outputs_are_stale(notebook: Mapping[str, Any]) -> bool:
    """Whether the outputs of a notebook are missing, or of other code than it has."""
    return bool(notebook["metadata"].get(_DIGEST) != code_digest(notebook))


def with_outputs(executed: Mapping[str, Any]) -> dict[str, Any]:
    """An executed notebook as it is stored: small, without widgets, times and warnings, with the hash of its code."""
    cells = [dict(cell) for cell in executed["cells"]]
    for cell in cells:
        if cell["cell_type"] == "code":
            cell["outputs"] = [kept for output in cell["outputs"] if (kept := _kept(output))]
            cell["metadata"] = {}
    metadata = {name: value for name, value in executed["metadata"].items() if name != "widgets"}
    return {**executed, "cells": cells, "metadata": metadata | {_DIGEST: code_digest(executed)}}


def _kept(output: Mapping[str, Any]) -> dict[str, Any] | None:
    if output.get("name") == "stderr":
        return None
    if "data" not in output:
        return dict(output)
    data: Mapping[str, Any] = output["data"]
    if any(form.startswith(_WIDGETS) for form in data):
        return None
    small = {form: shown for form, shown in data.items() if len(json.dumps(shown)) <= LARGEST_OUTPUT_BYTES}
    return {**output, "data": small} if small else None


def _write(notebook: Path, stored: Mapping[str, Any]) -> None:
    import nbformat  # noqa: PLC0415

    nbformat.write(nbformat.from_dict(stored), notebook)


def _run(notebook: Path, environment: Mapping[str, str]) -> Any:
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
        return client.execute(env={**os.environ, **environment})
    except CellExecutionError as error:
        raise BrokenPathError(f"{notebook.name}: {error.ename}: {error.evalue}\n{error.traceback}") from error
    except (CellTimeoutError, DeadKernelError) as error:
        raise BrokenPathError(f"{notebook.name}: {error}") from error
