"""LightGBM lambdarank, trained on one part of a dataset and stopped early on another."""

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

EARLY_STOPPING_CUTOFF = 10  # of the NDCG on the validation part

OnIteration = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True, slots=True)
class TrainingParameters:
    """What a ranker is trained with. The same seed, data and thread count give the same model, bit for bit."""

    rounds: int = 400
    early_stopping_rounds: int = 40
    learning_rate: float = 0.05
    num_leaves: int = 31
    min_data_in_leaf: int = 20
    feature_fraction: float = 0.8
    bagging_fraction: float = 0.8
    lambda_l2: float = 1.0
    truncation_level: int = 30
    debias_position: bool = False
    monotone: bool = True
    seed: int = 7
    threads: int = 0  # 0: as many as the machine has cores

    def for_lightgbm(self, feature_names: tuple[str, ...]) -> dict[str, Any]:
        """The same in LightGBM's words."""
        constraints = {feature.name: feature.monotone for feature in RANKING_FEATURES} if self.monotone else {}
        return {
            "objective": "lambdarank",
            "metric": "ndcg",
            "eval_at": [EARLY_STOPPING_CUTOFF],
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
    """A model and how it came about. `history` is metric -> its value after each iteration, on the validation part."""

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
    """Train on `part` until the NDCG on `validation` stops rising.

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
    learned = lightgbm.Dataset(
        part.matrix,
        label=part.labels,
        group=part.group_sizes,
        position=part.positions if parameters.debias_position else None,
        feature_name=list(part.feature_names),
        params=words,
    )
    judged = learned.create_valid(
        validation.matrix, label=validation.labels, group=validation.group_sizes, params=words
    )
    booster = lightgbm.train(
        words,
        learned,
        num_boost_round=parameters.rounds,
        valid_sets=[judged],
        valid_names=["validation"],
        callbacks=[record, lightgbm.early_stopping(parameters.early_stopping_rounds, verbose=False)],
    )
    return TrainedRanker(booster.model_to_string(), part.feature_names, parameters, booster.best_iteration, history)
