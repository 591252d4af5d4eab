"""Factors of people and posts: alternating least squares on implicit feedback (Hu, Koren and Volinsky, 2008)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FACTORS, ITERATIONS, REGULARIZATION = 32, 10, 0.05


@dataclass(frozen=True, slots=True)
class Factors:
    """Factors of the people and posts of (user, post, weight) pairs.

    Attributes:
        user_ids, post_ids: (users,) and (posts,) int64, ascending.
        users, posts: (users, FACTORS) and (posts, FACTORS) float32. Their products tell how likely an engagement is.
    """

    user_ids: NDArray[np.int64]
    post_ids: NDArray[np.int64]
    users: NDArray[np.float32]
    posts: NDArray[np.float32]


def factorize(users: NDArray[np.int64], posts: NDArray[np.int64], weights: NDArray[np.float32]) -> Factors:
    """Factors from (user, post, weight) pairs, each pair once. The same pairs give the same factors.

    Raises:
        ImportError: implicit is not installed, as in the image of the API.
    """
    from implicit.als import AlternatingLeastSquares  # noqa: PLC0415  seconds that most processes do not need
    from scipy.sparse import csr_matrix  # noqa: PLC0415
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    post_ids, columns = np.unique(posts, return_inverse=True)
    user_ids, rows = np.unique(users, return_inverse=True)
    matrix = csr_matrix((weights, (rows, columns)), shape=(len(user_ids), len(post_ids)))
    with threadpool_limits(1, "blas"):  # implicit warns about more: they slow each other down
        model = AlternatingLeastSquares(
            factors=FACTORS, iterations=ITERATIONS, regularization=REGULARIZATION, num_threads=1, random_state=1
        )
        model.fit(matrix, show_progress=False)
    return Factors(
        user_ids,
        post_ids,
        np.asarray(model.user_factors, np.float32),
        np.asarray(model.item_factors, np.float32),
    )
