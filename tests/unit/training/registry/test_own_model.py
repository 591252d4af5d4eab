"""What may be registered, and what is refused before anything is in MLflow."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.linear_model import LinearRegression, LogisticRegression

from photofeed.errors import InvalidError
from photofeed.features.declarations import RankingFeature
from photofeed.features.program import FeatureProgram
from photofeed.features.ranking import PROGRAM
from photofeed.features.ratios import Ratio
from tests.served_manifest import SERVED
from training.data.dataset import Dataset
from training.data.sources import Sources
from training.registry import own_model as module
from training.registry.own_model import UnregistrableModelError, own_model, register_model, training_matrix

NOTHING: Any = None
SOURCES = Sources(NOTHING, NOTHING, SERVED)
SETTINGS: Any = SimpleNamespace(model_name="ranker")
SMALL = PROGRAM.select(["aspect", "follows", "post_likes_24h"])
ROWS = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
FRAME = pd.DataFrame(ROWS, columns=list(SMALL.names))


def _booster(objective: str = "regression", names: list[str] | None = None, width: int = 3) -> lightgbm.Booster:
    labels = (ROWS[:, 0] > 0).astype(int) + (ROWS[:, 1] > 1)
    more = {"num_class": 3} if objective == "multiclass" else {}
    if objective == "binary":
        labels = labels.clip(0, 1)
    data = lightgbm.Dataset(ROWS[:, :width], labels, feature_name=names or "auto")
    return lightgbm.train({"objective": objective, "verbosity": -1, "num_threads": 1, **more}, data, 5)


def _linear(width: int = 3) -> bytes:
    original = LinearRegression().fit(ROWS[:, :width], ROWS[:, 0])
    content: bytes = to_onnx(original, ROWS[:1, :width]).SerializeToString()
    return content


def _zipped() -> Any:
    return to_onnx(LogisticRegression().fit(ROWS, ROWS[:, 0] > 0), ROWS[:1])


def _network(*nodes: Any) -> bytes:
    """An ONNX model from x (rows, 3) to y (rows, 1), of which the first node's input may be the sum z of a row."""
    total = helper.make_node("ReduceSum", ["x", "axis"], ["z"], keepdims=1)
    shapes = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width]) for name, width in (("x", 3), ("y", 1))
    ]
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [1])
    graph = helper.make_graph([total, *nodes], "graph", shapes[:1], shapes[1:], initializer=[axis])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def _softmax_over_rows() -> bytes:
    return _network(helper.make_node("Softmax", ["z"], ["y"], axis=0))


def _random() -> bytes:
    return _network(helper.make_node("RandomNormalLike", ["z"], ["y"]))


def _logarithm() -> bytes:
    return _network(helper.make_node("Log", ["z"], ["y"]))


@pytest.fixture(autouse=True)
def _unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that is refused reaches MLflow."""

    def ask(_: object) -> Any:
        raise AssertionError("MLflow was asked")

    monkeypatch.setattr(module, "mlflow_client", ask)


@pytest.mark.parametrize("objective", ["regression", "binary", "lambdarank", "poisson"])
def test_lightgbm_of_any_objective_with_one_score_a_row_is_taken(objective: str) -> None:
    if objective == "lambdarank":
        model: Any = lightgbm.LGBMRanker(n_estimators=5, verbosity=-1, n_jobs=1)
        model.fit(ROWS, (ROWS[:, 0] > 0).astype(int), group=[100, 200])
        booster = model.booster_
    else:
        model = booster = _booster(objective)
    own = own_model(model, None)
    assert (own.engine, own.outputs) == ("lightgbm", ())
    np.testing.assert_array_equal(own.scorer.score(ROWS), booster.predict(ROWS, raw_score=True))


def test_an_onnx_model_with_one_column_needs_no_weights() -> None:
    own = own_model(_linear(), None)
    assert own.engine == "onnx"
    assert own.outputs == (("variable", (1.0,)),)


@pytest.mark.parametrize(
    ("model", "weights", "said"),
    [
        (LinearRegression, None, "a sklearn.*LinearRegression cannot be served.*skl2onnx"),
        (object, None, r"a builtins\.object cannot be served"),
        (lambda: lightgbm.Dataset(ROWS), None, "a Dataset of LightGBM is no model"),
        (lightgbm.LGBMRanker, None, "a LGBMRanker of LightGBM is no model, or one that is not fitted"),
        (_zipped, None, "no output of the model is a tensor of floats: .*zipmap"),
        (_softmax_over_rows, None, "depends on chance or on the rows beside it"),
        (_random, None, "depends on chance or on the rows beside it"),
        (_logarithm, None, "have a score that is no finite number"),
        (lambda: _booster("multiclass"), None, "multiclass"),
        (_booster, {"y": [1.0]}, "weights are for the outputs of ONNX models"),
        (lambda: b"nothing", None, "not a model|cannot load"),
        (lambda: "/no/such/model.onnx", None, "No such file"),
        (_linear, {"y": [1.0]}, "no output is named 'y'; there are variable"),
    ],
)
def test_models_of_other_kinds_are_refused_by_name(model: Callable[[], Any], weights: Any, said: str) -> None:
    with pytest.raises(UnregistrableModelError, match=said):
        register_model(SETTINGS, SOURCES, model(), program=SMALL, frame=FRAME, weights=weights)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"frame": FRAME.drop(columns="follows")}, "lacks the columns follows"),
        ({"frame": FRAME.assign(aspect="wide")}, "column aspect holds string, must be numbers"),
        ({"frame": FRAME[:0]}, "no rows"),
        ({"model": _booster(width=2)}, "takes 2 features, the program has 3"),
        ({"model": _linear(2)}, "takes 2 features, the program has 3"),
        ({"model": _booster(names=["follows", "aspect", "post_likes_24h"])}, "column 0 is 'follows'"),
        (
            {"model": _linear(), "frame": FRAME.assign(aspect=np.nan)},
            "300 of 300 training rows have a score that",
        ),
        ({"expected": np.zeros(300)}, "have scores that differ by more than 1e-05 from those expected"),
        ({"expected": np.zeros(7)}, "7 expected scores for 300 rows"),
        (
            {"program": FeatureProgram([RankingFeature("aspect", "own", Ratio("post_content", "sharpness"))])},
            "two meanings of aspect",
        ),
        (
            {"program": FeatureProgram([RankingFeature("own", "own", Ratio("post_content", "caption"))])},
            "lacks post_content:caption, which own",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(change: dict[str, Any], said: str) -> None:
    given = {"model": _booster(), "program": SMALL, "frame": FRAME} | change
    with pytest.raises(InvalidError, match=said):
        register_model(SETTINGS, SOURCES, given.pop("model"), **given)


def test_the_training_frame_may_have_any_order_and_any_numbers(dataset: Dataset) -> None:
    shuffled = FRAME[list(SMALL.names[::-1])].astype(np.float64).assign(more="text")
    np.testing.assert_array_equal(training_matrix(shuffled, SMALL), ROWS)
    assert training_matrix(FRAME.round().astype(np.int64), SMALL).dtype == np.float32
    np.testing.assert_array_equal(training_matrix(dataset, SMALL), dataset.columns(SMALL.names))


def test_a_dataset_with_a_feature_that_reveals_the_label_is_refused_by_name(dataset: Dataset) -> None:
    leaking = dataset.only(SMALL.names)
    leaking = replace(leaking, matrix=np.column_stack([dataset.labels, leaking.matrix[:, 1:]]).astype(np.float32))
    with pytest.raises(InvalidError, match=r"reveal the label: aspect \(AUC 1\.000\)"):
        register_model(SETTINGS, SOURCES, _booster(), program=SMALL, frame=leaking)
