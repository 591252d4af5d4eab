"""LightGBM lambdarank: as many trees as the validation part asks for, then learned again with that part included."""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.features.ranking import RANKING_FEATURES
from training.dataset import Dataset
from training.labels import LABEL_GAIN
from training.metrics import FloatArray

# The number of trees is where NDCG@10 on the validation part is highest after smoothing over iterations. Of a few dozen
# slates the raw maximum is chance: on simulated worlds of 250 slates it cost 0.02 of NDCG@10 on later ones.
VALIDATION_CUTOFF = 10
SMOOTHING_ROUNDS = 31
FEWEST_ROUNDS = 50

OnIteration = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True, slots=True)
class TrainingParameters:
    """What a ranker is trained with; the same seed and data give the same model, bit for bit.

    Attributes:
        rounds: most trees.
        early_stopping_rounds: stop after as many without a new best on the validation part.
        refit: train once more, on the training and validation parts, with the number of trees that was found. The
            newest slates are the most telling ones; it costs a second training.
        debias_position: learn what the position alone does to the labels, and leave it out of the scores.
        monotone: hold the model to the directions that RANKING_FEATURES declares.
        threads: 0 is as many as there are cores.
    """

    rounds: int = 300
    early_stopping_rounds: int = 60
    refit: bool = True
    learning_rate: float = 0.03
    num_leaves: int = 15
    min_data_in_leaf: int = 20
    feature_fraction: float = 0.5
    bagging_fraction: float = 0.8
    lambda_l2: float = 5.0
    truncation_level: int = 30
    debias_position: bool = False
    monotone: bool = True
    seed: int = 7
    threads: int = 0

    def for_lightgbm(self, feature_names: tuple[str, ...]) -> dict[str, Any]:
        """The same in LightGBM's words."""
        constraints = {feature.name: feature.monotone for feature in RANKING_FEATURES} if self.monotone else {}
        return {
            "objective": "lambdarank",
            "metric": "ndcg",
            "eval_at": [VALIDATION_CUTOFF],
            "label_gain": list(LABEL_GAIN),
            "lambdarank_truncation_level": self.truncation_level,
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "min_data_in_leaf": self.min_data_in_leaf,
            "feature_fraction": self.feature_fraction,
            "bagging_fraction": self.bagging_fraction,
            "bagging_freq": 1,
            "lambda_l2": self.lambda_l2,
            "monotone_constraints": [constraints.get(name, 0) for name in feature_names],
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": self.threads,
            "verbosity": -1,
        }


DEFAULTS = TrainingParameters()


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


def train(
    part: Dataset,
    validation: Dataset,
    parameters: TrainingParameters = DEFAULTS,
    on_iteration: OnIteration | None = None,
) -> TrainedRanker:
    """Train on `part` with as many trees as do `validation` best, then, unless told otherwise, on both together.

    `on_iteration` gets the number of the iteration, from 1, and the validation metrics after it.
    """
    # OpenMP reads it when LightGBM is first imported. Its threads otherwise spin while they wait for each other, which
    # on cores that other processes use too made a training of 0.7 s take 25 s.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import lightgbm  # noqa: PLC0415  seconds to import; commands that only look do not need it

    history: dict[str, list[float]] = {}

    def record(env: Any) -> None:
        metrics = {name.replace("@", "_"): value for _, name, value, *_ in env.evaluation_result_list}
        for name, value in metrics.items():
            history.setdefault(name, []).append(value)
        if on_iteration is not None:
            on_iteration(env.iteration + 1, metrics)

    words = parameters.for_lightgbm(part.feature_names)
    learned = _lightgbm_dataset(part, words, parameters)
    booster = lightgbm.train(
        words,
        learned,
        num_boost_round=parameters.rounds,
        valid_sets=[_lightgbm_dataset(validation, words, parameters, reference=learned)],
        valid_names=["validation"],
        callbacks=[record, lightgbm.early_stopping(parameters.early_stopping_rounds, verbose=False)],
    )
    iterations = _best_iteration(history[f"ndcg_{VALIDATION_CUTOFF}"])
    if parameters.refit:
        both = _lightgbm_dataset(part.followed_by(validation), words, parameters)
        booster = lightgbm.train(words, both, num_boost_round=iterations)
    text = booster.model_to_string(num_iteration=iterations)
    return TrainedRanker(text, part.feature_names, parameters, iterations, history)


def _lightgbm_dataset(
    part: Dataset, words: dict[str, Any], parameters: TrainingParameters, reference: Any = None
) -> Any:
    import lightgbm  # noqa: PLC0415

    return lightgbm.Dataset(
        part.matrix,
        label=part.labels,
        group=part.group_sizes,
        position=part.positions if parameters.debias_position and reference is None else None,
        feature_name=list(part.feature_names),
        params=words,
        reference=reference,
    )


def _best_iteration(values: list[float]) -> int:
    """The iteration, from 1, at which the smoothed `values` are highest, and no fewer than FEWEST_ROUNDS."""
    window = np.ones(SMOOTHING_ROUNDS)
    smoothed = np.convolve(values, window, "full") / np.convolve(np.ones(len(values)), window, "full")
    centred = smoothed[SMOOTHING_ROUNDS // 2 :][: len(values)]
    return min(max(int(np.argmax(centred)) + 1, FEWEST_ROUNDS), len(values))
