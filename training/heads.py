"""The alternative to lambdarank: one binary model for each action, blended by what the action is worth."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.events import Action
from training.dataset import Dataset
from training.intervals import FloatArray
from training.labels import HEAD_WEIGHTS
from training.parameters import DEFAULTS, TrainingParameters
from training.train import lightgbm_dataset, prepare_threads

# An action that fewer people did than this is too rare for a model of its own.
FEWEST_POSITIVES = 20


@dataclass(frozen=True, slots=True)
class TrainedHeads:
    """A model text for each action that was done often enough, perhaps none. Serving it takes as many boosters."""

    texts: Mapping[Action, str]
    feature_names: tuple[str, ...]

    def chances(self, matrix: NDArray[np.float32]) -> dict[Action, FloatArray]:
        """How likely each action is, (rows,) each, of (rows, features)."""
        import lightgbm  # noqa: PLC0415

        return {action: lightgbm.Booster(model_str=text).predict(matrix) for action, text in self.texts.items()}

    def score(self, matrix: NDArray[np.float32]) -> FloatArray:
        """What the impressions are worth: the sum of HEAD_WEIGHTS times chances, (rows,)."""
        blended = np.zeros(len(matrix))
        for action, chance in self.chances(matrix).items():
            blended += HEAD_WEIGHTS[action] * chance
        return blended


def train_heads(
    part: Dataset,
    validation: Dataset,
    parameters: TrainingParameters = DEFAULTS,
    on_head: Callable[[int, int], None] | None = None,
) -> TrainedHeads:
    """Train a head for each action of HEAD_WEIGHTS, stopped early and, unless told otherwise, refitted like `train`.

    `on_head` is told how many heads are done, and of how many.
    """
    prepare_threads()
    import lightgbm  # noqa: PLC0415

    words = parameters.for_lightgbm(part.feature_names) | {"objective": "binary", "metric": "binary_logloss"}
    # directions are declared for what is good about a post; a hide goes the other way
    words["monotone_constraints"] = None
    texts: dict[Action, str] = {}
    for done, action in enumerate(HEAD_WEIGHTS, start=1):
        if _often(part, action) and _often(validation, action, fewest=1):
            learned = _labelled(part, words, action)
            booster = lightgbm.train(
                words,
                learned,
                num_boost_round=parameters.rounds,
                valid_sets=[_labelled(validation, words, action, reference=learned)],
                callbacks=[lightgbm.early_stopping(parameters.early_stopping_rounds, verbose=False)],
            )
            if parameters.refit:
                both = _labelled(part.followed_by(validation), words, action)
                booster = lightgbm.train(words, both, num_boost_round=booster.best_iteration)
            texts[action] = booster.model_to_string()
        if on_head is not None:
            on_head(done, len(HEAD_WEIGHTS))
    return TrainedHeads(texts, part.feature_names)


def _often(part: Dataset, action: Action, *, fewest: int = FEWEST_POSITIVES) -> bool:
    return action in part.outcomes and int(part.outcomes[action].sum()) >= fewest


def _labelled(part: Dataset, words: dict[str, Any], action: Action, reference: Any = None) -> Any:
    return lightgbm_dataset(part, words, labels=part.outcomes[action], grouped=False, reference=reference)
