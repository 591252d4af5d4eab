"""ONNX models score as their originals do; models of another form are refused with what is wrong."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPRegressor

from photofeed.models.onnx_scorer import TOLERANCE, OnnxScorer, output_columns
from photofeed.models.scorer import UnsupportedModelError

ROWS = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
LABELS = ROWS[:, 0] - ROWS[:, 1] * ROWS[:, 2]

FLOAT, INTEGER = TensorProto.FLOAT, TensorProto.INT64


def graph(
    nodes: list[Any],
    inputs: list[tuple[str, int, list[Any]]],
    outputs: list[tuple[str, int, list[Any]]],
    constants: list[Any] | None = None,
) -> bytes:
    """A serialized model of these nodes; inputs and outputs are (name, type, shape)."""
    values = [[helper.make_tensor_value_info(*one) for one in some] for some in (inputs, outputs)]
    made = helper.make_graph(nodes, "graph", *values, initializer=constants or [])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def heads(columns: int = 2) -> bytes:
    """The first columns of the input, as an output of so many columns, and their sum as another."""
    ends = [helper.make_tensor(n, INTEGER, [1], [v]) for n, v in (("zero", 0), ("end", columns), ("axis", 1))]
    nodes = [
        helper.make_node("Slice", ["x", "zero", "end", "axis"], ["some"]),
        helper.make_node("ReduceSum", ["some", "axis"], ["total"], keepdims=1),
    ]
    outputs = [("some", FLOAT, ["n", columns]), ("total", FLOAT, ["n", 1])]
    return graph(nodes, [("x", FLOAT, ["n", 4])], outputs, ends)


@pytest.mark.parametrize("rows", [0, 1, 7, 200])
def test_gradient_boosting_of_scikit_learn_scores_as_the_original(rows: int) -> None:
    original = GradientBoostingRegressor(n_estimators=20, random_state=0).fit(ROWS, LABELS)
    content = to_onnx(original, ROWS[:1]).SerializeToString()
    (name,) = output_columns(content)
    scorer = OnnxScorer(content, {name: [1.0]})
    assert (scorer.engine, scorer.features) == ("onnx", 4)
    got = scorer.score(ROWS[:rows])
    assert got.dtype == np.float64
    if rows:
        np.testing.assert_allclose(got, original.predict(ROWS[:rows]), rtol=TOLERANCE, atol=TOLERANCE)


def test_xgboost_scores_as_the_original() -> None:
    import xgboost
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    original = xgboost.XGBRegressor(n_estimators=20, max_depth=3, n_jobs=1).fit(ROWS, LABELS)
    model = convert_xgboost(original, initial_types=[("x", FloatTensorType([None, 4]))])
    content = model.SerializeToString()
    (name,) = output_columns(content)
    got = OnnxScorer(content, {name: [1.0]}).score(ROWS)
    np.testing.assert_allclose(got, original.predict(ROWS), rtol=TOLERANCE, atol=TOLERANCE)


def test_the_trees_of_an_xgboost_ranker_score_as_those_of_a_regression() -> None:
    """The recipe of docs/data-science.md."""
    import xgboost
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    ranker = xgboost.XGBRanker(n_estimators=20, max_depth=3, n_jobs=1)
    ranker.fit(ROWS, LABELS > 0, group=[80, 120])
    text = bytes(ranker.get_booster().save_raw("json")).replace(b"rank:ndcg", b"reg:squarederror")
    regression = xgboost.Booster(model_file=bytearray(text))
    content = convert_xgboost(regression, initial_types=[("x", FloatTensorType([None, 4]))]).SerializeToString()
    (name,) = output_columns(content)
    got = OnnxScorer(content, {name: [1.0]}).score(ROWS)
    np.testing.assert_allclose(got, ranker.predict(ROWS), rtol=TOLERANCE, atol=TOLERANCE)


def test_the_outputs_of_a_model_are_blended_by_their_weights() -> None:
    content = heads()
    assert output_columns(content) == {"some": 2, "total": 1}
    got = OnnxScorer(content, {"some": [2.0, -1.0], "total": [0.5]}).score(ROWS)
    expected = 2.0 * ROWS[:, 0] - ROWS[:, 1] + 0.5 * (ROWS[:, 0] + ROWS[:, 1])
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_a_classifier_is_blended_by_its_probabilities() -> None:
    original = LogisticRegression().fit(ROWS, LABELS > 0)
    content = to_onnx(original, ROWS[:1], options={"zipmap": False}).SerializeToString()
    got = OnnxScorer(content, {"probabilities": [0.0, 1.0]}).score(ROWS)
    np.testing.assert_allclose(got, original.predict_proba(ROWS)[:, 1], rtol=1e-5, atol=1e-5)


def test_the_heads_of_a_network_are_blended_though_its_converter_makes_one_column_of_them() -> None:
    targets = np.column_stack([LABELS, ROWS[:, 2], -LABELS])
    original = MLPRegressor(hidden_layer_sizes=(6,), max_iter=20, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it does not converge in 20 rounds
        original.fit(ROWS, targets)
    content = to_onnx(original, ROWS[:1]).SerializeToString()
    (name,) = output_columns(content)
    got = OnnxScorer(content, {name: [1.0, 0.5, -2.0]}).score(ROWS)
    np.testing.assert_allclose(got, original.predict(ROWS) @ [1.0, 0.5, -2.0], rtol=1e-4, atol=1e-4)


def test_a_model_that_was_fitted_to_float64_takes_its_input_as_such() -> None:
    original = LinearRegression().fit(ROWS.astype(np.float64), LABELS)
    content = to_onnx(original, ROWS[:1].astype(np.float64)).SerializeToString()
    (name,) = output_columns(content)
    np.testing.assert_allclose(OnnxScorer(content, {name: [1.0]}).score(ROWS), original.predict(ROWS), rtol=1e-6)


def _identity(inputs: list[tuple[str, int, list[Any]]], output: tuple[str, int, list[Any]]) -> Callable[[], bytes]:
    return lambda: graph([helper.make_node("Identity", [inputs[0][0]], [output[0]])], inputs, [output])


@pytest.mark.parametrize(
    ("content", "outputs", "said"),
    [
        (lambda: b"not a model", {"y": [1.0]}, "cannot load the model"),
        (heads, {"probability": [1.0]}, "no output is named 'probability'; there are some, total"),
        (heads, {}, "at least one output"),
        (heads, {"total": [float("nan")]}, "weights of output 'total' must be a list of finite numbers"),
        (heads, {"total": ["a"]}, "weights of output 'total' must be a list of finite numbers"),
        (heads, {"total": 1.0}, "weights of output 'total' must be a list of finite numbers"),
        (heads, {"some": [[1.0, 2.0]]}, "weights of output 'some' must be a list of finite numbers"),
        (heads, {"some": [0.0, 0.0], "total": [0.0]}, "one that is not 0"),
        (heads, {"some": [1.0]}, r"output 'some' has the shape \(1, 2\) for 1 rows and 1 weights"),
        (
            _identity([("x", FLOAT, ["n", 4]), ("z", FLOAT, ["n", 4])], ("y", FLOAT, ["n", 4])),
            {"y": [1.0] * 4},
            "2 inputs, must be one: x, z",
        ),
        (
            _identity([("x", INTEGER, ["n", 4])], ("y", INTEGER, ["n", 4])),
            {"y": [1.0] * 4},
            "must be float32 or float64 of",
        ),
        (_identity([("x", FLOAT, ["n"])], ("y", FLOAT, ["n"])), {"y": [1.0]}, "must be float32 or float64 of"),
        (
            _identity([("x", FLOAT, ["n", "m"])], ("y", FLOAT, ["n", "m"])),
            {"y": [1.0]},
            "must be float32 or float64 of",
        ),
        (_identity([("x", FLOAT, [1, 4])], ("y", FLOAT, [1, 4])), {"y": [1.0] * 4}, "cannot score 3 rows"),
    ],
    ids=[
        "bytes",
        "name",
        "none",
        "nan",
        "text",
        "number",
        "nested",
        "zeros",
        "width",
        "inputs",
        "integers",
        "vector",
        "unknown",
        "one row",
    ],
)
def test_a_model_of_another_form_is_refused(content: Callable[[], bytes], outputs: Any, said: str) -> None:
    with pytest.raises(UnsupportedModelError, match=said):
        OnnxScorer(content(), outputs)


def test_an_output_that_is_no_tensor_of_floats_is_refused_by_name() -> None:
    content = to_onnx(LogisticRegression().fit(ROWS, LABELS > 0), ROWS[:1]).SerializeToString()
    assert output_columns(content) == {}
    with pytest.raises(UnsupportedModelError, match=r"'output_probability' is a seq\(map\(int64,tensor\(float\)\)\)"):
        OnnxScorer(content, {"output_probability": [1.0, 0.0]})
    assert onnx.load_model_from_string(content).graph.output[0].name == "output_label"
