"""Baselines that learn: what a model must be ahead of to be worth its features.

- `nine_counters`: the same LightGBM on the nine counters of a post.
- `als`: matrix factorization of who engaged with what, without any features.

They learn from the slates that the evaluated version learned from.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from photofeed.arrays import FloatArray
from photofeed.errors import InvalidError
from photofeed.factorization import factorize
from photofeed.features.ranking import PROGRAM
from photofeed.models.contract import ModelContract
from training.data.dataset import Dataset, build_dataset
from training.data.labels import gains
from training.data.sources import Sources
from training.data.split import temporal_split
from training.data.unseen import unseen_from
from training.data.window import Window
from training.ranker.train import train

NINE_COUNTERS, ALS = "nine_counters", "als"
COUNTERS = PROGRAM.select(
    (
        "post_likes_5m",
        "post_likes_1h",
        "post_likes_24h",
        "post_comments_24h",
        "post_saves_24h",
        "post_shares_24h",
        "post_opens_24h",
        "post_impressions_1h",
        "post_impressions_7d",
    )
)


def learned_baselines(
    sources: Sources, contract: ModelContract, dataset: Dataset
) -> tuple[dict[str, FloatArray], dict[str, str]]:
    """The scores of each baseline for the rows of a dataset, which has COUNTERS, and why others are left out.

    Raises:
        RetryableError: object storage cannot be reached.
    """
    try:
        window = Window(contract.trained_from, unseen_from(contract))
        known = build_dataset(sources.with_program(COUNTERS), window)
    except InvalidError as error:
        return {}, dict.fromkeys(BASELINES, f"the slates that the version learned from: {error}")
    scores: dict[str, FloatArray] = {}
    left_out: dict[str, str] = {}
    for name, score in BASELINES.items():
        try:
            scores[name] = score(known, dataset)
        except (InvalidError, ImportError) as error:
            left_out[name] = str(error)
    return scores, left_out


def counters_scores(known: Dataset, dataset: Dataset) -> FloatArray:
    """The scores, (rows,), of a model of COUNTERS that was trained on the slates of `known`.

    Raises:
        InvalidError: these slates are too few.
    """
    parts = temporal_split(known.only(COUNTERS.names))
    ranker = train(parts.train.followed_by(parts.validation), parts.test)
    return ranker.score(dataset.columns(COUNTERS.names))


def als_scores(known: Dataset, dataset: Dataset) -> FloatArray:
    """The scores, (rows,), of factors of who engaged with what in `known`; 0 for people and posts that are not there.

    Raises:
        InvalidError: nobody engaged with anything.
        ImportError: implicit is not installed.
    """
    engaged = known.labels > 0
    if not engaged.any():
        raise InvalidError("nobody engaged with anything")
    pairs, row = np.unique(np.stack([known.user_ids[engaged], known.post_ids[engaged]]), axis=1, return_inverse=True)
    weights = np.bincount(row.reshape(-1), weights=gains(known.labels[engaged]))
    factors = factorize(pairs[0], pairs[1], weights.astype(np.float32))
    user, user_known = _find(factors.user_ids, dataset.user_ids)
    post, post_known = _find(factors.post_ids, dataset.post_ids)
    products = np.einsum("nf,nf->n", factors.users[user], factors.posts[post], dtype=np.float64)
    return np.where(user_known & post_known, products, 0.0)


def _find(ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The index of each wanted id in ascending ids, and whether it is there."""
    at = np.minimum(ids.searchsorted(wanted), len(ids) - 1)
    return at, ids[at] == wanted


BASELINES: Mapping[str, Callable[[Dataset, Dataset], FloatArray]] = {NINE_COUNTERS: counters_scores, ALS: als_scores}
