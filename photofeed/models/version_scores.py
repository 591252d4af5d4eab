"""The scores of a registered version for `mlflow.pyfunc`: those of servers, for the frames that people have.

Registration copies this file into each version as the loader of its `python_function` flavour
(training/registry/scored_flavour.py). It must run where photofeed is not installed: it imports numpy and the engine of
the version only.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONTRACT_FILE = "extra_files/contract.json"
"""Path of the contract in the folder of a version."""
ONNX = "onnx"
"""The engine of ONNX models; all others are of LightGBM."""


class VersionScores:
    """What `mlflow.pyfunc.load_model` returns the scores of: a version in a local folder."""

    def __init__(self, folder: Path, model: Path) -> None:
        contract = json.loads((folder / CONTRACT_FILE).read_bytes())
        self._names: list[str] = contract["feature_names"]
        onnx = contract["engine"] == ONNX
        self._score = _onnx(model, dict(contract["outputs"])) if onnx else _lightgbm(model)

    def predict(self, frame: Any, params: Any = None) -> NDArray[np.float64]:  # noqa: ARG002  MLflow passes both
        """The scores, (rows,) float64, of a pandas.DataFrame with a column for each feature; see `matrix_of`."""
        matrix = matrix_of(frame, self._names)
        return self._score(matrix) if len(matrix) else np.empty(0, np.float64)


def matrix_of(frame: Any, names: Sequence[str]) -> NDArray[np.float32]:
    """The columns of a pandas.DataFrame by name, (rows, names) float32, C-contiguous. Missing values become NaN.

    Columns may be in any order and of any number type, also bool or nullable, and others may be beside them.

    Raises:
        ValueError: a column is missing or holds no numbers.
    """
    lacking = [name for name in names if name not in frame.columns]
    if lacking:
        raise ValueError(f"the frame lacks the columns {', '.join(lacking)}")
    matrix = np.empty((len(frame), len(names)), np.float32)
    for at, name in enumerate(names):
        column = frame[name]
        if column.dtype == object:
            column = column.convert_dtypes()  # numbers beside None or pandas.NA
        if column.dtype == object and column.isna().all():
            matrix[:, at] = np.nan
        elif column.dtype.kind in "fiub":
            matrix[:, at] = column.to_numpy(np.float32, na_value=np.nan)
        else:
            raise ValueError(f"column {name} holds {column.dtype}, must be numbers")
    return matrix


def blend(outputs: Mapping[str, Any], values: Sequence[NDArray[Any]], rows: int) -> NDArray[np.float64]:
    """One score per row, (rows,): the sum over outputs of their columns by weight.

    An output of several columns may be flat, row after row, as skl2onnx converts neural networks.

    Args:
        outputs: name -> weights of its columns.
        values: what the model computed, in the same order.
        rows: number of rows.

    Raises:
        ValueError: an output has another shape than (rows, weights).
    """
    scores = np.zeros(rows, np.float64)
    for (name, weights), value in zip(outputs.items(), values, strict=True):
        rows_first = value.ndim and len(value) in (rows, value.size)
        if value.size != rows * len(weights) or not rows_first:
            shape = f"{rows} rows and {len(weights)} weights"
            raise ValueError(f"output {name!r} has the shape {value.shape} for {shape}")
        scores += value.reshape(rows, len(weights)).astype(np.float64) @ np.asarray(weights, np.float64)
    return scores


def _load_pyfunc(path: str) -> VersionScores:
    """MLflow calls this with the path of the model's file, which is in the folder of the version."""
    model = Path(path)
    return VersionScores(model.parent, model)


def _lightgbm(model: Path) -> Any:
    import lightgbm  # noqa: PLC0415  only one of the engines is installed where a version is loaded

    booster = lightgbm.Booster(model_file=model)
    return lambda matrix: booster.predict(matrix, raw_score=True)


def _onnx(model: Path, outputs: Mapping[str, Sequence[float]]) -> Any:
    import onnxruntime  # noqa: PLC0415

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    (only,) = session.get_inputs()
    given = np.float64 if only.type == "tensor(double)" else np.float32

    def score(matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        values = session.run(list(outputs), {only.name: matrix.astype(given, copy=False)})
        return blend(outputs, values, len(matrix))

    return score
