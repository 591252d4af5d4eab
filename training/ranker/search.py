"""The hyperparameter search: trials train on the training part and are compared on the validation part."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from training.data.split import Split
from training.ranker.parameters import DEFAULTS, TrainingParameters
from training.ranker.train import VALIDATION_NDCG, TrainedRanker, Trainer, train


@dataclass(frozen=True, slots=True)
class Range:
    """The range of a parameter, searched on a log scale; integers if both bounds are integers."""

    low: float
    high: float

    def including(self, value: float) -> "Range":
        """The range, extended to contain `value`."""
        return Range(min(self.low, value), max(self.high, value))


RANGES: Mapping[str, Range] = {
    "learning_rate": Range(0.01, 0.1),
    "num_leaves": Range(7, 63),
    "min_data_in_leaf": Range(5, 200),
    "feature_fraction": Range(0.3, 1.0),
    "bagging_fraction": Range(0.5, 1.0),
    "lambda_l2": Range(0.1, 30.0),
}


@dataclass(frozen=True, slots=True)
class Trial:
    """One set of parameters: its number, from 1, its ranker, and the NDCG on the validation part."""

    number: int
    ranker: TrainedRanker
    quality: float


def search(
    parts: Split,
    trials: int,
    parameters: TrainingParameters = DEFAULTS,
    trainer: Trainer = train,
    on_trial: Callable[[Trial], None] | None = None,
) -> Trial:
    """The best of this many trials. The first one is `parameters` (all above 0). The same seed and data repeat it.

    Rankers of trials are trained on the training part only, and the test part is not used. Source: tree-structured
    Parzen estimators (Bergstra et al., NeurIPS 2011), from optuna.
    """
    import optuna  # noqa: PLC0415  a second

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    parameters = parameters.resolved()
    done: list[Trial] = []
    ranges = {name: within.including(getattr(parameters, name)) for name, within in RANGES.items()}

    def objective(suggested: optuna.Trial) -> float:
        values: dict[str, Any] = {name: _suggest(suggested, name, within) for name, within in ranges.items()}
        ranker = trainer(parts.train, parts.validation, replace(parameters, **values, refit=False))
        quality = ranker.history[VALIDATION_NDCG][ranker.iterations - 1]
        trial = Trial(suggested.number + 1, replace(ranker, parameters=replace(parameters, **values)), quality)
        done.append(trial)
        if on_trial is not None:
            on_trial(trial)
        return quality

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=parameters.seed))
    study.enqueue_trial({name: getattr(parameters, name) for name in RANGES})
    study.optimize(objective, n_trials=trials)
    return max(done, key=lambda trial: trial.quality)


def _suggest(trial: Any, name: str, within: Range) -> float:
    if isinstance(within.low, int) and isinstance(within.high, int):
        whole: int = trial.suggest_int(name, within.low, within.high, log=True)
        return whole
    value: float = trial.suggest_float(name, within.low, within.high, log=True)
    return value
