"""Growth of a feed's cost with the number of candidates, followed accounts and posts. Prints a table and saves a plot.

Each point is the median latency of requests sent one at a time to an idle server. It should grow with candidates only.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from feed import STATE, Bench, open_bench, our_server, pin_to_other_cores
from feed_client import Requests, in_turns
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

FOLLOWS_EDGES = (10, 30, 100, 300, 1_000, 3_000, 10_000)
FEWEST_VIEWERS = 3


@dataclass(frozen=True, slots=True)
class Point:
    """Median milliseconds of a request at one value of one axis."""

    axis: str
    value: int
    p50_ms: float


def by_candidates(bench: Bench, core: int, sizes: list[int], turns: int) -> Iterator[Point]:
    """The same viewers with different limits of candidates."""
    for size in sizes:
        with our_server(bench, core, candidates=size):
            yield Point("candidates", size, _p50(bench, bench.viewer_ids, turns))


def by_follows(bench: Bench, core: int, turns: int) -> Iterator[Point]:
    """Groups of viewers by the number of accounts they follow. A point's value is the mean of its group."""
    follows = bench.world.following_counts[bench.world.viewers]
    with our_server(bench, core):
        for low, high in pairwise(FOLLOWS_EDGES):
            some = np.flatnonzero((follows >= low) & (follows < high))
            if len(some) >= FEWEST_VIEWERS:
                viewers = np.array(bench.viewer_ids)[some].tolist()
                yield Point("follows", round(float(follows[some].mean())), _p50(bench, viewers, turns))


def _p50(bench: Bench, viewers: list[int], turns: int) -> float:
    requests = Requests.of(bench.settings, bench.settings.public_url, viewers)
    asyncio.run(in_turns([requests], turns))
    return float(np.median(asyncio.run(in_turns([requests], turns))))


def plot(points: list[Point], path: Path) -> None:
    """Plot one panel per axis, all with the same scale of milliseconds."""
    axes = list(dict.fromkeys(point.axis for point in points))
    figure = Figure(figsize=(4 * len(axes), 3.2), layout="constrained")
    for panel, axis in zip(figure.subplots(1, len(axes), sharey=True, squeeze=False)[0], axes, strict=True):
        line = [point for point in points if point.axis == axis]
        panel.plot([point.value for point in line], [point.p50_ms for point in line], marker="o")
        panel.set(xscale="log", xlabel=axis, ylim=(0, None))
    figure.axes[0].set_ylabel("p50, ms")
    figure.savefig(path)


def main(
    people: Annotated[int, typer.Option(min=1_000, help="Users in each world.")] = 100_000,
    posts: Annotated[
        list[int] | None,
        typer.Option(help="Posts in each world. Candidates and follows are varied in the world of middle size."),
    ] = None,
    candidates: Annotated[list[int] | None, typer.Option(help="Limits of candidates to measure.")] = None,
    state: Annotated[Path, typer.Option(help="Folder that keeps the worlds.")] = STATE,
    turns: Annotated[int, typer.Option(min=5, help="Requests per point.")] = 200,
    output: Annotated[Path, typer.Option(help="File of the plot.")] = Path("feed-growth.svg"),
) -> None:
    """Measure how the cost of a feed grows."""
    core, *_ = pin_to_other_cores()
    sizes = sorted(posts or [10_000, 100_000, 1_000_000])
    points: list[Point] = []
    for size in sizes:
        with open_bench(state.absolute(), people, size) as bench:
            if size == sizes[len(sizes) // 2]:
                points += by_candidates(bench, core, candidates or [100, 250, 500, 1_000, 2_000], turns)
                points += by_follows(bench, core, turns)
            with our_server(bench, core):
                points.append(Point("posts", size, _p50(bench, bench.viewer_ids, turns)))
    points.sort(key=lambda point: (point.axis, point.value))
    table = Table("axis", "value", "p50 ms")
    for point in points:
        table.add_row(point.axis, f"{point.value:,}", f"{point.p50_ms:.2f}")
    Console().print(table)
    plot(points, output)


if __name__ == "__main__":
    typer.run(main)
