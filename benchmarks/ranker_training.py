"""What does a training cost, stage by stage, and what of it is ours? Prints tables, then one line of JSON.

Slates are made up (training_world.py) and written to the lake of a real embedded stack, their features' history too.
One process builds the dataset by Feast's point-in-time join, as for slates from before there was a served log, and
keeps it. Those features become the served log, and another builds the dataset as `photofeed train` does of slates that
were served; it must be the same one. Then two kinds of processes take turns on that matrix, each new and alone:

- ours, on a matrix on disk as a dataset has it: the checks for leaks, the temporal split, the lineage's digest and
  training.train.train, then the evaluation with all its baselines, segments and intervals;
- bare: `lightgbm.train` as one writes it, with the same parameters, on the same rows in memory, stopped by the same
  rows.

Both fit as many trees, all of `--rounds`. `photofeed train` then fits once more with the validation rows included, as
bare lightgbm.train does not: `refit` is that, by itself. Neither counts the time of imports or of reading the file. The
peak is the process' own, VmHWM, of that stage.
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
from rich.console import Console
from rich.table import Table
from training_world import WEEK, World

from photofeed.allocator import return_freed_memory
from training.dataset import Dataset
from training.matrix_on_disk import let_go, matrix_on_disk
from training.parameters import TrainingParameters
from training.split import temporal_split

SERVERS = ("postgres", "valkey", "seaweedfs")
ARRAYS = ("labels", "group_sizes", "positions", "user_ids", "post_ids", "creator_ids", "slate_start_us")
MOST_OVERHEAD, MOST_MATRICES = 0.15, 2.5
BARE, JOINED = "train: bare lightgbm.train", "dataset: point-in-time join"

Answer = TypeVar("Answer")


@dataclass(slots=True)
class Cost:
    """Seconds, and the most memory the process held, MB."""

    seconds: float = 0.0
    peak_mb: float = 0.0


@dataclass(frozen=True, slots=True)
class Ours:
    """What our process' stages cost, and how well its model ranks."""

    train: Cost
    evaluate: Cost
    refit: Cost
    ndcg_10: float


@contextmanager
def measured() -> Iterator[Cost]:
    """The cost of the block."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins at what is held now
    cost, began = Cost(), time.perf_counter()
    yield cost
    cost.seconds = time.perf_counter() - began
    status = Path("/proc/self/status").read_text().splitlines()
    cost.peak_mb = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def alone(stage: Callable[..., Answer], *arguments: object) -> Answer:
    """The stage in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(stage, *arguments).result()


def write_world(rows: int) -> None:
    """Set up the feature repo and fill the lake."""
    from photofeed.feature_store import apply_feature_repo  # noqa: PLC0415  seconds, and only this process needs it
    from photofeed.logs import set_up_logs  # noqa: PLC0415
    from photofeed.offline_store.lake import open_lake  # noqa: PLC0415
    from photofeed.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    set_up_logs(settings)
    lake = open_lake(settings)
    manifest = apply_feature_repo(settings, lake.objects)
    World.of(rows).write(lake, settings.bucket_lake, manifest)


def serve_world(rows: int, folder: Path) -> None:
    """Write the kept features to the served log."""
    from photofeed.offline_store.lake import open_lake  # noqa: PLC0415
    from photofeed.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    matrix = np.load(folder / "matrix.npy", mmap_mode="r")
    World.of(rows).write_served(open_lake(settings), settings.bucket_lake, matrix)


def build_dataset(folder: Path, origin: str) -> tuple[Cost, str]:
    """Build the dataset and keep it in the folder; what it cost, and its digest."""
    from photofeed.settings import load_settings  # noqa: PLC0415
    from training.dataset import Origin, build  # noqa: PLC0415
    from training.sources import Sources  # noqa: PLC0415

    warnings.filterwarnings("ignore", category=DeprecationWarning)  # of libraries about each other
    with Sources.open(load_settings()) as sources:
        with measured() as cost:
            dataset = build(sources, WEEK, origin=Origin(origin))
        np.save(folder / "matrix.npy", dataset.matrix)
        np.savez(folder / "rest.npz", names=dataset.feature_names, **{name: getattr(dataset, name) for name in ARRAYS})
        return cost, dataset.digest


def read_dataset(folder: Path, matrix: NDArray[np.float32]) -> Dataset:
    """The dataset that was kept, of this matrix."""
    with np.load(folder / "rest.npz") as rest:
        arrays = {name: rest[name] for name in ARRAYS}
        names = tuple(rest["names"].tolist())
    return Dataset(matrix=matrix, feature_names=names, window=WEEK, **arrays)


def ours(folder: Path, parameters: TrainingParameters) -> Ours:
    """Our pipeline, from the matrix to the evaluation."""
    from training.evaluate import MODEL, evaluate  # noqa: PLC0415
    from training.leaks import check_features  # noqa: PLC0415
    from training.train import prepare_threads, train  # noqa: PLC0415

    prepare_threads()
    return_freed_memory()  # as `photofeed train` does when it opens its sources
    import lightgbm  # noqa: F401, PLC0415

    kept = np.load(folder / "matrix.npy", mmap_mode="r")
    dataset = read_dataset(folder, matrix_on_disk(*kept.shape, folder))
    dataset.matrix[:] = kept
    del kept
    let_go(dataset.matrix)  # as training.dataset.build leaves it
    with measured() as training:
        check_features(dataset)
        parts = temporal_split(dataset)
        _ = dataset.digest
        ranker = train(parts.train, parts.validation, parameters)
    with measured() as evaluation:
        found = evaluate(parts.test, {MODEL: ranker.score(parts.test.matrix)})
    told = [0.0]
    with measured() as refit:
        twice = replace(parameters, refit=True)
        train(parts.train, parts.validation, twice, lambda *_: told.append(time.perf_counter()))
    refit.seconds = time.perf_counter() - told[-1]  # since the last tree of the first fit
    return Ours(training, evaluation, refit, found.rankers[MODEL]["ndcg_10"])


def bare(folder: Path, parameters: TrainingParameters) -> Cost:
    """lightgbm.train, and nothing else."""
    from training.train import prepare_threads  # noqa: PLC0415

    prepare_threads()
    import lightgbm  # noqa: PLC0415

    parts = temporal_split(read_dataset(folder, np.load(folder / "matrix.npy")))
    words = parameters.for_lightgbm(parts.train.feature_names)
    with measured() as cost:
        learned, validation = (
            lightgbm.Dataset(part.matrix, label=part.labels, group=part.group_sizes, params=words)
            for part in (parts.train, parts.validation)
        )
        validation.set_reference(learned)
        lightgbm.train(
            words,
            learned,
            num_boost_round=parameters.rounds,
            valid_sets=[validation],
            callbacks=[lightgbm.early_stopping(parameters.early_stopping_rounds, verbose=False)],
        )
    return cost


def main(
    rows: Annotated[int, typer.Option(min=20_000, help="Impressions.")] = 2_000_000,
    rounds: Annotated[int, typer.Option(min=10, help="Trees.")] = 100,
    turns: Annotated[int, typer.Option(min=1, help="Trainings of each kind.")] = 3,
) -> None:
    """Measure the training path."""
    from photofeed.embedded.stack import EmbeddedStack  # noqa: PLC0415

    parameters = TrainingParameters(rounds=rounds, early_stopping_rounds=rounds, refit=False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stack = EmbeddedStack(folder / "state")
        try:
            stack.start(servers=SERVERS)
            os.environ |= {"PHOTOFEED_STATE_DIR": str(folder / "state"), "PHOTOFEED_LOG_LEVEL": "WARNING"}
            alone(write_world, rows)
            joined, digest = alone(build_dataset, folder, "joined")
            alone(serve_world, rows, folder)
            served, again = alone(build_dataset, folder, "either")
            if digest != again:
                raise RuntimeError("the dataset as served is not the one that was joined")
        finally:
            stack.stop()
        matrix = np.load(folder / "matrix.npy", mmap_mode="r")
        results = [(alone(bare, folder, parameters), alone(ours, folder, parameters)) for _ in range(turns)]
    report(matrix.shape, served, joined, [each for each, _ in results], [each for _, each in results])


def report(shape: tuple[int, ...], served: Cost, joined: Cost, bares: list[Cost], trainings: list[Ours]) -> None:
    """Print the tables and the line of JSON."""
    matrix_mb = shape[0] * shape[1] * 4 / 2**20
    stages = {
        "dataset: as served": [served],
        "train: ours": [each.train for each in trainings],
        BARE: bares,
        "refit with the validation part": [each.refit for each in trainings],
        "evaluation": [each.evaluate for each in trainings],
        JOINED: [joined],
    }
    title = f"{shape[0]} impressions x {shape[1]} features, {matrix_mb:.0f} MB"
    table = Table("stage", "seconds, median", "of each turn", "peak MB", "of the matrix", title=title)
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
    print(f"overhead {overhead:+.1%} (at most {MOST_OVERHEAD:.0%}); peak {peak / matrix_mb:.2f} x the matrix", end=" ")
    print(f"(at most {MOST_MATRICES}, with all of Python); with the join {joined.peak_mb / matrix_mb:.2f}")
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
