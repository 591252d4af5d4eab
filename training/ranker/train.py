"""LightGBM lambdarank: the validation part decides the number of trees, then a refit includes that part."""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from photofeed.arrays import FloatArray
from training.data.dataset import Dataset
from training.data.matrix_on_disk import keep_releasing_pages
from training.ranker.lightgbm_params import decided, lightgbm_labels, lightgbm_params
from training.ranker.parameters import DEFAULTS, VALIDATION_CUTOFF, TrainingParameters

# The number of trees is where NDCG@10 on the validation part, smoothed over iterations, is highest. With a few dozen
# slates the raw maximum is chance: in simulations with 250 slates it cost 0.01 of NDCG@10 on later slates.
SMOOTHING_ROUNDS = 31
MIN_ROUNDS = 50

OnIteration = Callable[[int, Mapping[str, float]], None]
VALIDATION_NDCG = f"ndcg_{VALIDATION_CUTOFF}"


@dataclass(frozen=True, slots=True)
class TrainedRanker:
    """A model with `iterations` trees. `history`: metric -> its value on the validation part after each iteration."""

    text: str
    feature_names: tuple[str, ...]
    parameters: TrainingParameters
    iterations: int
    history: Mapping[str, list[float]] = field(repr=False)

    @property
    def sha256(self) -> str:
        """Hex digest of the model text, as MLflow stores it."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def score(self, matrix: NDArray[np.float32]) -> FloatArray:
        """Raw scores, (rows,) float64, of (rows, features)."""
        scores: FloatArray = self.booster().predict(matrix, raw_score=True)
        return scores

    def booster(self) -> Any:
        """The model as a new lightgbm.Booster."""
        import lightgbm  # noqa: PLC0415

        return lightgbm.Booster(model_str=self.text)


class Trainer(Protocol):
    """Trains a ranker from a training and a validation part: `train`, or its distributed version."""

    def __call__(
        self,
        part: Dataset,
        validation: Dataset,
        parameters: TrainingParameters = DEFAULTS,
        on_iteration: OnIteration | None = None,
    ) -> TrainedRanker:
        """See `train`."""


def train(
    part: Dataset,
    validation: Dataset,
    parameters: TrainingParameters = DEFAULTS,
    on_iteration: OnIteration | None = None,
) -> TrainedRanker:
    """Train on `part` with the number of trees that is best on `validation`, then, with `refit`, on both together.

    `on_iteration` is called with the number of the iteration, from 1, and the validation metrics after it.
    """
    parameters = decided(parameters, part)
    prepare_threads()
    import lightgbm  # noqa: PLC0415  takes seconds; commands that only list do not need it

    history: dict[str, list[float]] = {}

    def record(env: Any) -> None:
        metrics = {name.replace("@", "_"): value for _, name, value, *_ in env.evaluation_result_list}
        for name, value in metrics.items():
            history.setdefault(name, []).append(value)
        if on_iteration is not None:
            on_iteration(env.iteration + 1, metrics)

    booster = _train_with_early_stopping(part, validation, parameters, record)
    iterations = best_iteration(history[VALIDATION_NDCG])
    if parameters.refit:
        del booster  # frees its binned rows before the next ones are made
        params = lightgbm_params(parameters, part.feature_names, part.program)
        both = _ranking_dataset(part.followed_by(validation), params, parameters)
        booster = lightgbm.train(params, both, num_boost_round=iterations)
    text = booster.model_to_string(num_iteration=iterations)
    return TrainedRanker(text, part.feature_names, parameters, iterations, history)


def _train_with_early_stopping(
    part: Dataset, validation: Dataset, parameters: TrainingParameters, record: Callable[[Any], None]
) -> Any:
    """The booster of `part`, trained until the validation metric stops improving."""
    import lightgbm  # noqa: PLC0415

    params = lightgbm_params(parameters, part.feature_names, part.program)
    training_set = _ranking_dataset(part, params, parameters)
    return lightgbm.train(
        params,
        training_set,
        num_boost_round=parameters.rounds,
        valid_sets=[_ranking_dataset(validation, params, parameters, reference=training_set)],
        valid_names=["validation"],
        callbacks=[record, lightgbm.early_stopping(parameters.early_stopping_rounds, verbose=False)],
        keep_training_booster=True,  # otherwise LightGBM drops the trees after its own best iteration
    )


def prepare_threads() -> None:
    """Let OpenMP threads sleep while they wait. Call it before LightGBM is imported, when OpenMP reads the setting.

    By default they spin. On cores shared with other processes a training of 0.7 s then took 25 s.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def lightgbm_dataset(
    part: Dataset,
    params: dict[str, Any],
    *,
    labels: NDArray[Any],
    grouped: bool = True,
    positions: NDArray[np.int32] | None = None,
    reference: Any = None,
) -> Any:
    """The part as a lightgbm.Dataset with these labels, and with the bins of `reference` if it is given."""
    import lightgbm  # noqa: PLC0415

    dataset = lightgbm.Dataset(
        part.matrix,
        label=labels,
        group=part.group_sizes if grouped else None,
        position=positions,
        feature_name=list(part.feature_names),
        params=params,
        reference=reference,
    )
    with keep_releasing_pages(part.matrix):  # training needs the bins only
        return dataset.construct()


def _ranking_dataset(
    part: Dataset, params: dict[str, Any], parameters: TrainingParameters, reference: Any = None
) -> Any:
    positions = part.positions if parameters.debias_position and reference is None else None
    return lightgbm_dataset(part, params, labels=lightgbm_labels(part.labels), positions=positions, reference=reference)


def best_iteration(values: list[float]) -> int:
    """The iteration, from 1, with the highest smoothed value; at least MIN_ROUNDS where there are as many."""
    window = np.ones(SMOOTHING_ROUNDS)
    smoothed = np.convolve(values, window, "full") / np.convolve(np.ones(len(values)), window, "full")
    centred = smoothed[SMOOTHING_ROUNDS // 2 :][: len(values)]
    return min(max(int(np.argmax(centred)) + 1, MIN_ROUNDS), len(values))
