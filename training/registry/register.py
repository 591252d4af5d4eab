"""Registers a trained ranker as a version of the registered model: model, contract and scoring tables."""

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from photofeed.features.profile import FeatureProfile
from photofeed.models.contract import ModelContract, ScoredSamples
from photofeed.models.registry import CONTRACT_FILE, TABLES_FILE, sha256_of_file
from photofeed.models.scorer import UnsupportedModelError, build_tables
from photofeed.models.scorer.model_text import parse_model
from photofeed.models.scorer.verify import hard_rows
from photofeed.settings import Settings
from photofeed.times import MICROSECONDS
from training.data.dataset import Dataset
from training.data.matrix_on_disk import columns
from training.data.sources import Sources
from training.evaluation.evaluate import Evaluation
from training.ranker.train import TrainedRanker
from training.registry.description import OF_MODEL, describe_version
from training.registry.scored_flavour import log_scored
from training.registry.tracking import git_commit, name_run

EXAMPLE_ROWS = 5
SAMPLE_ROWS = 32  # of the training set, and as many generated hard rows


def log_model(
    settings: Settings, sources: Sources, ranker: TrainedRanker, dataset: Dataset, test: Dataset, run_id: str
) -> tuple[ModelContract, Any]:
    """Log the model to the active run, with its contract and, if the exact scorer supports it, its scoring tables.

    `test` is the part of the dataset that the ranker was not trained on.

    Returns the contract and MLflow's ModelInfo.
    """
    import pandas as pd

    example = pd.DataFrame(dataset.matrix[:EXAMPLE_ROWS], columns=list(dataset.feature_names))
    with tempfile.TemporaryDirectory() as folder:
        contract_path, tables_path = (Path(folder) / Path(name).name for name in (CONTRACT_FILE, TABLES_FILE))
        contract = ModelContract(
            model_name=settings.model_name,
            run_id=run_id,
            feature_names=ranker.feature_names,
            manifest=sources.manifest,
            trained_from=dataset.window.start,
            trained_until=dataset.window.end,
            git_commit=git_commit(),
            model_sha256=ranker.sha256,
            tables_sha256=_write_tables(ranker.text, tables_path),
            unseen_from=datetime.fromtimestamp(int(test.slate_start_us[0]) / MICROSECONDS, UTC),
            samples=_samples(ranker, dataset),
            profile=FeatureProfile.of_columns(columns(dataset.matrix[: len(dataset) - len(test)])),
            features=sources.program.select(ranker.feature_names).features,
        )
        contract_path.write_bytes(contract.to_json())
        files = [path for path in (contract_path, tables_path) if path.exists()]
        info = log_lightgbm(ranker.booster(), signature_of(dataset.feature_names), files, input_example=example)
    return contract, info


def log_lightgbm(booster: Any, signature: Any, files: Sequence[Path], **more: Any) -> Any:
    """Log a lightgbm.Booster to the active run, with files, the contract among them. Returns MLflow's ModelInfo."""
    import mlflow.lightgbm

    extra = [str(path) for path in files]
    return log_scored(mlflow.lightgbm, "lightgbm", lgb_model=booster, signature=signature, extra_files=extra, **more)


def register(
    client: Any,
    contract: ModelContract,
    info: Any,
    *,
    evaluation: Evaluation | None = None,
    feature_service: str = "",
) -> str:
    """Register a logged model as the newest version. The version appears with one request, the last of a training.

    The run is then named after the version. `feature_service` is that of the version's own stored fields; the one that
    it was trained on unless given.

    Returns the version number.
    """
    from mlflow.exceptions import RestException

    try:
        client.create_registered_model(contract.model_name, description=OF_MODEL)
    except RestException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = {
        "feature_service": feature_service or contract.feature_service,
        "git_commit": contract.git_commit,
        "trained_until": contract.trained_until.isoformat(),
    }
    experiment: str = client.get_run(contract.run_id).info.experiment_id
    version: str = client.create_model_version(
        contract.model_name,
        source=info.model_uri,
        run_id=contract.run_id,
        model_id=info.model_id,
        tags=tags,
        description=describe_version(experiment, contract.run_id, evaluation),
    ).version
    name_run(client, contract.run_id, f"{contract.model_name} version {version}")
    return version


def signature_of(feature_names: Sequence[str]) -> Any:
    """All columns by name, each of any number type.

    MLflow converts types only where no value could change: a signature of floats refuses the float64 of pandas, and one
    of doubles refuses integers.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import AnyType

    inputs = Schema([ColSpec(AnyType(), name) for name in feature_names])
    return ModelSignature(inputs, Schema([ColSpec(DataType.double)]))


def _samples(ranker: TrainedRanker, dataset: Dataset) -> ScoredSamples:
    real = dataset.matrix[np.linspace(0, len(dataset) - 1, SAMPLE_ROWS).astype(np.int64)]
    try:
        rows = np.concatenate([real, hard_rows(parse_model(ranker.text), SAMPLE_ROWS, seed=0)])
    except UnsupportedModelError:  # servers score such a model with LightGBM
        rows = real
    return ScoredSamples.of(rows, ranker.score(rows))


def _write_tables(model_text: str, path: Path) -> str | None:
    """Write the scoring tables. Returns their digest, or None for a model that only LightGBM can score."""
    try:
        tables = build_tables(model_text)
    except UnsupportedModelError:
        return None
    tables.save(path)
    return sha256_of_file(path)
