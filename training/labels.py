"""What an action is worth: the one table from which labels, and LightGBM's gains, are made."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photofeed.events import Action


@dataclass(frozen=True, slots=True)
class ActionValue:
    """How an action on a post, in the slate that showed it, counts.

    Attributes:
        grade: relevance it proves, 1 to 4; 0 for an action that says the post was unwelcome, whatever else was done.
        undone_by: the action that takes it back; the later of the two counts.
        seconds: for `dwell`, the time on the post from which it counts.
    """

    grade: int
    undone_by: Action | None = None
    seconds: float = 0.0


ACTION_VALUES: Mapping[Action, ActionValue] = {
    Action.DWELL: ActionValue(1, seconds=3.0),
    Action.OPEN: ActionValue(1),
    Action.LIKE: ActionValue(2, undone_by=Action.UNLIKE),
    Action.COMMENT: ActionValue(3),
    Action.SAVE: ActionValue(3, undone_by=Action.UNSAVE),
    Action.SHARE: ActionValue(4),
    Action.HIDE: ActionValue(0),
    Action.REPORT: ActionValue(0),
}

# What a grade is worth at the top of a slate: 2^grade - 1, as NDCG has it (Burges et al., ICML 2005).
LABEL_GAIN: tuple[int, ...] = tuple(2**grade - 1 for grade in range(max(v.grade for v in ACTION_VALUES.values()) + 1))

# What heads of their own are blended by: an action's gain, and for what was unwelcome as much as a comment takes back.
HEAD_WEIGHTS: Mapping[Action, float] = {
    action: float(LABEL_GAIN[ACTION_VALUES[action].grade] or -LABEL_GAIN[ACTION_VALUES[Action.COMMENT].grade])
    for action in (Action.LIKE, Action.COMMENT, Action.SAVE, Action.SHARE, Action.DWELL, Action.HIDE)
}


def grades(outcomes: Mapping[Action, NDArray[np.bool_]]) -> NDArray[np.int32]:
    """The label of every impression: the best grade among its actions, 0 where one of them was unwelcome.

    Args:
        outcomes: for each action of ACTION_VALUES, (rows,) bool: whether it followed the impression.

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
