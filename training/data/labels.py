"""Relevance grades of actions: the table from which labels, and LightGBM's gains, are made.

Grades are a second scale beside the weights of photofeed/action_weights.py. Counters add weights, so weights are
amounts. NDCG and LambdaRank take a few integer grades, each with a gain. The grade of a welcome action is therefore the
rank of its weight. Negative grades mean that the viewer wants less of the post: it ranks below posts that got no
reaction. A dwell, which features count in seconds, has a grade only here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photofeed.action_weights import ENGAGEMENT_WEIGHTS
from photofeed.arrays import FloatArray
from photofeed.events import Action


@dataclass(frozen=True, slots=True)
class ActionValue:
    """The grade of an action in the slate that showed the post.

    Attributes:
        grade: relevance, 1 to 4, or UNWELCOME, which holds whatever else was done.
        seconds: for `dwell`, the shortest total time on the post that counts.
        of_author: whether the action is on the author. It counts for all posts by them in the slates that the viewer
            began to see at most LEAVING_SECONDS before.
    """

    grade: int
    seconds: float = 0.0
    of_author: bool = False


UNWELCOME, SKIPPED = -2, -1
LEAVING_SECONDS = 3600.0

_LEVELS = sorted(set(ENGAGEMENT_WEIGHTS.values()))
ACTION_VALUES: Mapping[Action, ActionValue] = {
    Action.DWELL: ActionValue(1, seconds=3.0),
    **{action: ActionValue(1 + _LEVELS.index(weight)) for action, weight in ENGAGEMENT_WEIGHTS.items()},
    Action.HIDE: ActionValue(UNWELCOME),
    Action.REPORT: ActionValue(UNWELCOME),
    Action.MUTE: ActionValue(UNWELCOME, of_author=True),
    Action.UNFOLLOW: ActionValue(UNWELCOME, of_author=True),
}
GRADES = tuple(range(UNWELCOME, max(value.grade for value in ACTION_VALUES.values()) + 1))
# The gain of each of GRADES: 2^grade - 1 (Burges et al., ICML 2005), and the same below 0 with a negative sign.
GRADE_GAINS: tuple[int, ...] = tuple((2 ** abs(grade) - 1) * (1 if grade > 0 else -1) for grade in GRADES)

# The weight of each head of ranker.heads: the gain of the action's grade.
HEAD_WEIGHTS: Mapping[Action, float] = {
    action: float(GRADE_GAINS[GRADES.index(ACTION_VALUES[action].grade)])
    for action in (Action.LIKE, Action.COMMENT, Action.SAVE, Action.SHARE, Action.DWELL, Action.HIDE)
}


def grades(outcomes: Mapping[Action, NDArray[np.bool_]], skipped: NDArray[np.bool_] | None = None) -> NDArray[np.int32]:
    """The label of every impression: the highest grade among its actions, or UNWELCOME if one of them was.

    Args:
        outcomes: action of ACTION_VALUES -> (rows,) bool: whether the viewer did it.
        skipped: (rows,) bool: whether the viewer looked at the post for less than QUICK_SKIP_SECONDS.

    Returns:
        (rows,) int32, each one of GRADES.
    """
    best = np.zeros(len(next(iter(outcomes.values()))), dtype=np.int32)
    for action, done in outcomes.items():
        np.maximum(best, ACTION_VALUES[action].grade, out=best, where=done)
    if skipped is not None:
        best[skipped & (best == 0)] = SKIPPED
    for action, done in outcomes.items():
        if ACTION_VALUES[action].grade < 0:
            best[done] = ACTION_VALUES[action].grade
    return best


def gains(labels: NDArray[np.int32]) -> FloatArray:
    """The gain of each label, (rows,)."""
    return np.asarray(GRADE_GAINS, np.float64)[labels - UNWELCOME]
