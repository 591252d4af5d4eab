"""Training past one machine: LightGBM's data-parallel lambdarank on the workers of a Dask cluster.

Slates are kept whole: chunks end where a slate does. Workers add up what their own rows say of every split and agree on
the best, so the model is that of one process but for the sampling of bins and of rows, which each worker does among its
own. The dataset itself is built here and sent to the workers.

LightGBM's workers talk to each other by plain TCP, on ports that they open while they train: run them in a network of
their own.
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.errors import InvalidError, RetryableError
from training.dataset import Dataset
from training.metrics import ndcg, rank_slates
from training.parameters import DEFAULTS, VALIDATION_CUTOFF, TrainingParameters
from training.train import VALIDATION_NDCG, OnIteration, TrainedRanker, Trainer, best_iteration

LOCAL = re.compile(r"local:([1-9]\d?)")
PATIENCE_SECONDS = 30.0
CHUNKS_A_WORKER = 2


@contextmanager
def dask_trainer(address: str, *, patience_seconds: float = PATIENCE_SECONDS) -> Iterator[Trainer]:
    """A `train` that runs on a Dask cluster: `tcp://host:port`, or `local:2` for two processes here, ended afterwards.

    Raises:
        InvalidError: neither of the two, or parameters that many machines cannot train with.
        RetryableError: no scheduler or no worker answers there.
    """
    import distributed  # noqa: PLC0415  a second

    dask: Any = distributed  # half typed
    local = LOCAL.fullmatch(address)
    if local is None and not address.startswith(("tcp://", "tls://")):
        raise InvalidError(f"a Dask cluster is tcp://host:port or local:2, not {address!r}")
    with ExitStack() as opened:
        cluster = address
        if local is not None:
            here = dask.LocalCluster(int(local[1]), threads_per_worker=1, host="127.0.0.1", dashboard_address=None)
            cluster = opened.enter_context(here)
        try:
            client = opened.enter_context(dask.Client(cluster, timeout=patience_seconds))
            client.wait_for_workers(1, timeout=patience_seconds)
        except (OSError, TimeoutError) as error:
            raise RetryableError(f"no Dask scheduler with workers answers at {address}: {error}") from error
        yield _on(client)


def _on(client: Any) -> Trainer:
    def train(
        part: Dataset,
        validation: Dataset,
        parameters: TrainingParameters = DEFAULTS,
        on_iteration: OnIteration | None = None,
    ) -> TrainedRanker:
        if parameters.debias_position:
            raise InvalidError("LightGBM learns the bias of positions in one process only: train without Dask")
        booster = _fit(client, part, parameters, parameters.rounds)
        quality = _quality_by_iteration(booster, validation, on_iteration)
        iterations = best_iteration(quality)
        if parameters.refit:
            booster = _fit(client, part.followed_by(validation), parameters, iterations)
        text = booster.model_to_string(num_iteration=iterations)
        return TrainedRanker(text, part.feature_names, parameters, iterations, {VALIDATION_NDCG: quality})

    return train


def _fit(client: Any, part: Dataset, parameters: TrainingParameters, rounds: int) -> Any:
    """A Booster of `rounds` trees. Early stopping is not to be had: workers do not share what they validate on."""
    from lightgbm.dask import DaskLGBMRanker  # noqa: PLC0415

    chunks = CHUNKS_A_WORKER * len(client.scheduler_info()["workers"])
    slates, rows = _chunks(part.group_sizes, chunks)
    words = parameters.for_lightgbm(part.feature_names)
    # the estimator has these by other names, or decides on them itself
    for name in ("num_threads", "eval_at", "seed"):
        del words[name]
    words |= {"n_estimators": rounds, "random_state": parameters.seed, "tree_learner": "data"}
    ranker = DaskLGBMRanker(client=client, **words)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Parameter n_jobs will be ignored", UserWarning)  # which nobody gave
        ranker.fit(
            _sent(client, part.matrix, rows),
            _sent(client, part.labels, rows),
            group=_sent(client, part.group_sizes, slates),
            feature_name=list(part.feature_names),
        )
    return ranker.booster_


def _sent(client: Any, array: NDArray[Any], lengths: tuple[int, ...]) -> Any:
    """The array in chunks of these lengths, sent to the workers in turn."""
    import dask.array  # noqa: PLC0415

    da: Any = dask.array  # half typed
    pieces = np.split(array, np.cumsum(lengths)[:-1])
    futures = client.scatter(pieces)
    chunks = [da.from_delayed(future, piece.shape, piece.dtype) for future, piece in zip(futures, pieces, strict=True)]
    return da.concatenate(chunks)


def _chunks(group_sizes: NDArray[np.int32], count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """How many slates and how many rows each chunk has: `count` chunks of whole slates and about as many rows each."""
    ends = np.cumsum(group_sizes)
    wanted = np.linspace(0, ends[-1], count + 1)[1:-1]
    bounds = np.unique(np.concatenate([[0], np.searchsorted(ends, wanted), [len(ends)]]))
    slates = np.diff(bounds)
    rows = np.diff(np.concatenate([[0], ends])[bounds])
    return tuple(slates.tolist()), tuple(rows.tolist())


def _quality_by_iteration(booster: Any, validation: Dataset, on_iteration: OnIteration | None) -> list[float]:
    """NDCG of the validation part after each tree."""
    scores = np.zeros(len(validation))
    quality: list[float] = []
    for tree in range(booster.current_iteration()):
        scores += booster.predict(validation.matrix, start_iteration=tree, num_iteration=1, raw_score=True)
        ranked = rank_slates(validation.labels, scores, validation.group_sizes)
        quality.append(float(np.nanmean(ndcg(ranked, VALIDATION_CUTOFF))))
        if on_iteration is not None:
            on_iteration(tree + 1, {VALIDATION_NDCG: quality[-1]})
    return quality
