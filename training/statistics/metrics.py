"""Ranking metrics over many slates at once, and properties of the first positions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photofeed.arrays import FloatArray
from training.data.labels import gains
from training.statistics.intervals import Estimate


@dataclass(frozen=True, slots=True)
class RankedSlates:
    """Slates sorted by a ranker's scores.

    Attributes:
        slates: (rows,) the slate of each row. Rows are sorted by slate, then by descending score.
        ranks: (rows,) the rank in the slate, from 0.
        labels: (rows,) grades in the sorted order.
        order: (rows,) the index of each row in the dataset.
        count: the number of slates.
    """

    slates: NDArray[np.int64]
    ranks: NDArray[np.int64]
    labels: NDArray[np.int32]
    order: NDArray[np.int64]
    count: int


def rank_slates(
    labels: NDArray[np.int32], scores: FloatArray, group_sizes: NDArray[np.int32], *, seed: int = 0
) -> RankedSlates:
    """Rank each slate by `scores`. NaN comes last. Ties are broken at random, so that the input order has no effect."""
    slates = np.repeat(np.arange(len(group_sizes)), group_sizes)
    chance = np.random.default_rng(seed).random(len(labels))
    order = np.lexsort((chance, -np.nan_to_num(scores, nan=-np.inf), slates))
    return RankedSlates(slates, _ranks(group_sizes), labels[order], order, len(group_sizes))


def ndcg(ranked: RankedSlates, k: int) -> FloatArray:
    """NDCG@k of each slate with the gains of training.data.labels; NaN without a contrast, see `has_contrast`.

    In a slate with unwelcome posts, gains are counted from the lowest one of the slate, so that NDCG is between 0 and
    1 there, too.

    Source: Järvelin and Kekäläinen, ACM TOIS 2002, with the exponential gain of Burges et al., ICML 2005.
    """
    ideal = ranked.labels[np.lexsort((-ranked.labels, ranked.slates))]
    lowest = np.zeros(ranked.count)
    np.minimum.at(lowest, ranked.slates, gains(ranked.labels))
    quotients = _divide(_dcg(ranked, ranked.labels, lowest, k), _dcg(ranked, ideal, lowest, k))
    return np.where(has_contrast(ranked.labels, ranked.slates, ranked.count), quotients, np.nan)


def has_contrast(labels: NDArray[np.int32], slates: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """Whether a slate, (count,), has posts of different grades. Otherwise every order of its posts is equally good.

    `slates`, (rows,), is the slate of each row.
    """
    first = np.zeros(count, np.int32)
    first[slates[::-1]] = labels[::-1]
    return np.bincount(slates, weights=labels != first[slates], minlength=count) > 0


def average_precision(ranked: RankedSlates) -> FloatArray:
    """Average precision of each slate. Grades above 0 are relevant; NaN where none or all are."""
    relevant = ranked.labels > 0
    found = np.cumsum(relevant, dtype=np.float64)
    found_before_slate = (found - relevant)[ranked.ranks == 0]
    precision = np.where(relevant, (found - found_before_slate[ranked.slates]) / (ranked.ranks + 1), 0.0)
    quotients = _divide(_per_slate(ranked, precision), _per_slate(ranked, relevant.astype(np.float64)))
    return np.where(has_contrast(relevant.astype(np.int32), ranked.slates, ranked.count), quotients, np.nan)


def auc(labels: NDArray[np.int32], scores: FloatArray) -> float:
    """The probability that an engaged row scores above another row, over all slates; ties count half.

    NaN if one of the two kinds is missing. Source: Mann and Whitney's U.
    """
    return auc_estimate(labels, scores, np.zeros(len(labels), dtype=np.int64), 1).value


def auc_estimate(labels: NDArray[np.int32], scores: FloatArray, slates: NDArray[np.int64], count: int) -> Estimate:
    """The AUC of all rows, and the influence of each of the `count` slates. `slates`, (rows,), is the slate of a row.

    Source: the placement values of DeLong et al., Biometrics 1988, added up by slate.
    """
    relevant = labels > 0
    positives, negatives = int(relevant.sum()), int((~relevant).sum())
    if not positives or not negatives:
        return Estimate(float("nan"), np.zeros(count))
    _, level = np.unique(np.nan_to_num(scores, nan=-np.inf), return_inverse=True)
    by_level = [np.bincount(level[kind], minlength=int(level.max()) + 1) for kind in (relevant, ~relevant)]
    up_to = [np.cumsum(counts) - counts / 2 for counts in by_level]
    # for an engaged row: the share of other rows below it; for another row: the share of engaged rows above it
    placement = np.where(relevant, up_to[1][level] / negatives, 1 - up_to[0][level] / positives)
    value = float(placement[relevant].mean())
    influence = (placement - value) / np.where(relevant, positives, negatives)
    return Estimate(value, np.bincount(slates, weights=influence, minlength=count).astype(np.float64))


def mean_of_top(ranked: RankedSlates, values: FloatArray, k: int) -> FloatArray:
    """The mean of `values`, (rows,) in dataset order, over the first k ranks of each slate; skips NaN."""
    sorted_values = values[ranked.order]
    shown = (ranked.ranks < k) & ~np.isnan(sorted_values)
    return _divide(
        _per_slate(ranked, np.where(shown, sorted_values, 0.0)), _per_slate(ranked, shown.astype(np.float64))
    )


def distinct_of_top(ranked: RankedSlates, ids: NDArray[np.int64], k: int) -> FloatArray:
    """The number of different `ids`, (rows,), in the first k ranks of each slate, as a share of those ranks."""
    shown = ranked.ranks < k
    _, dense = np.unique(ids, return_inverse=True)
    pairs = np.unique(ranked.slates[shown] * (int(dense.max(initial=0)) + 1) + dense[ranked.order[shown]])
    distinct = np.bincount(pairs // (int(dense.max(initial=0)) + 1), minlength=ranked.count)
    return _divide(distinct.astype(np.float64), _per_slate(ranked, shown.astype(np.float64)))


def exposure(ranked: RankedSlates, ids: NDArray[np.int64], k: int) -> FloatArray:
    """How often each of the different `ids`, (rows,), is in the first k ranks of a slate, in ascending order."""
    different, dense = np.unique(ids, return_inverse=True)
    shown = np.bincount(dense[ranked.order[ranked.ranks < k]], minlength=len(different))
    return np.sort(shown).astype(np.float64)


def gini(amounts: FloatArray) -> float:
    """The Gini coefficient of ascending amounts: 0 if all are equal, close to 1 if one has everything."""
    count, total = len(amounts), amounts.sum()
    ranks = np.arange(1, count + 1)
    return float(((2 * ranks - count - 1) * amounts).sum() / (count * total)) if total else 0.0


def _ranks(group_sizes: NDArray[np.int32]) -> NDArray[np.int64]:
    first_rows = np.cumsum(group_sizes) - group_sizes
    return np.arange(int(group_sizes.sum())) - np.repeat(first_rows, group_sizes)


def _dcg(ranked: RankedSlates, labels: NDArray[np.int32], lowest: FloatArray, k: int) -> FloatArray:
    discounted = (gains(labels) - lowest[ranked.slates]) / np.log2(ranked.ranks + 2.0)
    return _per_slate(ranked, np.where(ranked.ranks < k, discounted, 0.0))


def _per_slate(ranked: RankedSlates, values: FloatArray) -> FloatArray:
    return np.bincount(ranked.slates, weights=values, minlength=ranked.count).astype(np.float64)


def _divide(values: FloatArray, by: FloatArray) -> FloatArray:
    quotients = np.full(len(values), np.nan)
    np.divide(values, by, out=quotients, where=by > 0)
    return quotients
