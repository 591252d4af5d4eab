from dataclasses import replace

import numpy as np
import pytest

from photofeed.events import Action
from photofeed.features.ranking import FEATURE_NAMES
from training.data.dataset import Dataset
from training.data.labels import HEAD_WEIGHTS
from training.data.split import temporal_split
from training.evaluation.evaluate import measure
from training.ranker.heads import train_heads
from training.ranker.parameters import TrainingParameters
from training.statistics.metrics import auc

FAST = TrainingParameters(rounds=30, early_stopping_rounds=10, threads=1)
LIKED, HIDDEN = (FEATURE_NAMES.index(name) for name in ("topic_engagement_rate", "pair_hides_30d"))


@pytest.fixture
def acted_on(dataset: Dataset) -> Dataset:
    """Posts are liked the more, the higher one feature, and hidden the more, the higher another; never shared."""
    likes, hides = (dataset.matrix[:, column] > 0.8 for column in (LIKED, HIDDEN))
    nobody = np.zeros(len(dataset), dtype=np.bool_)
    outcomes = dict.fromkeys(HEAD_WEIGHTS, nobody) | {Action.LIKE: likes, Action.HIDE: hides}
    return replace(dataset, outcomes=outcomes, labels=np.where(likes & ~hides, 2, 0).astype(np.int32))


def test_each_head_foretells_its_own_action_and_the_blend_ranks(acted_on: Dataset) -> None:
    parts = temporal_split(acted_on)
    heads = train_heads(parts.train, parts.validation, FAST)
    assert set(heads.texts) == {Action.LIKE, Action.HIDE}
    chances = heads.probabilities(parts.test.matrix)
    for action, chance in chances.items():
        assert auc(parts.test.outcomes[action].astype(np.int32), chance) > 0.99
    assert measure(parts.test, heads.score(parts.test.matrix))["ndcg_10"] > 0.95


def test_a_post_that_people_hide_is_worth_less_than_nothing(acted_on: Dataset) -> None:
    parts = temporal_split(acted_on)
    heads = train_heads(parts.train, parts.validation, FAST)
    rows = np.zeros((2, len(FEATURE_NAMES)), dtype=np.float32)
    rows[1, HIDDEN] = 3
    plain, hidden = heads.score(rows)
    assert hidden < min(plain, 0)


def test_an_action_that_hardly_anybody_did_gets_no_head(acted_on: Dataset) -> None:
    nobody = dict.fromkeys(HEAD_WEIGHTS, np.zeros(len(acted_on), dtype=np.bool_))
    parts = temporal_split(replace(acted_on, outcomes=nobody))
    heads = train_heads(parts.train, parts.validation, FAST)
    assert heads.texts == {}
    assert (heads.score(parts.test.matrix) == 0).all()
