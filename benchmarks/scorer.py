"""How much faster than Booster.predict is the bit-sliced kernel? Prints a table, then one line of JSON.

Models are trained on the spot, on made-up rows of 36 floats and 4 categories with a tenth missing. The two engines take
turns, each with one thread, and each finds the caches as the other one left them. Time is the processor's time for the
calling thread: on a busy machine wall time would flatter the shorter call, which is interrupted less often.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated

import lightgbm
import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from photofeed.scorer import BitslicedScorer, BoosterScorer, build_tables

SHAPES = ((500, 63), (200, 31))  # trees, leaves
ROWS = (50, 500, 1000)
FLOATS = 36
CATEGORIES = (8, 32, 200, 1000)
TRAINING_ROWS = 20_000
MISSING_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Result:
    """Median milliseconds of one request of `rows`, by engine."""

    trees: int
    leaves: int
    rows: int
    boosterMs: float  # noqa: N815  the names of the JSON line
    kernelMs: float  # noqa: N815
    ratio: float
    equal: bool


def make_rows(rows: int, seed: int) -> NDArray[np.float32]:
    """Floats of several kinds (heavy-tailed, counts, normal) and four categories."""
    random = np.random.default_rng(seed)
    floats = random.normal(size=(rows, FLOATS))
    floats[:, :8] = np.exp(floats[:, :8])
    floats[:, 8:16] = np.round(floats[:, 8:16] * 3)
    categories = np.stack([random.integers(0, count, rows) for count in CATEGORIES], axis=1)
    matrix = np.concatenate([floats, categories], axis=1).astype(np.float32)
    matrix[random.random(matrix.shape) < MISSING_SHARE] = np.nan
    return matrix


def train(trees: int, leaves: int) -> str:
    """The text of a model that finds something to learn in floats and categories alike."""
    matrix = make_rows(TRAINING_ROWS, seed=1)
    known = np.nan_to_num(matrix)
    signal = known[:, 0] * known[:, 1] + known[:, 2] - np.abs(known[:, 9]) + known[:, 20] * known[:, 21]
    signal += 2 * np.sin(known[:, FLOATS:] * [7, 5, 1, 3]).sum(axis=1)
    label = signal + np.random.default_rng(2).normal(size=TRAINING_ROWS)
    data = lightgbm.Dataset(matrix, label, categorical_feature=list(range(FLOATS, FLOATS + len(CATEGORIES))))
    parameters = {
        "objective": "regression",
        "num_leaves": leaves,
        "learning_rate": 0.05,
        "verbose": -1,
        "num_threads": 1,
    }
    text: str = lightgbm.train(parameters, data, trees).model_to_string()
    return text


def milliseconds(score: Callable[[NDArray[np.float32]], NDArray[np.float64]], matrix: NDArray[np.float32]) -> float:
    """Processor time of one call."""
    start = time.thread_time()
    score(matrix)
    return (time.thread_time() - start) * 1e3


def compare(trees: int, leaves: int, turns: int) -> list[Result]:
    """Time one model on requests of every size."""
    text = train(trees, leaves)
    kernel, booster = BitslicedScorer(build_tables(text)), BoosterScorer(text)
    kernel.warm_up()
    results = []
    for rows in ROWS:
        matrix = make_rows(rows, seed=3)
        times = np.array(
            [(milliseconds(booster.score, matrix), milliseconds(kernel.score, matrix)) for _ in range(turns)]
        )
        booster_ms, kernel_ms = np.median(times, axis=0)
        equal = np.array_equal(kernel.score(matrix), booster.score(matrix))
        results.append(
            Result(
                trees, leaves, rows, round(booster_ms, 3), round(kernel_ms, 3), round(booster_ms / kernel_ms, 1), equal
            )
        )
    return results


def main(turns: Annotated[int, typer.Option(help="Calls of each engine for each figure.")] = 50) -> None:
    """Compare Booster.predict and the kernel, one thread each."""
    results = [result for trees, leaves in SHAPES for result in compare(trees, leaves, turns)]
    table = Table("trees x leaves", "rows", "Booster.predict ms", "kernel ms", "times faster", "equal")
    for each in results:
        table.add_row(
            f"{each.trees} x {each.leaves}",
            str(each.rows),
            f"{each.boosterMs:.2f}",
            f"{each.kernelMs:.3f}",
            f"{each.ratio:.1f}",
            "yes" if each.equal else "NO",
        )
    Console().print(table)
    print(json.dumps({"turns": turns, "results": [asdict(each) for each in results]}))
    if not all(each.equal for each in results):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
