"""LightGBM lambdarank: as many trees as the validation part asks for, then learned again with that part included."""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from training.dataset import Dataset
from training.intervals import FloatArray
from training.matrix_on_disk import letting_go
from training.parameters import DEFAULTS, VALIDATION_CUTOFF, TrainingParameters

# The number of trees is where NDCG@10 on the validation part is highest after smoothing over iterations. Of a few dozen
# slates the raw maximum is chance: on simulated worlds of 250 slates it cost 0.01 of NDCG@10 on later ones.
SMOOTHING_ROUNDS = 31
FEWEST_ROUNDS = 50

OnIteration = Callable[[int, Mapping[str, float]], None]
VALIDATION_NDCG = f"ndcg_{VALIDATION_CUTOFF}"


@dataclass(frozen=True, slots=True)
class TrainedRanker:
    """A model of `iterations` trees. `history` is metric -> its value on the validation part after each iteration."""

    text: str
    feature_names: tuple[str, ...]
    parameters: TrainingParameters
    iterations: int
    history: Mapping[str, list[float]] = field(repr=False)

    @property
    def sha256(self) -> str:
        """Hex digest of the model text, as MLflow keeps it."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def score(self, matrix: NDArray[np.float32]) -> FloatArray:
        """Raw scores, (rows,) float64, of (rows, features)."""
        scores: FloatArray = self.booster().predict(matrix, raw_score=True)
        return scores

    def booster(self) -> Any:
        """The model as a lightgbm.Booster of its own."""
        import lightgbm  # noqa: PLC0415

        return lightgbm.Booster(model_str=self.text)


class Trainer(Protocol):
    """Makes a ranker of a training and a validation part: `train`, or that on many machines."""

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
    """Train on `part` with as many trees as do `validation` best, then, unless told otherwise, on both together.

    `on_iteration` gets the number of the iteration, from 1, and the validation metrics after it.
    """
    prepare_threads()
    import lightgbm  # noqa: PLC0415  seconds to import; commands that only look do not need it

    history: dict[str, list[float]] = {}

    def record(env: Any) -> None:
        metrics = {name.replace("@", "_"): value for _, name, value, *_ in env.evaluation_result_list}
        for name, value in metrics.items():
            history.setdefault(name, []).append(value)
        if on_iteration is not None:
            on_iteration(env.iteration + 1, metrics)

    booster = _stopped_early(part, validation, parameters, record)
    iterations = best_iteration(history[VALIDATION_NDCG])
    if parameters.refit:
        del booster  # and its binned rows, before there are others
        words = parameters.for_lightgbm(part.feature_names)
        both = _graded(part.followed_by(validation), words, parameters)
        booster = lightgbm.train(words, both, num_boost_round=iterations)
    text = booster.model_to_string(num_iteration=iterations)
    return TrainedRanker(text, part.feature_names, parameters, iterations, history)


def _stopped_early(
    part: Dataset, validation: Dataset, parameters: TrainingParameters, record: Callable[[Any], None]
) -> Any:
    """The booster of `part`, trained until the validation part has not gained for a while."""
    import lightgbm  # noqa: PLC0415

    words = parameters.for_lightgbm(part.feature_names)
    learned = _graded(part, words, parameters)
    return lightgbm.train(
        words,
        learned,
        num_boost_round=parameters.rounds,
        valid_sets=[_graded(validation, words, parameters, reference=learned)],
        valid_names=["validation"],
        callbacks=[record, lightgbm.early_stopping(parameters.early_stopping_rounds, verbose=False)],
    )


def prepare_threads() -> None:
    """Call before LightGBM is first imported, when OpenMP reads how its threads wait.

    They otherwise spin while they wait for each other, which on cores that other processes use too made a training of
    0.7 s take 25 s.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def lightgbm_dataset(
    part: Dataset,
    words: dict[str, Any],
    *,
    labels: NDArray[Any],
    grouped: bool = True,
    positions: NDArray[np.int32] | None = None,
    reference: Any = None,
) -> Any:
    """The part as a lightgbm.Dataset with these labels; of `reference`'s bins, if it is given."""
    import lightgbm  # noqa: PLC0415

    dataset = lightgbm.Dataset(
        part.matrix,
        label=labels,
        group=part.group_sizes if grouped else None,
        position=positions,
        feature_name=list(part.feature_names),
        params=words,
        reference=reference,
    )
    with letting_go(part.matrix):  # trees are grown from the bins
        return dataset.construct()


def _graded(part: Dataset, words: dict[str, Any], parameters: TrainingParameters, reference: Any = None) -> Any:
    positions = part.positions if parameters.debias_position and reference is None else None
    return lightgbm_dataset(part, words, labels=part.labels, positions=positions, reference=reference)


def best_iteration(values: list[float]) -> int:
    """The iteration, from 1, at which the smoothed `values` are highest, and no fewer than FEWEST_ROUNDS."""
    window = np.ones(SMOOTHING_ROUNDS)
    smoothed = np.convolve(values, window, "full") / np.convolve(np.ones(len(values)), window, "full")
    centred = smoothed[SMOOTHING_ROUNDS // 2 :][: len(values)]
    return min(max(int(np.argmax(centred)) + 1, FEWEST_ROUNDS), len(values))
