"""Runs in MLflow: parameters, metrics, figures, lineage and model card of a training."""

import logging
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import structlog

from photofeed.errors import RetryableError
from photofeed.models.mlflow_api import address_of
from photofeed.models.registry import ModelRegistry
from photofeed.settings import Settings
from training.data.dataset import Dataset
from training.data.sources import Sources
from training.data.split import Split
from training.evaluation.evaluate import Evaluation
from training.ranker.search import Trial
from training.ranker.train import TrainedRanker
from training.statistics.off_policy import PolicyValue

# Settings of MLflow's client. By default it sends telemetry, retries for minutes and prints to stdout.
CLIENT_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
METRICS_PER_REQUEST = 1000
TEST = "test"
# By this tag MLflow's pages show an experiment as one of models, not of traces.
EXPERIMENT_KIND, OF_MODELS = "mlflow.experimentKind", "custom_model_development"

log = structlog.get_logger(__name__)


@contextmanager
def mlflow_client(settings: Settings) -> Iterator[Any]:
    """An MlflowClient of the server in the settings, for the block. Also sets the tracking URI of `mlflow` itself.

    Raises:
        RetryableError: the server does not answer, or a request of the block fails.
    """
    with ModelRegistry.connect(settings) as registry:
        registry.ping()
    os.environ.update(CLIENT_ENVIRONMENT | settings.mlflow_environment)
    import mlflow
    from mlflow.exceptions import MlflowException

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    mlflow.set_tracking_uri(settings.mlflow_tracking_uri)
    try:
        yield mlflow.MlflowClient()
    except MlflowException as error:
        raise RetryableError(f"MLflow at {address_of(settings)} failed: {error}") from error


@contextmanager
def tracked_run(settings: Settings, name: str) -> Iterator[str]:
    """Start an MLflow run in the experiment of the model. Yields its id. An exception marks the run as failed."""
    import mlflow

    experiment = mlflow.set_experiment(settings.model_name)
    if EXPERIMENT_KIND not in experiment.tags:
        mlflow.set_experiment_tag(EXPERIMENT_KIND, OF_MODELS)
    with mlflow.start_run(run_name=name, tags={"mlflow.source.git.commit": git_commit()}) as run:
        yield run.info.run_id


def log_lineage(sources: Sources, dataset: Dataset, parts: Split) -> None:
    """Log the training data to the active run: window, sizes, feature service, feature order, location of the logs."""
    import mlflow

    mlflow.log_params(
        {
            "window_start": dataset.window.start.isoformat(),
            "window_end": dataset.window.end.isoformat(),
            "feature_service": sources.manifest.service,
            "manifest_hash": sources.manifest.hash,
            "rows": len(dataset),
            **{f"{part}_slates": getattr(parts, part).slates for part in Split.__slots__},
        }
    )
    mlflow.log_dict({"features": list(dataset.feature_names)}, "features.json")
    mlflow.log_input(lineage(sources, dataset), context="training")


def log_training(client: Any, run_id: str, ranker: TrainedRanker) -> None:
    """Log the parameters of a training and the validation metrics of each iteration."""
    import mlflow
    from mlflow.entities import Metric

    mlflow.log_params({**asdict(ranker.parameters), "iterations": ranker.iterations})
    now_ms = time.time_ns() // 1_000_000
    metrics = [
        Metric(f"validation_{name}", value, now_ms, step)
        for name, values in ranker.history.items()
        for step, value in enumerate(values, start=1)
    ]
    for first in range(0, len(metrics), METRICS_PER_REQUEST):
        client.log_batch(run_id, metrics=metrics[first : first + METRICS_PER_REQUEST])


def log_trial(client: Any, trial: Trial) -> None:
    """Log a trial of a search as a child of the active run: its parameters and its validation metrics."""
    import mlflow

    with mlflow.start_run(run_name=f"trial {trial.number}", nested=True) as run:
        log_training(client, run.info.run_id, trial.ranker)
        mlflow.log_metric("quality", trial.quality)


def log_evaluation(evaluation: Evaluation, model_id: str, tested_on: Any) -> None:
    """Log the headline metrics to the active run and its model, as `test_<name>`, and all metrics as tables.

    `tested_on` is the `lineage` of the slates that the metrics are of: MLflow shows it with the model.
    """
    import mlflow

    mlflow.log_input(tested_on, context=TEST)
    metrics = {f"{TEST}_{name}": value for name, value in evaluation.headline().items()}
    mlflow.log_metrics(metrics, model_id=model_id, dataset=tested_on)
    mlflow.log_table(evaluation.frame(), "evaluation.json")
    mlflow.log_table(evaluation.differences_frame(), "differences.json")


def log_policy_values(values: Mapping[str, PolicyValue], model_id: str) -> None:
    """Log the values on explore slots as `explore_<policy>`, and with bounds and effective sample sizes as a table."""
    import mlflow

    if not values:
        return
    named = {f"explore_{policy}": value.interval.value for policy, value in values.items()}
    mlflow.log_metrics(named, model_id=model_id)
    intervals = [asdict(value.interval) | {"ess": value.effective_sample_size} for value in values.values()]
    table = {name: [row[name] for row in intervals] for name in intervals[0]}
    mlflow.log_table({"policy": list(values), **table}, "explore.json")


def log_figures(figures: Mapping[str, Any]) -> None:
    """Log Matplotlib figures, by name, as images of the active run."""
    import mlflow

    for name, figure in figures.items():
        mlflow.log_figure(figure, f"plots/{name}.png")


def log_model_card(text: str) -> None:
    """Log the card as an artifact of the active run, and as its description in the UI."""
    import mlflow
    from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

    mlflow.log_text(text, "model_card.md")
    mlflow.set_tag(MLFLOW_RUN_NOTE, text)


def name_run(client: Any, run_id: str, name: str) -> None:
    """Name a run after the version that it became. It keeps its first name if MLflow fails: the version is there."""
    from mlflow.exceptions import MlflowException

    try:
        client.update_run(run_id, name=name)
    except MlflowException as error:
        log.warning("the run of the new version keeps its name", run_id=run_id, name=name, error=str(error))


def git_commit() -> str:
    """The commit of the running code. Empty outside a repository, or if git is not installed."""
    here = Path(__file__).parent
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False)  # noqa: S607
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


def lineage(sources: Sources, dataset: Dataset) -> Any:
    """The dataset as MLflow names it: its window, the digest of its content, and where its log is."""
    from mlflow.data.dataset_source_registry import resolve_dataset_source
    from mlflow.data.meta_dataset import MetaDataset

    source = resolve_dataset_source(f"s3://{sources.logs.bucket}/engagement")
    return MetaDataset(source, name=f"slates {dataset.window}", digest=dataset.digest)
