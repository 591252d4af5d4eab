"""`mlflow.pyfunc` returns what servers rank by, for the frames that people have, without photofeed."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPRegressor
from xgboost import XGBRegressor

from photofeed.features.ranking import PROGRAM
from photofeed.models.contract import ModelContract
from photofeed.models.scorer import Scorer
from photofeed.models.version_scores import matrix_of
from tests.served_manifest import SERVED
from training.data.dataset import Dataset
from training.data.split import temporal_split
from training.ranker.parameters import TrainingParameters
from training.ranker.train import train
from training.registry.own_model import log_own_model, own_model
from training.registry.register import log_model

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning"),  # MLflow about its own classes
    pytest.mark.filterwarnings("ignore:.*X does not have valid feature names:UserWarning"),
]

SMALL = PROGRAM.select(["aspect", "follows", "tag_count"])
ROWS = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
ROWS[:, 1:] = ROWS[:, 1:].round()
ACTIONS = np.stack([ROWS[:, 0] > 0, ROWS[:, 1] > 0, ROWS[:, 0] + ROWS[:, 2] > 1], axis=1)
"""Of each row: liked, saved, hidden."""
FRAME = pd.DataFrame(ROWS.astype(np.float64), columns=list(SMALL.names))


@dataclass
class Version:
    """A version in a folder, as MLflow would store it, and what a server scores it with."""

    folder: Path
    scorer: Scorer

    def scores(self, frame: Any) -> Any:
        from mlflow import pyfunc  # warns about its own classes

        return pyfunc.load_model(str(self.folder)).predict(frame)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the next model that is logged goes, in place of a server."""

    def log(*, flavor: Any, artifact_path: None, name: str, **given: Any) -> Any:  # noqa: ARG001  MLflow's own
        flavor.save_model(path=str(tmp_path / name), mlflow_model=Model(), **given)
        return SimpleNamespace(model_id="m-1")

    monkeypatch.setattr(Model, "log", log)
    return tmp_path / "model"


@pytest.fixture
def version(folder: Path) -> Callable[..., Version]:
    def make(model: Any, weights: Any = None) -> Version:
        own = own_model(model, weights)
        now = datetime(2026, 1, 1, tzinfo=UTC)
        names = SMALL.names
        contract = ModelContract("m", "r", names, SERVED, now, now, "", "", engine=own.engine, outputs=own.outputs)
        log_own_model(own, contract)
        return Version(folder, own.scorer)

    return make


def _lambdarank() -> Any:
    ranker = lightgbm.LGBMRanker(n_estimators=5, min_child_samples=5, verbosity=-1, n_jobs=1)
    return ranker.fit(ROWS, ACTIONS[:, 0].astype(int), group=[100, 100])


def _binary() -> Any:
    return lightgbm.LGBMClassifier(n_estimators=5, verbosity=-1, n_jobs=1).fit(ROWS, ACTIONS[:, 0])


def _forest() -> Any:
    forest = lightgbm.LGBMRegressor(
        boosting_type="rf", subsample=0.5, subsample_freq=1, n_estimators=5, verbosity=-1, n_jobs=1
    )
    return forest.fit(ROWS, ACTIONS[:, 0].astype(float))


def _linear() -> Any:
    return to_onnx(LinearRegression().fit(ROWS, ROWS[:, 0] - ROWS[:, 1]), ROWS[:1])


def _linear_of_doubles() -> Any:
    return to_onnx(LinearRegression().fit(FRAME.to_numpy(), ROWS[:, 0]), FRAME.to_numpy()[:1])


def _classifier() -> Any:
    return to_onnx(LogisticRegression().fit(ROWS, ACTIONS[:, 0]), ROWS[:1], options={"zipmap": False})


def _heads() -> Any:
    return to_onnx(MLPRegressor(hidden_layer_sizes=(8,), max_iter=20).fit(ROWS, ACTIONS.astype(float)), ROWS[:1])


def _xgboost() -> Any:
    boosted = XGBRegressor(n_estimators=5, n_jobs=1).fit(ROWS, ACTIONS[:, 0].astype(float))
    return convert_xgboost(boosted, initial_types=[("features", FloatTensorType([None, 3]))])


KINDS: list[tuple[Callable[[], Any], Any]] = [
    (_lambdarank, None),
    (_binary, None),
    (_forest, None),
    (_linear, None),
    (_linear_of_doubles, None),
    (_classifier, {"probabilities": [-1.0, 2.0]}),
    (_heads, {"variable": [1.0, 3.0, -2.0]}),
    (_xgboost, None),
]


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("model", "weights"), KINDS, ids=[make.__name__.strip("_") for make, _ in KINDS])
def test_pyfunc_returns_the_scores_of_serving(version: Callable[..., Version], model: Any, weights: Any) -> None:
    made = version(model(), weights)
    served = made.scorer.score(ROWS)
    assert np.ptp(served) > 0
    scores = made.scores(FRAME)
    assert scores.shape == (len(ROWS),)
    np.testing.assert_allclose(scores, served, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.astype(np.float32),
        lambda frame: frame.round().astype(np.int64),
        lambda frame: frame.round().clip(0, 9).astype(np.uint8),
        lambda frame: frame > 0,
        lambda frame: (frame > 0).astype("boolean"),
        lambda frame: frame.round().astype("Int64"),
        lambda frame: frame.assign(tag_count=frame["tag_count"].astype("Int32"), follows=frame["follows"] > 0),
        lambda frame: frame[frame.columns[::-1]],
        lambda frame: frame.assign(handle="ana", day=pd.Timestamp(0)),
        lambda frame: frame.sample(frac=0.5, random_state=1),
        lambda frame: frame[:1],
        lambda frame: frame[:0],
    ],
    ids=[
        "float32",
        "int64",
        "uint8",
        "bool",
        "boolean",
        "Int64",
        "mixed",
        "order",
        "more",
        "index",
        "one",
        "none",
    ],
)
@pytest.mark.parametrize("model", [_binary, _linear])
def test_any_frame_of_numbers_is_taken(version: Callable[..., Version], model: Any, change: Any) -> None:
    made = version(model())
    frame = change(FRAME)
    served = made.scorer.score(np.ascontiguousarray(frame[list(SMALL.names)], np.float32))
    np.testing.assert_allclose(made.scores(frame), served, rtol=1e-5, atol=1e-5)


def test_missing_values_are_those_of_serving(version: Callable[..., Version]) -> None:
    made = version(_lambdarank())
    missing = ROWS.copy()
    missing[::3, 1], missing[::4, 2] = np.nan, np.nan
    served = made.scorer.score(missing)
    nullable = pd.DataFrame(missing, columns=list(SMALL.names)).astype({"follows": "Int64", "tag_count": "Float32"})
    of_objects = nullable.astype({"follows": object, "tag_count": object})
    for frame in (nullable, of_objects):
        np.testing.assert_array_equal(made.scores(frame), served)


def test_a_frame_that_lacks_a_column_or_holds_text_is_refused_by_name(version: Callable[..., Version]) -> None:
    made = version(_linear())
    with pytest.raises(MlflowException, match=r"missing inputs .*'follows'"):
        made.scores(FRAME.drop(columns="follows"))
    with pytest.raises((MlflowException, ValueError), match="column follows holds string, must be numbers"):
        made.scores(FRAME.assign(follows="yes"))


def test_trained_rankers_are_loaded_the_same_way(folder: Path, dataset: Dataset) -> None:
    parts = temporal_split(dataset)
    ranker = train(parts.train, parts.validation, TrainingParameters(rounds=10, threads=1))
    settings: Any = SimpleNamespace(model_name="m")
    sources: Any = SimpleNamespace(manifest=SERVED, program=PROGRAM)
    log_model(settings, sources, ranker, dataset, parts.test, "run")
    frame = pd.DataFrame(parts.test.matrix.astype(np.float64), columns=list(dataset.feature_names))
    from mlflow import lightgbm as native
    from mlflow import pyfunc

    scores = pyfunc.load_model(str(folder)).predict(frame)
    np.testing.assert_array_equal(scores, ranker.score(parts.test.matrix))
    np.testing.assert_array_equal(native.load_model(str(folder)).predict(frame), scores)


def test_versions_are_loaded_where_photofeed_is_not_installed(version: Callable[..., Version]) -> None:
    made = version(_linear())
    program = (
        "import sys\n"
        "sys.modules |= dict.fromkeys(['photofeed', 'training', 'onnx'])\n"  # imports of these fail
        "import mlflow.pyfunc, pandas\n"
        "model = mlflow.pyfunc.load_model(sys.argv[1])\n"
        "print(model.predict(pandas.DataFrame({'tag_count': [1], 'aspect': [2], 'follows': [True]}))[0])"
    )
    command = [sys.executable, "-c", program, str(made.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    served = made.scorer.score(np.array([[2, 1, 1]], np.float32))
    np.testing.assert_allclose(float(done.stdout), served, rtol=1e-5)


def test_columns_of_nothing_are_missing_values_and_text_is_none() -> None:
    frame = pd.DataFrame({"a": [None, None], "b": [1, 2]})
    np.testing.assert_array_equal(matrix_of(frame, ["b", "a"]), np.array([[1, np.nan], [2, np.nan]], np.float32))
    with pytest.raises(ValueError, match="lacks the columns c"):
        matrix_of(frame, ["a", "c"])
    with pytest.raises(ValueError, match="column b holds datetime64"):
        matrix_of(frame.assign(b=pd.Timestamp(0)), ["b"])
