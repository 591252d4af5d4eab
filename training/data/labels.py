"""Relevance grades of actions: the table from which labels, and LightGBM's gains, are made.

Grades are a second scale beside the weights of photofeed/action_weights.py. Counters add weights, so weights are
amounts. NDCG and LambdaRank take a few integer grades, each with a gain of 2^grade - 1. An action's grade is therefore
the rank of its weight. A dwell, which features count in seconds, has a grade only here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photofeed.action_weights import ENGAGEMENT_WEIGHTS
from photofeed.events import Action


@dataclass(frozen=True, slots=True)
class ActionValue:
    """The grade of an action on a post in the slate that showed it.

    Attributes:
        grade: relevance, 1 to 4. 0 means that the post was unwelcome, whatever else was done.
        seconds: for `dwell`, the shortest total time on the post that counts.
    """

    grade: int
    seconds: float = 0.0


_LEVELS = sorted(set(ENGAGEMENT_WEIGHTS.values()))
ACTION_VALUES: Mapping[Action, ActionValue] = {
    Action.DWELL: ActionValue(1, seconds=3.0),
    **{action: ActionValue(1 + _LEVELS.index(weight)) for action, weight in ENGAGEMENT_WEIGHTS.items()},
    Action.HIDE: ActionValue(0),
    Action.REPORT: ActionValue(0),
}

# The gain of each grade in NDCG: 2^grade - 1 (Burges et al., ICML 2005).
LABEL_GAIN: tuple[int, ...] = tuple(2**grade - 1 for grade in range(max(v.grade for v in ACTION_VALUES.values()) + 1))

# The weight of each head of ranker.heads: the gain of the action's grade. An unwelcome action has the gain of a comment
# with a negative sign.
HEAD_WEIGHTS: Mapping[Action, float] = {
    action: float(LABEL_GAIN[ACTION_VALUES[action].grade] or -LABEL_GAIN[ACTION_VALUES[Action.COMMENT].grade])
    for action in (Action.LIKE, Action.COMMENT, Action.SAVE, Action.SHARE, Action.DWELL, Action.HIDE)
}


def grades(outcomes: Mapping[Action, NDArray[np.bool_]]) -> NDArray[np.int32]:
    """The label of every impression: the highest grade among its actions, or 0 if one of them was unwelcome.

    Args:
        outcomes: for each action of ACTION_VALUES, (rows,) bool: whether the viewer did it.

    Returns:
        (rows,) int32.
    """
    best = np.zeros(len(next(iter(outcomes.values()))), dtype=np.int32)
    for action, value in ACTION_VALUES.items():
        np.maximum(best, value.grade, out=best, where=outcomes[action])
    for action, value in ACTION_VALUES.items():
        if value.grade == 0:
            best[outcomes[action]] = 0
    return best
