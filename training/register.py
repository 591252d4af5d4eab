"""A trained ranker becomes a version of the registered model: model, contract and scoring tables, or nothing."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from photofeed.features.profile import FeatureProfile
from photofeed.features.ratios import MICROSECONDS
from photofeed.model_contract import CONTRACT_FILE, TABLES_FILE, ModelContract, ScoredSamples, sha256_of_file
from photofeed.scorer import UnsupportedModelError, build_tables
from photofeed.scorer.model_text import parse_model
from photofeed.scorer.verify import hard_rows
from photofeed.settings import Settings
from training.dataset import Dataset
from training.matrix_on_disk import columns
from training.sources import Sources
from training.tracking import git_commit
from training.train import TrainedRanker

EXAMPLE_ROWS = 5
SAMPLE_ROWS = 32  # of the training set, and as many made to be hard


def log_model(
    settings: Settings, sources: Sources, ranker: TrainedRanker, dataset: Dataset, test: Dataset, run_id: str
) -> tuple[ModelContract, Any]:
    """Keep the model in the active run, with its contract and, if the kernel covers it, its scoring tables.

    `test` is the part of the dataset that the ranker has not learned from.

    Returns the contract and MLflow's ModelInfo.
    """
    import lightgbm  # noqa: PLC0415
    import mlflow.lightgbm  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415
    from mlflow.models import infer_signature  # noqa: PLC0415

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
        )
        contract_path.write_bytes(contract.to_json())
        info = mlflow.lightgbm.log_model(
            ranker.booster(),
            name="model",
            signature=infer_signature(example, ranker.score(dataset.matrix[:EXAMPLE_ROWS])),
            input_example=example,
            # given, so that MLflow does not load the model in a process of its own to find them out
            pip_requirements=[f"lightgbm=={lightgbm.__version__}"],
            extra_files=[str(path) for path in (contract_path, tables_path) if path.exists()],
        )
    return contract, info


def register(client: Any, contract: ModelContract, info: Any) -> str:
    """Make a logged model the newest version of the registered model: one request, the last of a training.

    Returns the version.
    """
    from mlflow.exceptions import RestException  # noqa: PLC0415

    try:
        client.create_registered_model(contract.model_name)
    except RestException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = {
        "feature_service": contract.feature_service,
        "git_commit": contract.git_commit,
        "trained_until": contract.trained_until.isoformat(),
    }
    version: str = client.create_model_version(
        contract.model_name, source=info.model_uri, run_id=contract.run_id, model_id=info.model_id, tags=tags
    ).version
    return version


def _samples(ranker: TrainedRanker, dataset: Dataset) -> ScoredSamples:
    real = dataset.matrix[np.linspace(0, len(dataset) - 1, SAMPLE_ROWS).astype(np.int64)]
    try:
        rows = np.concatenate([real, hard_rows(parse_model(ranker.text), SAMPLE_ROWS, seed=0)])
    except UnsupportedModelError:  # a model that only LightGBM reads is served by LightGBM
        rows = real
    return ScoredSamples.of(rows, ranker.score(rows))


def _write_tables(model_text: str, path: Path) -> str | None:
    """Write the scoring tables; their digest, or None for a model that only LightGBM itself can score."""
    try:
        tables = build_tables(model_text)
    except UnsupportedModelError:
        return None
    tables.save(path)
    return sha256_of_file(path)
