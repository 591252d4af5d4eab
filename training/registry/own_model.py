"""Registers a model that was trained elsewhere, LightGBM or ONNX, with a feature program of its own."""

import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.arrays import FloatArray
from photofeed.errors import InvalidError
from photofeed.features.profile import FeatureProfile
from photofeed.features.program import FeatureProgram
from photofeed.features.ranking import PROGRAM
from photofeed.models.contract import LIGHTGBM, ONNX, ModelContract, ScoredSamples
from photofeed.models.onnx_scorer import TOLERANCE, OnnxScorer, output_columns
from photofeed.models.registry import CONTRACT_FILE, TABLES_FILE, sha256_of_file
from photofeed.models.scorer import BoosterScorer, Scorer, ScorerError, UnsupportedModelError, build_tables
from photofeed.models.version_scores import matrix_of
from photofeed.settings import Settings
from training.data.dataset import Dataset
from training.data.sources import Sources
from training.evaluation.evaluate import MODEL, Evaluation, evaluate
from training.evaluation.own_model_card import own_model_card
from training.ranker.leaks import check_features
from training.registry.feature_service import keep_feature_service
from training.registry.register import SAMPLE_ROWS, log_lightgbm, register, signature_of
from training.registry.scored_flavour import log_scored
from training.registry.tracking import (
    git_commit,
    lineage,
    log_evaluation,
    log_model_card,
    mlflow_client,
    tracked_run,
)

UNNAMED = "Column_"  # how LightGBM names the columns of a matrix
MOST_CHECKED = 20_000
"""Rows of the training frame that are scored before a model is registered."""
SCORED_ALONE = 50
"""Rows of these that are scored a second time, each without the others."""

Weights = Mapping[str, Sequence[float]]


class UnregistrableModelError(InvalidError):
    """A model that cannot be served as it is; the message says why. Nothing was registered."""

    code = "model_unregistrable"


@dataclass(frozen=True, slots=True)
class OwnModel:
    """The content of a model file, its engine, and how it scores."""

    engine: str
    content: bytes
    scorer: Scorer
    outputs: tuple[tuple[str, tuple[float, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class OwnVersion:
    """The result of a registration. `evaluation` is None if the frame has no labels to judge by."""

    version: str
    run_id: str
    contract: ModelContract
    evaluation: Evaluation | None


def register_model(
    settings: Settings,
    sources: Sources,
    model: Any,
    *,
    program: FeatureProgram,
    frame: Any,
    weights: Weights | None = None,
    expected: FloatArray | None = None,
    test: Dataset | None = None,
    description: str = "",
) -> OwnVersion:
    """Register a model as a new version, which servers can rank with. No alias moves.

    Args:
        settings: where MLflow is, and the name of the registered model.
        sources: the feature store that the program reads.
        model: a lightgbm.Booster or a fitted estimator of LightGBM's scikit-learn API, of any objective; or an ONNX
            model as `onnx.ModelProto`, bytes or path.
        program: the features of the model's columns, in order.
        frame: what it was trained on: a Dataset, or a pandas.DataFrame with a column for each feature, in any order and
            of any number type.
        weights: of an ONNX model, output -> a weight for each of its columns; the score is their sum. Not needed if the
            model has one output of one column.
        expected: scores of the original of a converted model for the rows of the frame, (rows,), to compare with.
        test: slates that the model was not trained on, with all features of `program`, to evaluate it on.
        description: one paragraph for the card.

    Raises:
        UnregistrableModelError: the model is of another kind, does not fit the program, or its scores are not finite
            numbers, depend on chance or on the other rows, or are not those `expected`.
        InvalidError: the frame lacks a feature, or is a Dataset with one that reveals the label or is infinite; a
            feature reads what is not stored, or has another meaning here.
        RetryableError: MLflow does not answer.
    """
    PROGRAM.followed_by(program)  # refuses another meaning of a name
    program.require_stored(sources.manifest)
    matrix = training_matrix(frame, program)
    if isinstance(frame, Dataset):  # only these have labels that a feature could reveal
        check_features(frame.only(program.names))
    own = own_model(model, weights)
    _check_columns(model, program)
    scores = _checked_scores(own, matrix, program, expected)
    evaluation = None if test is None else evaluate(test, {MODEL: own.scorer.score(test.columns(program.names))})
    now = datetime.now(UTC)
    with ExitStack() as owned:
        client = owned.enter_context(mlflow_client(settings))
        run_id = owned.enter_context(tracked_run(settings, f"{own.engine} model of {now:%Y-%m-%d %H:%M}"))
        window = getattr(frame, "window", None)
        contract = ModelContract(
            model_name=settings.model_name,
            run_id=run_id,
            feature_names=program.names,
            manifest=sources.manifest,
            trained_from=window.start if window else now,
            trained_until=window.end if window else now,
            git_commit=git_commit(),
            model_sha256=hashlib.sha256(own.content).hexdigest(),
            unseen_from=_unseen_from(frame, test, now),
            samples=_samples(matrix, scores),
            profile=FeatureProfile.of(matrix),
            features=program.features,
            engine=own.engine,
            outputs=own.outputs,
        )
        contract, info = log_own_model(own, contract)
        log_model_card(own_model_card(contract, evaluation, description))
        if evaluation is not None and test is not None:
            log_evaluation(evaluation, info.model_id, lineage(sources, test))
        service = keep_feature_service(sources, settings.model_name, program)
        version = register(client, contract, info, evaluation=evaluation, feature_service=service)
    return OwnVersion(version, run_id, contract, evaluation)


def training_matrix(frame: Any, program: FeatureProgram) -> NDArray[np.float32]:
    """The columns of a program out of a Dataset or a DataFrame: (rows, features) float32, C-contiguous.

    Raises:
        InvalidError: a column is missing or holds no numbers, or there are no rows.
    """
    if isinstance(frame, Dataset):
        lacking = [name for name in program.names if name not in frame.feature_names]
        if lacking:
            raise InvalidError(f"the dataset lacks the columns {', '.join(lacking)}")
        matrix = frame.columns(program.names)
    else:
        try:
            matrix = matrix_of(frame, program.names)
        except ValueError as error:
            raise InvalidError(str(error)) from error
    if not len(matrix):
        raise InvalidError("the training frame has no rows")
    return matrix


def own_model(model: Any, weights: Weights | None) -> OwnModel:
    """A model of a kind that servers can score.

    Raises:
        UnregistrableModelError: it is of another kind.
    """
    module = type(model).__module__.partition(".")[0]
    try:
        if module == "lightgbm":
            return _lightgbm(model, weights)
        if isinstance(model, bytes):
            return _onnx(model, weights)
        if isinstance(model, str | Path):
            return _onnx(Path(model).read_bytes(), weights)
        if module == "onnx":
            return _onnx(model.SerializeToString(), weights)
    except (ScorerError, OSError) as error:
        raise UnregistrableModelError(str(error)) from error
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    raise UnregistrableModelError(
        f"a {kind} cannot be served: register a LightGBM or an ONNX model. skl2onnx and onnxmltools convert others"
    )


def _lightgbm(model: Any, weights: Weights | None) -> OwnModel:
    if weights is not None:
        raise UnregistrableModelError(
            "weights are for the outputs of ONNX models; a LightGBM model has one score a row"
        )
    booster = getattr(model, "booster_", model)
    if not hasattr(booster, "model_to_string"):
        raise UnregistrableModelError(
            f"a {type(model).__qualname__} of LightGBM is no model, or one that is not fitted"
        )
    text: str = booster.model_to_string(num_iteration=booster.best_iteration or -1)
    return OwnModel(LIGHTGBM, text.encode(), BoosterScorer(text))


def _onnx(content: bytes, weights: Weights | None) -> OwnModel:
    if weights is None:
        columns = output_columns(content)
        if len(columns) != 1 or set(columns.values()) - {1, None}:
            if not columns:
                raise UnregistrableModelError(
                    "no output of the model is a tensor of floats: convert classifiers of scikit-learn with "
                    'options={"zipmap": False}'
                )
            told = ", ".join(f"{name} ({'any' if count is None else count} columns)" for name, count in columns.items())
            raise UnregistrableModelError(f"the model has the outputs {told}: pass their weights")
        weights = dict.fromkeys(columns, (1.0,))
    try:
        import onnx
    except ImportError as error:
        raise UnregistrableModelError(f"{error}: install photofeed[notebooks]") from error

    # the bytes that MLflow will write, whose digest the contract states
    try:
        content = onnx.load_model_from_string(content).SerializeToString()
    except ValueError as error:  # of protobuf
        raise UnregistrableModelError(f"not a model: {error}") from error
    scorer = OnnxScorer(content, weights)
    outputs = tuple((name, tuple(float(weight) for weight in each)) for name, each in weights.items())
    return OwnModel(ONNX, content, scorer, outputs)


def _check_columns(model: Any, program: FeatureProgram) -> None:
    """Refuse a LightGBM model whose columns have other names than the features."""
    booster = getattr(model, "booster_", model)
    names = tuple(booster.feature_name()) if hasattr(booster, "feature_name") else ()
    if names and not all(name.startswith(UNNAMED) for name in names) and names != program.names:
        where = next((at for at, (one, other) in enumerate(zip(names, program.names, strict=False)) if one != other), 0)
        raise UnregistrableModelError(
            f"the model's columns are not the features of the program in order: column {where} is {names[where]!r}"
        )


def _checked_scores(
    own: OwnModel, matrix: NDArray[np.float32], program: FeatureProgram, expected: FloatArray | None
) -> FloatArray:
    if own.scorer.features != len(program):
        raise UnregistrableModelError(f"the model takes {own.scorer.features} features, the program has {len(program)}")
    checked = matrix[:MOST_CHECKED]
    try:
        scores = own.scorer.score(checked)
    except (ScorerError, ValueError) as error:
        raise UnregistrableModelError(str(error)) from error
    if not np.isfinite(scores).all():
        wrong = int(np.count_nonzero(~np.isfinite(scores)))
        raise UnregistrableModelError(f"{wrong} of {len(scores)} training rows have a score that is no finite number")
    some = np.linspace(0, len(checked) - 1, min(SCORED_ALONE, len(checked))).astype(np.int64)
    alone = np.concatenate([own.scorer.score(checked[row : row + 1]) for row in some])
    if not np.isclose(alone, scores[some], rtol=TOLERANCE, atol=TOLERANCE).all():
        raise UnregistrableModelError(
            "the score of a row depends on chance or on the rows beside it: feeds differ in their number of candidates"
        )
    if expected is not None:
        told = np.asarray(expected, np.float64).reshape(-1)
        if len(told) != len(matrix):
            raise UnregistrableModelError(f"{len(told)} expected scores for {len(matrix)} rows of the frame")
        apart = ~np.isclose(scores, told[: len(scores)], rtol=TOLERANCE, atol=TOLERANCE)
        if apart.any():
            raise UnregistrableModelError(
                f"{int(apart.sum())} of {len(scores)} training rows have scores that differ by more than {TOLERANCE:g} "
                "from those expected"
            )
    return scores


def _samples(matrix: NDArray[np.float32], scores: FloatArray) -> ScoredSamples:
    rows = np.linspace(0, len(scores) - 1, min(2 * SAMPLE_ROWS, len(scores))).astype(np.int64)
    return ScoredSamples.of(matrix[rows], scores[rows])


def _unseen_from(frame: Any, test: Dataset | None, now: datetime) -> datetime:
    if test is not None:
        return datetime.fromtimestamp(int(test.slate_start_us[0]) / 1e6, UTC)
    window = getattr(frame, "window", None)
    return window.end if window else now


def log_own_model(own: OwnModel, contract: ModelContract) -> tuple[ModelContract, Any]:
    """Log the model to the active run. Returns the contract that was logged with it, and MLflow's ModelInfo."""
    with tempfile.TemporaryDirectory() as folder:
        tables = Path(folder) / Path(TABLES_FILE).name
        if own.engine == LIGHTGBM and _has_tables(own, tables):
            contract = replace(contract, tables_sha256=sha256_of_file(tables))
        stated = Path(folder) / Path(CONTRACT_FILE).name
        stated.write_bytes(contract.to_json())
        return contract, _LOGGERS[own.engine](own, contract, [path for path in (stated, tables) if path.exists()])


def _has_tables(own: OwnModel, path: Path) -> bool:
    try:
        build_tables(own.content.decode()).save(path)
    except UnsupportedModelError:
        return False
    return True


def _log_lightgbm(own: OwnModel, contract: ModelContract, files: Sequence[Path]) -> Any:
    import lightgbm

    booster = lightgbm.Booster(model_str=own.content.decode())
    return log_lightgbm(booster, signature_of(contract.feature_names), files)


def _log_onnx(own: OwnModel, contract: ModelContract, files: Sequence[Path]) -> Any:
    import mlflow.onnx
    import onnx

    return log_scored(
        mlflow.onnx,
        "onnxruntime",
        onnx_model=onnx.load_model_from_string(own.content),
        signature=signature_of(contract.feature_names),
        save_as_external_data=False,
        extra_files=[str(path) for path in files],
    )


_LOGGERS: dict[str, Callable[[OwnModel, ModelContract, Sequence[Path]], Any]] = {
    LIGHTGBM: _log_lightgbm,
    ONNX: _log_onnx,
}
