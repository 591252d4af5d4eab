"""Scores models of other kinds by ONNX Runtime: boosting of other libraries, linear models, neural networks."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from photofeed.arrays import FloatArray
from photofeed.models.scorer.errors import UnsupportedModelError
from photofeed.models.scorer.scorer import require_matrix
from photofeed.models.version_scores import blend

TOLERANCE: Final = 1e-5
"""How far the scores of two machines may be apart, relative and absolute: sums of float32 depend on their order."""

_TYPES: Final[dict[str, type[np.float32] | type[np.float64]]] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,  # what converters make of a model that was fitted to the float64 of pandas
}
_MATRIX_DIMENSIONS = 2

Outputs = Mapping[str, Sequence[float]]


class OnnxScorer:
    """One score per row: the weighted sum of the columns of a model's outputs.

    Args:
        model: a serialized ONNX model with one input, float32 or float64 (any number of rows, features), and no
            external data.
        outputs: name of an output -> a weight for each of its columns. Outputs that are not named are not computed. An
            output of several columns may be flat, row after row, as skl2onnx converts neural networks.

    Raises:
        UnsupportedModelError: the model is of another form; the message says what.
    """

    engine = "onnx"

    def __init__(self, model: bytes, outputs: Outputs) -> None:
        self._session = _session(model)
        self._input, self._type, self.features = _only_input(self._session)
        there = {output.name: output.type for output in self._session.get_outputs()}
        for name in outputs:
            if name not in there:
                raise UnsupportedModelError(f"no output is named {name!r}; there are {', '.join(there)}")
            if there[name] not in _TYPES:
                raise UnsupportedModelError(f"output {name!r} is a {there[name]}, must be a tensor of floats")
        self._weights = {name: _weights(name, weights) for name, weights in outputs.items()}
        if not any(weights.any() for weights in self._weights.values()):
            raise UnsupportedModelError("the weights of at least one output are needed, and one that is not 0")
        self.warm_up()

    def score(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Score rows; see Scorer.

        Raises:
            UnsupportedModelError: an output has another shape than (rows, columns with a weight).
        """
        require_matrix(matrix, self.features)
        if not len(matrix):
            return np.empty(0, np.float64)
        values = self._session.run(list(self._weights), {self._input: matrix.astype(self._type, copy=False)})
        try:
            return blend(self._weights, values, len(matrix))
        except ValueError as error:
            raise UnsupportedModelError(str(error)) from error

    def warm_up(self) -> None:
        """Score one row, and several: a model may take a fixed number only.

        Raises:
            UnsupportedModelError: the model fails.
        """
        for rows in (1, 3):
            try:
                self.score(np.zeros((rows, self.features), np.float32))
            except UnsupportedModelError:
                raise
            except Exception as error:
                raise UnsupportedModelError(f"the model cannot score {rows} rows: {error}") from error


def output_columns(model: bytes) -> dict[str, int | None]:
    """The outputs of a model that can be blended, and their number of columns; None if the model does not tell.

    Raises:
        UnsupportedModelError: it is not an ONNX model.
    """
    columns: dict[str, int | None] = {}
    for output in _session(model).get_outputs():
        if output.type in _TYPES:
            last = output.shape[-1] if len(output.shape) == _MATRIX_DIMENSIONS else 1
            columns[output.name] = last if isinstance(last, int) else None
    return columns


def _weights(output: str, weights: Any) -> FloatArray:
    try:
        given = np.array(weights, np.float64)
    except (TypeError, ValueError):
        given = np.array(np.nan)
    if given.ndim != 1 or not np.isfinite(given).all():
        raise UnsupportedModelError(f"the weights of output {output!r} must be a list of finite numbers")
    return given


def _session(model: bytes) -> Any:
    import onnxruntime  # noqa: PLC0415  slow to import, and most servers never need it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    except Exception as error:
        raise UnsupportedModelError(f"ONNX Runtime cannot load the model: {error}") from error


def _only_input(session: Any) -> tuple[str, type[np.float32] | type[np.float64], int]:
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise UnsupportedModelError(f"{len(inputs)} inputs, must be one: {', '.join(one.name for one in inputs)}")
    (one,) = inputs
    if one.type not in _TYPES or len(one.shape) != _MATRIX_DIMENSIONS or not isinstance(one.shape[1], int):
        shape = f"{one.type} of the shape {one.shape}"
        raise UnsupportedModelError(f"input {one.name!r} is a {shape}, must be float32 or float64 of (rows, features)")
    return one.name, _TYPES[one.type], one.shape[1]
