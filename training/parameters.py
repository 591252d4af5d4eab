"""What a ranker is trained with, declared once and said in LightGBM's words."""

from dataclasses import dataclass
from typing import Any

from photofeed.features.ranking import RANKING_FEATURES
from training.labels import LABEL_GAIN

# LightGBM steps towards the bias of positions at the learning rate too, and at 0.03 training ends before it is there.
DEBIASED_LEARNING_RATE = 0.1
VALIDATION_CUTOFF = 10  # of the NDCG that decides on the number of trees


@dataclass(frozen=True, slots=True)
class TrainingParameters:
    """What a ranker is trained with; the same seed and data give the same model, bit for bit.

    Attributes:
        rounds: most trees.
        early_stopping_rounds: stop after as many without a new best on the validation part.
        refit: train once more, on the training and validation parts, with the number of trees that was found. The
            newest slates are the most telling ones; it costs a second training.
        debias_position: learn what the position alone does to the labels, and leave it out of the scores; with
            DEBIASED_LEARNING_RATE.
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
