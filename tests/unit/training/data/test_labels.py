import numpy as np

from photofeed.action_weights import ENGAGEMENT_WEIGHTS
from photofeed.events import Action
from training.data.labels import ACTION_VALUES, LABEL_GAIN, grades


def _outcomes(*rows: set[Action]) -> dict[Action, np.ndarray]:
    return {action: np.array([action in row for row in rows]) for action in ACTION_VALUES}


def test_the_best_action_of_an_impression_is_its_grade() -> None:
    labels = grades(_outcomes(set(), {Action.DWELL}, {Action.LIKE, Action.DWELL}, {Action.SHARE, Action.COMMENT}))
    assert labels.tolist() == [0, 1, 2, 4]


def test_an_unwelcome_post_is_worth_nothing_whatever_else_was_done() -> None:
    assert grades(_outcomes({Action.SHARE, Action.HIDE}, {Action.LIKE, Action.REPORT})).tolist() == [0, 0]


def test_grades_follow_the_weights_of_actions() -> None:
    grades_of = {action: ACTION_VALUES[action].grade for action in ENGAGEMENT_WEIGHTS}
    assert grades_of == {Action.OPEN: 1, Action.LIKE: 2, Action.COMMENT: 3, Action.SAVE: 3, Action.SHARE: 4}


def test_every_grade_has_a_gain() -> None:
    assert LABEL_GAIN == (0, 1, 3, 7, 15)
