"""Ranking metrics over many slates at once, and what the top of slates is made of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.intervals import Estimate, FloatArray
from training.labels import LABEL_GAIN


@dataclass(frozen=True, slots=True)
class RankedSlates:
    """Slates put into the order of a ranker's scores.

    Attributes:
        slates: (rows,) the slate of each row, rows sorted by slate and then by falling score.
        ranks: (rows,) place in the ranking, from 0.
        labels: (rows,) grades in that order.
        order: (rows,) the number of the row that came to stand at each place.
        count: how many slates.
    """

    slates: NDArray[np.int64]
    ranks: NDArray[np.int64]
    labels: NDArray[np.int32]
    order: NDArray[np.int64]
    count: int


def rank_slates(
    labels: NDArray[np.int32], scores: FloatArray, group_sizes: NDArray[np.int32], *, seed: int = 0
) -> RankedSlates:
    """Rank each slate by `scores`: NaN sinks to the bottom; ties fall at random, so input order is worth nothing."""
    slates = np.repeat(np.arange(len(group_sizes)), group_sizes)
    chance = np.random.default_rng(seed).random(len(labels))
    order = np.lexsort((chance, -np.nan_to_num(scores, nan=-np.inf), slates))
    return RankedSlates(slates, _ranks(group_sizes), labels[order], order, len(group_sizes))


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
    return auc_estimate(labels, scores, np.zeros(len(labels), dtype=np.int64), 1).value


def auc_estimate(labels: NDArray[np.int32], scores: FloatArray, slates: NDArray[np.int64], count: int) -> Estimate:
    """The AUC of all rows, and how much each of `count` slates moves it (`slates`, (rows,)).

    Source: the placement values of DeLong et al., Biometrics 1988, added up by slate.
    """
    relevant = labels > 0
    positives, negatives = int(relevant.sum()), int((~relevant).sum())
    if not positives or not negatives:
        return Estimate(float("nan"), np.zeros(count))
    _, level = np.unique(np.nan_to_num(scores, nan=-np.inf), return_inverse=True)
    by_level = [np.bincount(level[kind], minlength=int(level.max()) + 1) for kind in (relevant, ~relevant)]
    up_to = [np.cumsum(counts) - counts / 2 for counts in by_level]
    # of an engaged row, the share of others below it; of another, the share of engaged ones above it
    placement = np.where(relevant, up_to[1][level] / negatives, 1 - up_to[0][level] / positives)
    value = float(placement[relevant].mean())
    moved = (placement - value) / np.where(relevant, positives, negatives)
    return Estimate(value, np.bincount(slates, weights=moved, minlength=count).astype(np.float64))


def mean_of_top(ranked: RankedSlates, values: FloatArray, k: int) -> FloatArray:
    """The mean of `values`, (rows,) in the dataset's order, over the first k places of each slate; NaN are left out."""
    placed = values[ranked.order]
    shown = (ranked.ranks < k) & ~np.isnan(placed)
    return _divide(_per_slate(ranked, np.where(shown, placed, 0.0)), _per_slate(ranked, shown.astype(np.float64)))


def distinct_of_top(ranked: RankedSlates, ids: NDArray[np.int64], k: int) -> FloatArray:
    """How many different `ids`, (rows,), are in the first k places of each slate, as a share of those places."""
    shown = ranked.ranks < k
    _, dense = np.unique(ids, return_inverse=True)
    pairs = np.unique(ranked.slates[shown] * (int(dense.max(initial=0)) + 1) + dense[ranked.order[shown]])
    distinct = np.bincount(pairs // (int(dense.max(initial=0)) + 1), minlength=ranked.count)
    return _divide(distinct.astype(np.float64), _per_slate(ranked, shown.astype(np.float64)))


def exposure(ranked: RankedSlates, ids: NDArray[np.int64], k: int) -> FloatArray:
    """How often each of the different `ids`, (rows,), stands in the first k places of a slate, least often first."""
    different, dense = np.unique(ids, return_inverse=True)
    shown = np.bincount(dense[ranked.order[ranked.ranks < k]], minlength=len(different))
    return np.sort(shown).astype(np.float64)


def gini(amounts: FloatArray) -> float:
    """The Gini coefficient of sorted amounts: 0 if all have the same, towards 1 if one has everything."""
    count, total = len(amounts), amounts.sum()
    places = np.arange(1, count + 1)
    return float(((2 * places - count - 1) * amounts).sum() / (count * total)) if total else 0.0


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
