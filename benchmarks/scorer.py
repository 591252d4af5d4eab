"""Speed of the bit-sliced kernel against Booster.predict. Prints a table, then one line of JSON.

The models are trained on random rows of 36 floats and 4 categories, a tenth of them missing. The engines take turns
with one thread each, so each starts with the caches that the one before left. Time is processor time of the calling
thread, because on a busy machine wall time would favour the shorter call, which is interrupted less often.

`--also` measures the engines of scorer_alternatives.py too; engines that are not installed are skipped.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

import numpy as np
import typer
from forest import train_forest
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Column, Table
from scorer_alternatives import ALTERNATIVES, Score, is_installed, prepare

from photofeed.models.scorer import BitslicedScorer, BoosterScorer, build_tables

SHAPES = ["500x63", "200x31"]  # trees x leaves
ROWS = (50, 500, 1000)
FLOATS = 36
CATEGORIES = (8, 32, 200, 1000)
TRAINING_ROWS = 20_000
MISSING_SHARE = 0.1
BOOSTER, KERNEL = "Booster.predict", "kernel"


@dataclass(frozen=True, slots=True)
class Engine:
    """A scorer of one model, and the processor time it took to load or compile the model."""

    score: Score
    prepareSeconds: float  # noqa: N815  the names of the JSON line


@dataclass(frozen=True, slots=True)
class Result:
    """Median time of one request of `rows` rows by one engine, and how many times faster than Booster.predict it is."""

    trees: int
    leaves: int
    rows: int
    engine: str
    prepareSeconds: float  # noqa: N815
    ms: float
    timesFaster: float  # noqa: N815
    largestDifference: float  # noqa: N815

    @property
    def equal(self) -> bool:
        """Whether its scores are Booster.predict's, bit for bit."""
        return self.largestDifference == 0


def make_rows(rows: int, seed: int) -> NDArray[np.float32]:
    """Random rows: heavy-tailed, integer and normal floats, and four categories."""
    random = np.random.default_rng(seed)
    floats = random.normal(size=(rows, FLOATS))
    floats[:, :8] = np.exp(floats[:, :8])
    floats[:, 8:16] = np.round(floats[:, 8:16] * 3)
    categories = np.stack([random.integers(0, count, rows) for count in CATEGORIES], axis=1)
    matrix = np.concatenate([floats, categories], axis=1).astype(np.float32)
    matrix[random.random(matrix.shape) < MISSING_SHARE] = np.nan
    return matrix


def train(trees: int, leaves: int) -> str:
    """The text of a model whose label depends on floats and categories."""
    matrix = make_rows(TRAINING_ROWS, seed=1)
    known = np.nan_to_num(matrix)
    signal = known[:, 0] * known[:, 1] + known[:, 2] - np.abs(known[:, 9]) + known[:, 20] * known[:, 21]
    signal += 2 * np.sin(known[:, FLOATS:] * [7, 5, 1, 3]).sum(axis=1)
    label = signal + np.random.default_rng(2).normal(size=TRAINING_ROWS)
    return train_forest(matrix, label, trees, leaves, categories=range(FLOATS, FLOATS + len(CATEGORIES)))


def engines_of(text: str, also: Sequence[str]) -> dict[str, Engine]:
    """Booster.predict, the kernel, and the alternatives named in `also`."""
    started = processor_seconds()
    engines = {BOOSTER: Engine(BoosterScorer(text).score, processor_seconds() - started)}
    started = processor_seconds()
    kernel = BitslicedScorer(build_tables(text))
    engines[KERNEL] = Engine(kernel.score, processor_seconds() - started)
    kernel.warm_up()  # compiled once for all models
    for name in also:
        started = processor_seconds()
        engines[name] = Engine(prepare(name, text), processor_seconds() - started)
    return engines


def processor_seconds() -> float:
    """Processor time of this process and of the compilers that it ran."""
    return sum(os.times()[:4])


def milliseconds(score: Score, matrix: NDArray[np.float32]) -> float:
    """Processor time of one call."""
    start = time.thread_time()
    score(matrix)
    return (time.thread_time() - start) * 1e3


def compare(trees: int, leaves: int, engines: Mapping[str, Engine], turns: int) -> list[Result]:
    """Measure the engines of one model on requests of every size."""
    results = []
    for rows in ROWS:
        matrix = make_rows(rows, seed=3)
        expected = engines[BOOSTER].score(matrix)
        times = [[milliseconds(engine.score, matrix) for engine in engines.values()] for _ in range(turns)]
        medians = np.median(times, axis=0)
        for (name, engine), ms in zip(engines.items(), medians.tolist(), strict=True):
            results.append(
                Result(
                    trees,
                    leaves,
                    rows,
                    name,
                    round(engine.prepareSeconds, 1),
                    round(ms, 3),
                    round(medians[0] / ms, 1),
                    float(np.abs(engine.score(matrix) - expected).max()),
                )
            )
    return results


def table_of(results: Sequence[Result]) -> Table:
    """The results as a table."""
    table = Table(
        "trees x leaves", "rows", Column("engine", no_wrap=True), "model ready in s", "ms", "times faster", "equal"
    )
    for each in results:
        table.add_row(
            f"{each.trees} x {each.leaves}",
            str(each.rows),
            each.engine,
            f"{each.prepareSeconds:.1f}",
            f"{each.ms:.3f}",
            f"{each.timesFaster:.1f}",
            "yes" if each.equal else f"off by {each.largestDifference:.0e}",
        )
    return table


def _size(shape: str) -> tuple[int, int]:
    trees, separator, leaves = shape.partition("x")
    if not (separator and trees.isdecimal() and leaves.isdecimal()):
        raise typer.BadParameter(f"not TREESxLEAVES: {shape!r}")
    return int(trees), int(leaves)


def main(
    turns: Annotated[int, typer.Option(help="Calls of each engine per figure.")] = 50,
    shape: Annotated[list[str] | None, typer.Option(help="TREESxLEAVES of a model (repeatable).")] = None,
    also: Annotated[
        list[str] | None, typer.Option(help=f"Another engine to measure (repeatable): {', '.join(ALTERNATIVES)}.")
    ] = None,
) -> None:
    """Compare Booster.predict and the kernel with one thread each. Exits with 1 if the kernel's scores differ."""
    sizes = [_size(each) for each in shape or SHAPES]
    unknown = sorted(set(also or ()) - set(ALTERNATIVES))
    if unknown:
        raise typer.BadParameter(f"no such engine: {', '.join(unknown)}; there are {', '.join(ALTERNATIVES)}")
    installed = [name for name in also or () if is_installed(name)]
    for name in set(also or ()) - set(installed):
        Console(stderr=True).print(f"{name} is not installed: skipped")
    results: list[Result] = []
    for trees, leaves in sizes:
        results += compare(trees, leaves, engines_of(train(trees, leaves), installed), turns)
    Console().print(table_of(results))
    print(json.dumps({"turns": turns, "results": [asdict(each) for each in results]}))
    if not all(each.equal for each in results if each.engine == KERNEL):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
