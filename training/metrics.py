"""Ranking metrics over many slates at once: NDCG, mean average precision, AUC."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.labels import LABEL_GAIN

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RankedSlates:
    """Slates put into the order of a ranker's scores.

    Attributes:
        slates: (rows,) the slate of each row, rows sorted by slate and then by falling score.
        ranks: (rows,) place in the ranking, from 0.
        labels: (rows,) grades in that order.
        count: how many slates.
    """

    slates: NDArray[np.int64]
    ranks: NDArray[np.int64]
    labels: NDArray[np.int32]
    count: int


def rank_slates(
    labels: NDArray[np.int32], scores: FloatArray, group_sizes: NDArray[np.int32], *, seed: int = 0
) -> RankedSlates:
    """Rank each slate by `scores`: NaN sinks to the bottom; ties fall at random, so input order is worth nothing."""
    slates = np.repeat(np.arange(len(group_sizes)), group_sizes)
    chance = np.random.default_rng(seed).random(len(labels))
    order = np.lexsort((chance, -np.nan_to_num(scores, nan=-np.inf), slates))
    return RankedSlates(slates, _ranks(group_sizes), labels[order], len(group_sizes))


def ndcg(ranked: RankedSlates, k: int) -> FloatArray:
    """NDCG@k of each slate, gains of LABEL_GAIN, NaN where nothing in the slate was engaged with.

    Source: Järvelin and Kekäläinen, ACM TOIS 2002, with the exponential gain of Burges et al., ICML 2005.
    """
    ideal = ranked.labels[np.lexsort((-ranked.labels, ranked.slates))]
    return _divide(_dcg(ranked, ranked.labels, k), _dcg(ranked, ideal, k))


def average_precision(ranked: RankedSlates) -> FloatArray:
    """Average precision of each slate, any grade above 0 being relevant; NaN where there is none."""
    relevant = ranked.labels > 0
    found = np.cumsum(relevant, dtype=np.float64)
    found_before_slate = (found - relevant)[ranked.ranks == 0]
    precision = np.where(relevant, (found - found_before_slate[ranked.slates]) / (ranked.ranks + 1), 0.0)
    return _divide(_per_slate(ranked, precision), _per_slate(ranked, relevant.astype(np.float64)))


def auc(labels: NDArray[np.int32], scores: FloatArray) -> float:
    """Chance that an engaged impression scores above another one, over all slates; ties count half.

    NaN where there are not both kinds. Source: Mann and Whitney's U.
    """
    _, inverse, counts = np.unique(np.nan_to_num(scores, nan=-np.inf), return_inverse=True, return_counts=True)
    mid_ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    relevant = labels > 0
    positives, negatives = int(relevant.sum()), int((~relevant).sum())
    if not positives or not negatives:
        return float("nan")
    return float((mid_ranks[relevant].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _ranks(group_sizes: NDArray[np.int32]) -> NDArray[np.int64]:
    first_rows = np.cumsum(group_sizes) - group_sizes
    return np.arange(int(group_sizes.sum())) - np.repeat(first_rows, group_sizes)


def _dcg(ranked: RankedSlates, labels: NDArray[np.int32], k: int) -> FloatArray:
    discounted = np.asarray(LABEL_GAIN, dtype=np.float64)[labels] / np.log2(ranked.ranks + 2.0)
    return _per_slate(ranked, np.where(ranked.ranks < k, discounted, 0.0))


def _per_slate(ranked: RankedSlates, values: FloatArray) -> FloatArray:
    return np.bincount(ranked.slates, weights=values, minlength=ranked.count).astype(np.float64)


def _divide(values: FloatArray, by: FloatArray) -> FloatArray:
    quotients = np.full(len(values), np.nan)
    np.divide(values, by, out=quotients, where=by > 0)
    return quotients
