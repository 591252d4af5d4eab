"""The training path, stage by stage: dataset, split, search (optional), train, heads (optional), evaluate, register."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from photofeed.arrays import FloatArray
from photofeed.features.program import FeatureProgram
from photofeed.features.ranking import PROGRAM
from photofeed.models.registry import ModelRegistry
from photofeed.settings import Settings
from photofeed.times import MICROSECONDS
from training.data.dataset import Dataset, build_dataset
from training.data.sources import Sources
from training.data.split import Split, temporal_split
from training.data.window import Window
from training.evaluation import baselines, plots
from training.evaluation.champion import champion_program, champion_scores
from training.evaluation.compared import compared_program
from training.evaluation.evaluate import MODEL, Evaluation, evaluate
from training.evaluation.explore_log import explore_value, read_explore_log
from training.evaluation.model_card import model_card
from training.ranker.heads import train_heads
from training.ranker.leaks import check_features
from training.ranker.parameters import DEFAULTS, TrainingParameters
from training.ranker.search import Trial, search
from training.ranker.train import TrainedRanker, Trainer, train
from training.registry.feature_service import keep_feature_service
from training.registry.register import log_model, register
from training.registry.tracking import (
    lineage,
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
from training.statistics.off_policy import PolicyValue


class Observer(Protocol):
    """Receives the progress of a training."""

    def stage(self, name: str) -> None:
        """A stage starts."""

    def progress(self, done: int, total: int) -> None:
        """The progress of the current stage."""


class NullObserver:
    """An observer that ignores everything."""

    def stage(self, name: str) -> None:
        """Ignore it."""

    def progress(self, done: int, total: int) -> None:
        """Ignore it."""


NULL_OBSERVER = NullObserver()
HEADS = "heads"  # the name of training.ranker.heads in evaluations


@dataclass(frozen=True, slots=True)
class TrainedVersion:
    """The result of a training: the registered version and its metrics on the test part.

    `explore` is the off-policy evaluation on explore slots of that time, or None if there are too few (see
    explore_log).
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
    observer: Observer = NULL_OBSERVER,
    *,
    trials: int = 0,
    heads: bool = False,
    trainer: Trainer = train,
    program: FeatureProgram = PROGRAM,
) -> TrainedVersion:
    """Train on the logs of `window` and register the model as a new version in MLflow. No alias moves.

    The model learns from the features of `program`, and its contract carries their declarations.

    With `trials`, a search tries this many sets of parameters first, starting with `parameters` (see ranker.search).
    With `heads`, the heads of ranker.heads are trained and evaluated, too.

    Raises:
        RetryableError: MLflow or object storage does not answer; nothing was registered.
        InvalidError: the data of the window is not sufficient for a training; nothing was registered.
    """
    with mlflow_client(settings) as client, ModelRegistry.connect(settings) as registry:
        observer.stage("dataset")
        PROGRAM.followed_by(program)  # refuses another meaning of a name
        beside = champion_program(registry, settings.state_dir / "models", sources.manifest)
        sources = sources.with_program(compared_program(program, *([beside] if beside else [])))
        compared = build_dataset(sources, window, observer.progress)
        dataset, test = compared.only(program.names), temporal_split(compared).test
        check_features(dataset)
        parts = temporal_split(dataset)
        with tracked_run(settings, f"lambdarank until {window.end:%Y-%m-%d %H:%M}") as run_id:
            log_lineage(sources, dataset, parts)
            if trials:
                parameters = _search(client, parts, parameters, trials, trainer, observer)
            observer.stage("training")
            ranker = trainer(
                parts.train, parts.validation, parameters, lambda done, _: observer.progress(done, parameters.rounds)
            )
            log_training(client, run_id, ranker)
            rivals = _heads_scores(parts, parameters, observer) if heads else {}
            observer.stage("evaluation")
            champion = champion_scores(registry, settings.state_dir / "models", test)
            rankers = {MODEL: ranker.score(parts.test.matrix), **champion, **rivals}
            evaluation = evaluate(test, rankers)
            explore = _explore_value(sources, parts.test, ranker)
            log_figures(_figures(ranker, parts.test, test, rankers, evaluation))
            log_model_card(model_card(ranker, parts, evaluation, sources.manifest, explore))
            observer.stage("registration")
            contract, info = log_model(settings, sources, ranker, dataset, parts.test, run_id)
            log_evaluation(evaluation, info.model_id, lineage(sources, test))
            log_policy_values(explore or {}, info.model_id)
            service = "" if program == PROGRAM else keep_feature_service(sources, settings.model_name, program)
            version = register(client, contract, info, evaluation=evaluation, feature_service=service)
    return TrainedVersion(version, run_id, evaluation, explore, ranker, parts)


def _search(
    client: Any, parts: Split, parameters: TrainingParameters, trials: int, trainer: Trainer, observer: Observer
) -> TrainingParameters:
    """The best parameters of a search. Each trial is a child of the active run."""

    def record(trial: Trial) -> None:
        log_trial(client, trial)
        observer.progress(trial.number, trials)

    observer.stage("search")
    return search(parts, trials, parameters, trainer, record).ranker.parameters


def _heads_scores(parts: Split, parameters: TrainingParameters, observer: Observer) -> dict[str, FloatArray]:
    """HEADS -> their scores on the test part. Empty if no action is frequent enough."""
    observer.stage(HEADS)
    heads = train_heads(parts.train, parts.validation, parameters, observer.progress)
    return {HEADS: heads.score(parts.test.matrix)} if heads.texts else {}


def _explore_value(sources: Sources, test: Dataset, ranker: TrainedRanker) -> Mapping[str, PolicyValue] | None:
    """The off-policy evaluation on explore slots of the test period: the ranker was trained on the earlier ones."""
    started = datetime.fromtimestamp(int(test.slate_start_us[0]) / MICROSECONDS, UTC)
    log = read_explore_log(sources.logs, Window(started, test.window.end), ranker.feature_names)
    return None if log is None else explore_value(log, ranker.score(log.matrix))


def _figures(
    ranker: TrainedRanker, own: Dataset, test: Dataset, rankers: Mapping[str, FloatArray], evaluation: Evaluation
) -> dict[str, Any]:
    """The plots of a run. `own` is the test part with the columns of the ranker, `test` with those of all rankers."""
    compared = {**rankers, **{name: baselines.baseline_scores(test, name) for name in baselines.NAMES}}
    return {
        "learning_curve": plots.learning_curve(ranker),
        "ndcg_by_depth": plots.ndcg_by_depth(test, compared),
        "importance": plots.importance(ranker),
        "shap": plots.shap_summary(ranker, own),
        "calibration": plots.calibration(test, rankers),
        "by_segment": plots.by_segment(evaluation),
        "score_distributions": plots.score_distributions(test, rankers[MODEL]),
    }
