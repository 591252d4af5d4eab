"""Heads, the alternative to lambdarank: one binary model per action, summed with the weights of the actions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.arrays import FloatArray
from photofeed.events import Action
from training.data.dataset import Dataset
from training.data.labels import HEAD_WEIGHTS
from training.ranker.lightgbm_params import lightgbm_params
from training.ranker.parameters import DEFAULTS, TrainingParameters
from training.ranker.train import lightgbm_dataset, prepare_threads

# An action with fewer positive rows is too rare for a model.
MIN_POSITIVES = 20


@dataclass(frozen=True, slots=True)
class TrainedHeads:
    """A model text for each action that was frequent enough; possibly none. Serving would score each of them."""

    texts: Mapping[Action, str]
    feature_names: tuple[str, ...]

    def probabilities(self, matrix: NDArray[np.float32]) -> dict[Action, FloatArray]:
        """The probability of each action, (rows,) each, for (rows, features)."""
        import lightgbm  # noqa: PLC0415

        return {action: lightgbm.Booster(model_str=text).predict(matrix) for action, text in self.texts.items()}

    def score(self, matrix: NDArray[np.float32]) -> FloatArray:
        """The score of each row, (rows,): the sum of HEAD_WEIGHTS times the probabilities."""
        score = np.zeros(len(matrix))
        for action, probability in self.probabilities(matrix).items():
            score += HEAD_WEIGHTS[action] * probability
        return score


def train_heads(
    part: Dataset,
    validation: Dataset,
    parameters: TrainingParameters = DEFAULTS,
    on_head: Callable[[int, int], None] | None = None,
) -> TrainedHeads:
    """Train a head for each action of HEAD_WEIGHTS, with early stopping and, with `refit`, a second fit as in `train`.

    `on_head` is called with the number of heads that are done and the number of all heads.
    """
    prepare_threads()
    import lightgbm  # noqa: PLC0415

    params = lightgbm_params(parameters, part.feature_names, part.program) | {
        "objective": "binary",
        "metric": "binary_logloss",
    }
    # the directions are declared for good actions: they are wrong for a hide
    params["monotone_constraints"] = None
    texts: dict[Action, str] = {}
    for done, action in enumerate(HEAD_WEIGHTS, start=1):
        if _is_frequent(part, action) and _is_frequent(validation, action, at_least=1):
            training_set = _binary_dataset(part, params, action)
            booster = lightgbm.train(
                params,
                training_set,
                num_boost_round=parameters.rounds,
                valid_sets=[_binary_dataset(validation, params, action, reference=training_set)],
                callbacks=[lightgbm.early_stopping(parameters.early_stopping_rounds, verbose=False)],
            )
            if parameters.refit:
                both = _binary_dataset(part.followed_by(validation), params, action)
                booster = lightgbm.train(params, both, num_boost_round=booster.best_iteration)
            texts[action] = booster.model_to_string()
        if on_head is not None:
            on_head(done, len(HEAD_WEIGHTS))
    return TrainedHeads(texts, part.feature_names)


def _is_frequent(part: Dataset, action: Action, *, at_least: int = MIN_POSITIVES) -> bool:
    return action in part.outcomes and int(part.outcomes[action].sum()) >= at_least


def _binary_dataset(part: Dataset, params: dict[str, Any], action: Action, reference: Any = None) -> Any:
    return lightgbm_dataset(part, params, labels=part.outcomes[action], grouped=False, reference=reference)
