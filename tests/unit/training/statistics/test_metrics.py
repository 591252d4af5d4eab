import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from training.data.labels import UNWELCOME
from training.statistics.metrics import (
    RankedSlates,
    auc,
    auc_estimate,
    average_precision,
    distinct_of_top,
    exposure,
    gini,
    mean_of_top,
    ndcg,
    rank_slates,
)

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
    return dcg(labels[np.argsort(-scores)].tolist()) / ideal if len(set(labels.tolist())) > 1 else math.nan


@given(slates_of_rows, st.integers(1, 10))
def test_metrics_of_many_slates_equal_those_of_each(slates: list[list[tuple[int, int]]], k: int) -> None:
    labels, scores, sizes = _arrays(slates)
    ranked = rank_slates(labels, scores, sizes)
    ends = np.cumsum(sizes)
    each = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
    assert ndcg(ranked, k) == pytest.approx([_plain_ndcg(labels[rows], scores[rows], k) for rows in each], nan_ok=True)
    engaged = [labels[rows] > 0 for rows in each]
    expected = [
        average_precision_score(its, scores[rows]) if len(set(its.tolist())) > 1 else math.nan
        for its, rows in zip(engaged, each, strict=True)
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


def test_slates_whose_posts_all_have_one_label_do_not_count() -> None:
    """Any order of them is perfect: with three slates of one post each, a random ranker had an NDCG of 1."""
    labels, sizes = np.array([2, 1, 1, 0, 1], np.int32), np.array([1, 2, 2], np.int32)
    ranked = rank_slates(labels, np.arange(5.0), sizes)
    assert np.isnan(ndcg(ranked, 10)).tolist() == [True, True, False]
    assert np.isnan(average_precision(ranked)).tolist() == [True, True, False]


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


def _two_slates() -> RankedSlates:
    """Two slates of three rows each, in the order of the dataset; ranked, the first is turned round."""
    labels, scores = np.zeros(6, np.int32), np.array([1.0, 2.0, 3.0, 9.0, 8.0, 7.0])
    return rank_slates(labels, scores, np.array([3, 3], np.int32))


def test_ranking_names_the_row_at_each_rank() -> None:
    ranked = _two_slates()
    assert ranked.order.tolist() == [2, 1, 0, 3, 4, 5]
    assert ranked.ranks.tolist() == [0, 1, 2, 0, 1, 2]
    assert ranked.slates.tolist() == [0, 0, 0, 1, 1, 1]


def test_the_mean_of_the_top_takes_the_first_ranks_and_leaves_missing_values_out() -> None:
    values = np.array([10.0, 20.0, 40.0, np.nan, 5.0, 7.0])
    assert mean_of_top(_two_slates(), values, 2).tolist() == [30.0, 5.0]
    assert np.isnan(mean_of_top(_two_slates(), np.full(6, np.nan), 2)).all()


def test_distinct_ids_of_the_top_are_a_share_of_its_ranks() -> None:
    ids = np.array([1, 7, 7, 1, 2, 2])
    assert distinct_of_top(_two_slates(), ids, 2).tolist() == [0.5, 1.0]
    assert distinct_of_top(_two_slates(), ids, 9).tolist() == pytest.approx([2 / 3, 2 / 3])


def test_exposure_counts_the_first_ranks_of_each_id_in_ascending_order() -> None:
    ids = np.array([1, 7, 7, 7, 2, 3])
    assert exposure(_two_slates(), ids, 2).tolist() == [0, 0, 1, 3]  # 1 and 3 never, 2 once, 7 in both slates


def test_without_exposure_nothing_is_unequal() -> None:
    assert gini(np.zeros(5)) == 0
    assert gini(np.array([0.0, 1.0, 3.0])) == pytest.approx(0.5)


def test_the_auc_ranks_a_score_that_is_no_number_last() -> None:
    labels = np.array([1, 0, 0], np.int32)
    assert auc(labels, np.array([np.nan, -5.0, 0.0])) == 0
    assert auc(labels, np.array([1.0, np.nan, 0.0])) == 1


def test_every_grade_above_0_is_relevant() -> None:
    labels = np.array([1, 0], np.int32)
    assert auc(labels, np.array([2.0, 1.0])) == 1
    ranked = rank_slates(labels, np.array([1.0, 2.0]), np.array([2], np.int32))
    assert average_precision(ranked).tolist() == [0.5]


def test_an_unwelcome_post_at_the_top_costs_more_than_one_without_a_reaction() -> None:
    labels, sizes = np.array([2, 0, UNWELCOME], np.int32), np.array([3], np.int32)

    def measured(*scores: float) -> float:
        return float(ndcg(rank_slates(labels, np.array(scores), sizes), 10)[0])

    assert measured(3, 2, 1) == 1.0
    assert 1.0 > measured(2, 3, 1) > measured(2, 1, 3) > 0.0
    assert measured(3, 2, 1) > measured(3, 1, 2)


def test_a_slate_with_nothing_but_an_unwelcome_post_tells_an_order() -> None:
    labels, sizes = np.array([0, UNWELCOME], np.int32), np.array([2], np.int32)
    best, worst = (ndcg(rank_slates(labels, np.array(scores), sizes), 10)[0] for scores in ([2.0, 1.0], [1.0, 2.0]))
    assert best == 1.0
    assert 0.0 < worst < 1.0
