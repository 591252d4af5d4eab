"""Cost of a training by stage, and the overhead over bare LightGBM. Prints a table, then one line of JSON.

Random slates (training_world.py) and the history of their features are written to the lake of an embedded stack. One
process builds the dataset with Feast's point-in-time join, the path for slates older than the served log. The features
of that dataset are then written to the served log, and another process builds the dataset from the served log, the path
of `photofeed train`. Both datasets must be equal. Then two kinds of processes take turns on the matrix, each a new
process:

- ours: on a matrix on disk, leak checks, temporal split, digest of the lineage and training.ranker.train.train, then
  the evaluation with all baselines, segments and intervals;
- bare: `lightgbm.train` with the same parameters on the same rows in memory, with the same validation rows.

Both fit `--rounds` trees. `photofeed train` also refits with the validation rows included, which is measured
separately as `refit`. Imports and the reading of files are not measured. The peak is that of the process (VmHWM) in
the stage.
"""

import json
import multiprocessing
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
import typer
from numpy.typing import NDArray
from resource_usage import peak_megabytes, reset_peak
from rich.console import Console
from rich.table import Table
from training_world import WEEK, World

from photofeed.allocator import release_on_free
from training.data.dataset import Dataset
from training.data.matrix_on_disk import matrix_on_disk, release_pages
from training.data.split import temporal_split
from training.ranker.lightgbm_params import lightgbm_labels, lightgbm_params
from training.ranker.parameters import TrainingParameters

SERVERS = ("postgres", "valkey", "seaweedfs")
ARRAYS = ("labels", "group_sizes", "positions", "user_ids", "post_ids", "creator_ids", "slate_start_us")
MOST_OVERHEAD, MOST_MATRICES = 0.15, 2.5
BARE, JOINED = "train: bare lightgbm.train", "dataset: point-in-time join"

Result = TypeVar("Result")


@dataclass(slots=True)
class Cost:
    """Seconds, and peak memory of the process in MB."""

    seconds: float = 0.0
    peak_mb: float = 0.0


@dataclass(frozen=True, slots=True)
class Ours:
    """Costs of our stages, and the model's NDCG@10."""

    train: Cost
    evaluate: Cost
    refit: Cost
    ndcg_10: float


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure the cost of the block."""
    reset_peak()
    cost, began = Cost(), time.perf_counter()
    yield cost
    cost.seconds = time.perf_counter() - began
    cost.peak_mb = peak_megabytes()


def in_new_process(stage: Callable[..., Result], *arguments: object) -> Result:
    """Run the stage in a new process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(stage, *arguments).result()


def write_world(rows: int) -> None:
    """Set up the feature repo and fill the lake."""
    from photofeed.feature_store import apply_feature_repo
    from photofeed.logs import set_up_logs
    from photofeed.offline_store.lake import open_lake
    from photofeed.settings import load_settings

    settings = load_settings()
    set_up_logs(settings)
    lake = open_lake(settings)
    manifest = apply_feature_repo(settings, lake.objects)
    World.of(rows).write(lake, settings.bucket_lake, manifest)


def serve_world(rows: int, folder: Path) -> None:
    """Write the features of the stored dataset to the served log."""
    from photofeed.offline_store.lake import open_lake
    from photofeed.settings import load_settings

    settings = load_settings()
    matrix = np.load(folder / "matrix.npy", mmap_mode="r")
    World.of(rows).write_served(open_lake(settings), settings.bucket_lake, matrix)


def build_dataset(folder: Path, origin: str) -> tuple[Cost, str]:
    """Build the dataset and store it in `folder`. Returns the cost and the digest."""
    from photofeed.settings import load_settings
    from training.data.dataset import Origin, build_dataset
    from training.data.sources import Sources

    warnings.filterwarnings("ignore", category=DeprecationWarning)  # of libraries about each other
    with Sources.open(load_settings()) as sources:
        with measured() as cost:
            dataset = build_dataset(sources, WEEK, origin=Origin(origin))
        np.save(folder / "matrix.npy", dataset.matrix)
        np.savez(folder / "rest.npz", names=dataset.feature_names, **{name: getattr(dataset, name) for name in ARRAYS})
        return cost, dataset.digest


def read_dataset(folder: Path, matrix: NDArray[np.float32]) -> Dataset:
    """The stored dataset with this matrix."""
    with np.load(folder / "rest.npz") as rest:
        arrays = {name: rest[name] for name in ARRAYS}
        names = tuple(rest["names"].tolist())
    return Dataset(matrix=matrix, feature_names=names, window=WEEK, **arrays)


def ours(folder: Path, parameters: TrainingParameters) -> Ours:
    """Measure our pipeline from the matrix to the evaluation."""
    from training.evaluation.evaluate import MODEL, evaluate
    from training.ranker.leaks import check_features
    from training.ranker.train import prepare_threads, train

    prepare_threads()
    release_on_free()  # as `photofeed train` does when it opens its sources
    import lightgbm  # noqa: F401

    stored = np.load(folder / "matrix.npy", mmap_mode="r")
    rows, columns = stored.shape
    dataset = read_dataset(folder, matrix_on_disk(rows, columns, folder))
    dataset.matrix[:] = stored
    del stored
    release_pages(dataset.matrix)  # as training.data.dataset.build_dataset does
    with measured() as training:
        check_features(dataset)
        parts = temporal_split(dataset)
        _ = dataset.digest
        ranker = train(parts.train, parts.validation, parameters)
    with measured() as evaluation:
        result = evaluate(parts.test, {MODEL: ranker.score(parts.test.matrix)})
    tree_times = [0.0]
    with measured() as refit:
        with_refit = replace(parameters, refit=True)
        train(parts.train, parts.validation, with_refit, lambda *_: tree_times.append(time.perf_counter()))
    refit.seconds = time.perf_counter() - tree_times[-1]  # since the last tree of the first fit
    return Ours(training, evaluation, refit, result.rankers[MODEL]["ndcg_10"])


def bare(folder: Path, parameters: TrainingParameters) -> Cost:
    """Measure lightgbm.train alone."""
    from training.ranker.train import prepare_threads

    prepare_threads()
    import lightgbm

    parts = temporal_split(read_dataset(folder, np.load(folder / "matrix.npy")))
    params = lightgbm_params(parameters, parts.train.feature_names)
    with measured() as cost:
        learned, validation = (
            lightgbm.Dataset(part.matrix, label=lightgbm_labels(part.labels), group=part.group_sizes, params=params)
            for part in (parts.train, parts.validation)
        )
        validation.set_reference(learned)
        lightgbm.train(
            params,
            learned,
            num_boost_round=parameters.rounds,
            valid_sets=[validation],
            callbacks=[lightgbm.early_stopping(parameters.early_stopping_rounds, verbose=False)],
        )
    return cost


def main(
    rows: Annotated[int, typer.Option(min=20_000, help="Number of impressions.")] = 2_000_000,
    rounds: Annotated[int, typer.Option(min=10, help="Number of trees.")] = 100,
    turns: Annotated[int, typer.Option(min=1, help="Number of trainings of each kind.")] = 3,
) -> None:
    """Measure the training path by stage."""
    from photofeed.embedded.stack import EmbeddedStack

    parameters = TrainingParameters(rounds=rounds, early_stopping_rounds=rounds, refit=False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stack = EmbeddedStack(folder / "state")
        try:
            stack.start(servers=SERVERS)
            os.environ |= {"PHOTOFEED_STATE_DIR": str(folder / "state"), "PHOTOFEED_LOG_LEVEL": "WARNING"}
            in_new_process(write_world, rows)
            joined, digest = in_new_process(build_dataset, folder, "joined")
            in_new_process(serve_world, rows, folder)
            served, again = in_new_process(build_dataset, folder, "either")
            if digest != again:
                raise RuntimeError("the dataset of the served log differs from that of the point-in-time join")
        finally:
            stack.stop()
        matrix = np.load(folder / "matrix.npy", mmap_mode="r")
        bares, trainings = list[Cost](), list[Ours]()
        for _ in range(turns):
            bares.append(in_new_process(bare, folder, parameters))
            trainings.append(in_new_process(ours, folder, parameters))
    report(matrix.shape, served, joined, bares, trainings)


def report(shape: tuple[int, ...], served: Cost, joined: Cost, bares: list[Cost], trainings: list[Ours]) -> None:
    """Print the table and the line of JSON."""
    matrix_mb = shape[0] * shape[1] * 4 / 2**20
    stages = {
        "dataset: served log": [served],
        "train: ours": [each.train for each in trainings],
        BARE: bares,
        "refit with the validation rows": [each.refit for each in trainings],
        "evaluation": [each.evaluate for each in trainings],
        JOINED: [joined],
    }
    title = f"{shape[0]} impressions x {shape[1]} features, {matrix_mb:.0f} MB"
    table = Table("stage", "median seconds", "seconds of each turn", "peak MB", "peak / matrix", title=title)
    for stage, costs in stages.items():
        seconds, peak = statistics.median(c.seconds for c in costs), max(c.peak_mb for c in costs)
        each = " ".join(f"{c.seconds:.1f}" for c in costs)
        table.add_row(stage, f"{seconds:.1f}", each, f"{peak:.0f}", f"{peak / matrix_mb:.2f}")
    Console(width=120).print(table)
    train, plain = (
        statistics.median(c.seconds for c in costs) for costs in ([each.train for each in trainings], bares)
    )
    overhead = train / plain - 1
    peak = max(c.peak_mb for stage, costs in stages.items() if stage not in (BARE, JOINED) for c in costs)
    print(f"overhead over bare LightGBM: {overhead:+.1%} (target: at most {MOST_OVERHEAD:.0%})")
    print(f"peak memory: {peak / matrix_mb:.2f} x the matrix (target: at most {MOST_MATRICES})")
    print(f"peak memory of the point-in-time join: {joined.peak_mb / matrix_mb:.2f} x the matrix")
    figures = {
        "datasetSeconds": round(served.seconds, 2),
        "trainSeconds": round(train, 2),
        "bareTrainSeconds": round(plain, 2),
        "overheadRatio": round(overhead, 4),
        "peakRssMb": round(peak, 1),
        "ndcg10": round(trainings[0].ndcg_10, 4),
        "rows": shape[0],
        "evaluateSeconds": round(statistics.median(each.evaluate.seconds for each in trainings), 2),
        "joinedDatasetSeconds": round(joined.seconds, 2),
        "joinedPeakRssMb": round(joined.peak_mb, 1),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    typer.run(main)
