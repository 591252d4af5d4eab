"""What a ranker is trained with, and every default: the command line, notebooks and retraining take them from here.

Imports nothing heavy, because `photofeed train --help` shows the defaults.
"""

from dataclasses import dataclass, replace
from typing import Self

LEARNING_RATE = 0.03
# LightGBM moves its estimate of the position bias by the learning rate, too. At 0.03 early stopping ends the training
# before the estimate has converged (ADR 32).
DEBIASED_LEARNING_RATE = 0.1
# A model of many features learns chance from few events. With 5 for each feature, coefficients of regressions are about
# as good as with more (Vittinghoff and McCulloch, American Journal of Epidemiology 2007).
EVENTS_PER_FEATURE = 5
VALIDATION_CUTOFF = 10  # of the NDCG that decides the number of trees


@dataclass(frozen=True, slots=True)
class TrainingParameters:
    """What a ranker is trained with. The same seed and data give the same model, bit for bit.

    Attributes:
        rounds: the largest number of trees.
        early_stopping_rounds: stop after this many trees without a new best on the validation part.
        refit: train a second time, on the training and validation parts together, with the number of trees that the
            first training found. The newest slates are the most informative ones.
        learning_rate: None means LEARNING_RATE, or DEBIASED_LEARNING_RATE with `debias_position`; see `resolved`.
        debias_position: estimate the effect of the position on the labels, and leave it out of the scores.
        directed_only: learn from the features with a declared direction only, such as smoothed rates. None means if the
            training part has fewer than EVENTS_PER_FEATURE events for each feature; see lightgbm_params.decided.
        monotone: hold the model to the directions that its features declare.
        threads: 0 means one per core.
    """

    rounds: int = 400
    early_stopping_rounds: int = 60
    refit: bool = True
    learning_rate: float | None = None
    num_leaves: int = 15
    min_data_in_leaf: int = 20
    feature_fraction: float = 0.5
    bagging_fraction: float = 0.8
    lambda_l2: float = 5.0
    truncation_level: int = 30
    debias_position: bool = False
    directed_only: bool | None = None
    monotone: bool = True
    seed: int = 7
    threads: int = 0

    def resolved(self) -> Self:
        """The same parameters with the learning rate that a training uses."""
        if self.learning_rate is not None:
            return self
        return replace(self, learning_rate=DEBIASED_LEARNING_RATE if self.debias_position else LEARNING_RATE)


DEFAULTS = TrainingParameters()
