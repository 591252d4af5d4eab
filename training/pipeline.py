"""The training path, its stages in order: dataset, split, train (if asked, its alternative too), evaluate, register."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from photofeed.model_contract import ModelRegistry
from photofeed.settings import Settings
from training import baselines, plots
from training.champion import champion_scores
from training.dataset import Dataset, build
from training.evaluate import MODEL, Evaluation, evaluate
from training.explore_log import explore_value, read_explore_log
from training.heads import train_heads
from training.intervals import FloatArray
from training.leaks import check_features
from training.model_card import model_card
from training.off_policy import PolicyValue
from training.parameters import DEFAULTS, TrainingParameters
from training.register import log_model, register
from training.search import Trial, search
from training.sources import Sources
from training.split import Split, temporal_split
from training.tracking import (
    log_evaluation,
    log_figures,
    log_lineage,
    log_model_card,
    log_policy_values,
    log_training,
    log_trial,
    mlflow_client,
    tracked_run,
)
from training.train import TrainedRanker, Trainer, train
from training.window import Window


class Observer(Protocol):
    """Who watches a training."""

    def stage(self, name: str) -> None:
        """A stage begins."""

    def progress(self, done: int, total: int) -> None:
        """How far the stage is."""


class Nobody:
    """An observer that does not look."""

    def stage(self, name: str) -> None:
        """Ignore it."""

    def progress(self, done: int, total: int) -> None:
        """Ignore it."""


UNOBSERVED = Nobody()
HEADS = "heads"  # the alternative that a model may be compared with: training.heads


@dataclass(frozen=True, slots=True)
class TrainedVersion:
    """What a training came to: the registered version and how well it did on the test part.

    `explore` is what explore slots of that time tell of it, or None where they are too few (training.explore_log).
    """

    version: str
    run_id: str
    evaluation: Evaluation
    explore: Mapping[str, PolicyValue] | None
    ranker: TrainedRanker
    parts: Split


def train_and_register(
    settings: Settings,
    sources: Sources,
    window: Window,
    parameters: TrainingParameters = DEFAULTS,
    observer: Observer = UNOBSERVED,
    *,
    trials: int = 0,
    heads: bool = False,
    trainer: Trainer = train,
) -> TrainedVersion:
    """From the logs of `window` to a new version of the model in MLflow; no alias is moved.

    With `trials`, so many sets of parameters are tried first, `parameters` among them (training.search). With `heads`
    the alternative of training.heads is fitted and compared too.

    Raises:
        RetryableError: MLflow or object storage does not answer; nothing was registered.
        InvalidError: the window does not hold what it takes to train; nothing was registered.
    """
    with mlflow_client(settings) as client, ModelRegistry.connect(settings) as registry:
        observer.stage("dataset")
        dataset = build(sources, window, observer.progress)
        check_features(dataset)
        parts = temporal_split(dataset)
        with tracked_run(settings, f"lambdarank until {window.end:%Y-%m-%d %H:%M}") as run_id:
            log_lineage(sources, dataset, parts)
            if trials:
                parameters = _found(client, parts, parameters, trials, trainer, observer)
            observer.stage("training")
            ranker = trainer(
                parts.train, parts.validation, parameters, lambda done, _: observer.progress(done, parameters.rounds)
            )
            log_training(client, run_id, ranker)
            rivals = _of_heads(parts, parameters, observer) if heads else {}
            observer.stage("evaluation")
            champion = champion_scores(registry, settings.state_dir / "models", parts.test)
            rankers = {MODEL: ranker.score(parts.test.matrix), **champion, **rivals}
            evaluation = evaluate(parts.test, rankers)
            explore = _explore(sources, parts.test, ranker)
            log_figures(_figures(ranker, parts.test, rankers, evaluation))
            log_model_card(model_card(ranker, parts, evaluation, sources.manifest, explore))
            observer.stage("registration")
            contract, info = log_model(settings, sources, ranker, dataset, parts.test, run_id)
            log_evaluation(evaluation, info.model_id)
            log_policy_values(explore or {}, info.model_id)
            version = register(client, contract, info)
    return TrainedVersion(version, run_id, evaluation, explore, ranker, parts)


def _found(
    client: Any, parts: Split, parameters: TrainingParameters, trials: int, trainer: Trainer, observer: Observer
) -> TrainingParameters:
    """The best parameters of a search, each trial a child of the active run."""

    def keep(trial: Trial) -> None:
        log_trial(client, trial)
        observer.progress(trial.number, trials)

    observer.stage("search")
    return search(parts, trials, parameters, trainer, keep).ranker.parameters


def _of_heads(parts: Split, parameters: TrainingParameters, observer: Observer) -> dict[str, FloatArray]:
    """HEADS -> their scores of the test part; nothing where no action was done often enough."""
    observer.stage(HEADS)
    heads = train_heads(parts.train, parts.validation, parameters, observer.progress)
    return {HEADS: heads.score(parts.test.matrix)} if heads.texts else {}


def _explore(sources: Sources, test: Dataset, ranker: TrainedRanker) -> Mapping[str, PolicyValue] | None:
    """What explore slots tell of the ranker: those of the test part's time only, for it learned from the earlier."""
    started = datetime.fromtimestamp(int(test.slate_start_us[0]) / 1e6, UTC)
    log = read_explore_log(sources.logs, Window(started, test.window.end))
    return None if log is None else explore_value(log, ranker.score(log.matrix))


def _figures(
    ranker: TrainedRanker, test: Dataset, rankers: Mapping[str, FloatArray], evaluation: Evaluation
) -> dict[str, Any]:
    compared = {**rankers, **{name: baselines.baseline_scores(test, name) for name in baselines.NAMES}}
    return {
        "learning_curve": plots.learning_curve(ranker),
        "ndcg_by_depth": plots.ndcg_by_depth(test, compared),
        "importance": plots.importance(ranker),
        "shap": plots.shap_summary(ranker, test),
        "calibration": plots.calibration(test, rankers),
        "by_segment": plots.by_segment(evaluation),
        "score_distributions": plots.score_distributions(test, rankers[MODEL]),
    }
