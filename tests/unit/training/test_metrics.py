import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from training.metrics import auc, auc_estimate, average_precision, gini, ndcg, rank_slates

slates_of_rows = st.lists(
    st.lists(st.tuples(st.integers(0, 4), st.integers(-5, 5)), min_size=1, max_size=8), min_size=1, max_size=6
)


def _arrays(slates: list[list[tuple[int, int]]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = [row for slate in slates for row in slate]
    # a drop of the row number takes ties away, so that every method orders alike
    scores = np.array([score + number * 1e-6 for number, (_, score) in enumerate(rows)])
    return np.array([label for label, _ in rows], np.int32), scores, np.array([len(s) for s in slates], np.int32)


def _plain_ndcg(labels: np.ndarray, scores: np.ndarray, k: int) -> float:
    def dcg(ordered: list[int]) -> float:
        return math.fsum((2**label - 1) / math.log2(rank + 2) for rank, label in enumerate(ordered[:k]))

    ideal = dcg(sorted(labels.tolist(), reverse=True))
    return dcg(labels[np.argsort(-scores)].tolist()) / ideal if ideal else math.nan


@given(slates_of_rows, st.integers(1, 10))
def test_metrics_of_many_slates_equal_those_of_each(slates: list[list[tuple[int, int]]], k: int) -> None:
    labels, scores, sizes = _arrays(slates)
    ranked = rank_slates(labels, scores, sizes)
    ends = np.cumsum(sizes)
    each = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
    assert ndcg(ranked, k) == pytest.approx([_plain_ndcg(labels[rows], scores[rows], k) for rows in each], nan_ok=True)
    expected = [
        average_precision_score(labels[rows] > 0, scores[rows]) if (labels[rows] > 0).any() else math.nan
        for rows in each
    ]
    assert average_precision(ranked) == pytest.approx(expected, nan_ok=True)


@given(slates_of_rows)
def test_auc_equals_scikit_learns_ties_included(slates: list[list[tuple[int, int]]]) -> None:
    labels = np.array([label for slate in slates for label, _ in slate], np.int32)
    scores = np.array([float(score) for slate in slates for _, score in slate])
    if len(set((labels > 0).tolist())) == 2:
        assert auc(labels, scores) == pytest.approx(roc_auc_score(labels > 0, scores))
    else:
        assert math.isnan(auc(labels, scores))


def test_equal_scores_earn_nothing_from_the_order_of_the_rows() -> None:
    """Rows come in the order they were shown; a model that says nothing must not inherit that order's merit."""
    labels = np.tile(np.array([4, 0, 0, 0], np.int32), 500)
    sizes = np.full(500, 4, np.int32)
    of_constant = np.mean(ndcg(rank_slates(labels, np.zeros(2000), sizes), 4))
    assert of_constant == pytest.approx(np.mean(1 / np.log2([2, 3, 4, 5])), abs=0.05)


def test_a_score_that_is_no_number_sinks_to_the_bottom() -> None:
    ranked = rank_slates(np.array([4, 0], np.int32), np.array([np.nan, -1e9]), np.array([2], np.int32))
    assert ranked.labels.tolist() == [0, 4]


def test_slates_move_the_auc_by_what_leaving_them_out_does() -> None:
    rng = np.random.default_rng(0)
    labels, scores = (rng.random(4000) < 0.3).astype(np.int32), rng.normal(size=4000)
    scores += labels
    slates = np.repeat(np.arange(200), 20)
    estimate = auc_estimate(labels, scores, slates, 200)
    without = np.array([auc(labels[slates != slate], scores[slates != slate]) for slate in range(200)])
    assert estimate.influence == pytest.approx(estimate.value - without, abs=3e-4)
    assert np.corrcoef(estimate.influence, estimate.value - without)[0, 1] > 0.99


def test_exposure_is_unequal_from_none_to_all() -> None:
    assert gini(np.ones(50)) == pytest.approx(0)
    assert gini(np.array([0.0] * 99 + [7.0])) == pytest.approx(0.99)
