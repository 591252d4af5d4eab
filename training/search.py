"""The search for better parameters: trials that learn from the training part and are judged on the validation part."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from training.parameters import DEFAULTS, TrainingParameters
from training.split import Split
from training.train import VALIDATION_NDCG, TrainedRanker, Trainer, train


@dataclass(frozen=True, slots=True)
class Range:
    """Where a parameter is looked for, evenly in its logarithm; whole numbers where both bounds are."""

    low: float
    high: float

    def including(self, value: float) -> "Range":
        """Wide enough for `value` too."""
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
    """A set of parameters that was tried: its number, from 1, and the NDCG on the validation part that it came to."""

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
    """The best of so many trials, `parameters` (all above 0) the first; the same seed and data find the same.

    Rankers of trials have seen the training part only. The test part is not looked at. Source: tree-structured Parzen
    estimators (Bergstra et al., NeurIPS 2011), of optuna.
    """
    import optuna  # noqa: PLC0415  a second

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    tried: list[Trial] = []
    ranges = {name: within.including(getattr(parameters, name)) for name, within in RANGES.items()}

    def objective(suggested: optuna.Trial) -> float:
        values: dict[str, Any] = {name: _suggest(suggested, name, within) for name, within in ranges.items()}
        ranker = trainer(parts.train, parts.validation, replace(parameters, **values, refit=False))
        quality = ranker.history[VALIDATION_NDCG][ranker.iterations - 1]
        trial = Trial(suggested.number + 1, replace(ranker, parameters=replace(parameters, **values)), quality)
        tried.append(trial)
        if on_trial is not None:
            on_trial(trial)
        return quality

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=parameters.seed))
    study.enqueue_trial({name: getattr(parameters, name) for name in RANGES})
    study.optimize(objective, n_trials=trials)
    return max(tried, key=lambda trial: trial.quality)


def _suggest(trial: Any, name: str, within: Range) -> float:
    if isinstance(within.low, int) and isinstance(within.high, int):
        whole: int = trial.suggest_int(name, within.low, within.high, log=True)
        return whole
    value: float = trial.suggest_float(name, within.low, within.high, log=True)
    return value
