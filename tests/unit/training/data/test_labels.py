import numpy as np

from photofeed.action_weights import ENGAGEMENT_WEIGHTS
from photofeed.events import Action
from training.data.labels import ACTION_VALUES, GRADE_GAINS, GRADES, SKIPPED, UNWELCOME, gains, grades


def _outcomes(*rows: set[Action]) -> dict[Action, np.ndarray]:
    return {action: np.array([action in row for row in rows]) for action in ACTION_VALUES}


def test_the_best_action_of_an_impression_is_its_grade() -> None:
    labels = grades(_outcomes(set(), {Action.DWELL}, {Action.LIKE, Action.DWELL}, {Action.SHARE, Action.COMMENT}))
    assert labels.tolist() == [0, 1, 2, 4]


def test_an_unwelcome_post_is_below_one_without_a_reaction_whatever_else_was_done() -> None:
    rows = [{Action.SHARE, Action.HIDE}, {Action.LIKE, Action.REPORT}, {Action.MUTE}, {Action.SAVE, Action.UNFOLLOW}]
    assert grades(_outcomes(*rows, set())).tolist() == [UNWELCOME] * 4 + [0]


def test_a_quick_skip_is_weaker_than_a_hide_and_than_any_engagement() -> None:
    rows = _outcomes(set(), {Action.LIKE}, {Action.HIDE}, set())
    assert grades(rows, np.array([True, True, True, False])).tolist() == [SKIPPED, 2, UNWELCOME, 0]
    assert UNWELCOME < SKIPPED < 0


def test_grades_follow_the_weights_of_actions() -> None:
    grades_of = {action: ACTION_VALUES[action].grade for action in ENGAGEMENT_WEIGHTS}
    assert grades_of == {Action.OPEN: 1, Action.LIKE: 2, Action.COMMENT: 3, Action.SAVE: 3, Action.SHARE: 4}


def test_every_grade_has_a_gain() -> None:
    assert GRADE_GAINS == (-3, -1, 0, 1, 3, 7, 15)
    assert gains(np.array(GRADES, np.int32)).tolist() == list(GRADE_GAINS)
