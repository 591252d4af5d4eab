"""Distributed training: LightGBM's data-parallel lambdarank on the workers of a Dask cluster.

Slates stay whole: a chunk ends where a slate ends. The workers add up their histograms and agree on every split. The
model is therefore that of one process, except for the sampling of bins and rows: each worker samples its own rows. The
dataset is built in this process and sent to the workers.

LightGBM's workers connect to each other by plain TCP, on ports that they open during the training. Run them in a
separate network.
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.errors import InvalidError, RetryableError
from training.data.dataset import Dataset
from training.ranker.lightgbm_params import decided, lightgbm_labels, lightgbm_params
from training.ranker.parameters import DEFAULTS, VALIDATION_CUTOFF, TrainingParameters
from training.ranker.train import VALIDATION_NDCG, OnIteration, TrainedRanker, Trainer, best_iteration
from training.statistics.metrics import ndcg, rank_slates

LOCAL = re.compile(r"local:([1-9]\d?)")
TIMEOUT_SECONDS = 30.0
CHUNKS_PER_WORKER = 2


@contextmanager
def dask_trainer(address: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Iterator[Trainer]:
    """A trainer on a Dask cluster: `tcp://host:port`, or `local:2` for two processes that end with the block.

    Raises:
        InvalidError: the address is neither of these, or the parameters do not work in distributed training.
        RetryableError: no scheduler or no worker answers at the address.
    """
    import distributed  # noqa: PLC0415  takes a second

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
            client = opened.enter_context(dask.Client(cluster, timeout=timeout_seconds))
            client.wait_for_workers(1, timeout=timeout_seconds)
        except (OSError, TimeoutError) as error:
            raise RetryableError(f"no Dask scheduler with workers answers at {address}: {error}") from error
        yield _trainer_on(client)


def _trainer_on(client: Any) -> Trainer:
    def train(
        part: Dataset,
        validation: Dataset,
        parameters: TrainingParameters = DEFAULTS,
        on_iteration: OnIteration | None = None,
    ) -> TrainedRanker:
        if parameters.debias_position:
            raise InvalidError("LightGBM learns the position bias in one process only: train without Dask")
        parameters = decided(parameters, part)
        booster = _fit(client, part, parameters, parameters.rounds)
        quality = _quality_by_iteration(booster, validation, on_iteration)
        iterations = best_iteration(quality)
        if parameters.refit:
            booster = _fit(client, part.followed_by(validation), parameters, iterations)
        text = booster.model_to_string(num_iteration=iterations)
        return TrainedRanker(text, part.feature_names, parameters, iterations, {VALIDATION_NDCG: quality})

    return train


def _fit(client: Any, part: Dataset, parameters: TrainingParameters, rounds: int) -> Any:
    """A Booster with `rounds` trees, without early stopping: each worker would stop by its own validation rows."""
    from lightgbm.dask import DaskLGBMRanker  # noqa: PLC0415

    chunks = CHUNKS_PER_WORKER * len(client.scheduler_info()["workers"])
    slates, rows = _chunks(part.group_sizes, chunks)
    params = lightgbm_params(parameters, part.feature_names, part.program)
    # the estimator has other names for these, or sets them itself
    for name in ("num_threads", "eval_at", "seed"):
        del params[name]
    params |= {"n_estimators": rounds, "random_state": parameters.seed, "tree_learner": "data"}
    ranker = DaskLGBMRanker(client=client, **params)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Parameter n_jobs will be ignored", UserWarning)  # LightGBM sets it itself
        ranker.fit(
            _scatter(client, part.matrix, rows),
            _scatter(client, lightgbm_labels(part.labels), rows),
            group=_scatter(client, part.group_sizes, slates),
            feature_name=list(part.feature_names),
        )
    return ranker.booster_


def _scatter(client: Any, array: NDArray[Any], lengths: tuple[int, ...]) -> Any:
    """The array in chunks of these lengths, distributed over the workers."""
    import dask.array  # noqa: PLC0415

    da: Any = dask.array  # half typed
    pieces = np.split(array, np.cumsum(lengths)[:-1])
    futures = client.scatter(pieces)
    chunks = [da.from_delayed(future, piece.shape, piece.dtype) for future, piece in zip(futures, pieces, strict=True)]
    return da.concatenate(chunks)


def _chunks(group_sizes: NDArray[np.int32], count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The slates and the rows of each chunk: up to `count` chunks of whole slates with about equal numbers of rows."""
    ends = np.cumsum(group_sizes)
    targets = np.linspace(0, ends[-1], count + 1)[1:-1]
    bounds = np.unique(np.concatenate([[0], np.searchsorted(ends, targets), [len(ends)]]))
    slates = np.diff(bounds)
    rows = np.diff(np.concatenate([[0], ends])[bounds])
    return tuple(slates.tolist()), tuple(rows.tolist())


def _quality_by_iteration(booster: Any, validation: Dataset, on_iteration: OnIteration | None) -> list[float]:
    """NDCG on the validation part after each tree."""
    scores = np.zeros(len(validation))
    quality: list[float] = []
    for tree in range(booster.current_iteration()):
        scores += booster.predict(validation.matrix, start_iteration=tree, num_iteration=1, raw_score=True)
        ranked = rank_slates(validation.labels, scores, validation.group_sizes)
        quality.append(float(np.nanmean(ndcg(ranked, VALIDATION_CUTOFF))))
        if on_iteration is not None:
            on_iteration(tree + 1, {VALIDATION_NDCG: quality[-1]})
    return quality
