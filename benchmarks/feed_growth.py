"""How the cost of a feed grows: with candidates, with accounts followed, with posts in the world. A table and a plot.

A point is the median of requests one at a time on an idle server. It should grow with candidates and with nothing else.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from feed import Bench, bench, our_server, pin_to_other_cores
from feed_client import Requests, in_turns
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

FOLLOWS_EDGES = (10, 30, 100, 300, 1_000, 3_000, 10_000)
FEWEST_VIEWERS = 3


@dataclass(frozen=True, slots=True)
class Point:
    """Median milliseconds of a request at one value of one thing."""

    axis: str
    value: int
    p50_ms: float


def by_candidates(made: Bench, core: int, sizes: list[int], turns: int) -> Iterator[Point]:
    """The same people, asked with other limits."""
    for size in sizes:
        with our_server(made, core, candidates=size):
            yield Point("candidates", size, _p50(made, made.viewer_ids, turns))


def by_follows(made: Bench, core: int, turns: int) -> Iterator[Point]:
    """People who follow more and more accounts; a point stands at the mean of its people."""
    follows = made.world.following_counts[made.world.viewers]
    with our_server(made, core):
        for low, high in pairwise(FOLLOWS_EDGES):
            some = np.flatnonzero((follows >= low) & (follows < high))
            if len(some) >= FEWEST_VIEWERS:
                viewers = np.array(made.viewer_ids)[some].tolist()
                yield Point("follows", round(float(follows[some].mean())), _p50(made, viewers, turns))


def _p50(made: Bench, viewers: list[int], turns: int) -> float:
    requests = Requests.of(made.settings, made.settings.public_url, viewers)
    asyncio.run(in_turns([requests], turns))
    return float(np.median(asyncio.run(in_turns([requests], turns))))


def plot(points: list[Point], path: Path) -> None:
    """One panel an axis, all on the same scale of milliseconds."""
    axes = list(dict.fromkeys(point.axis for point in points))
    figure = Figure(figsize=(4 * len(axes), 3.2), layout="constrained")
    for panel, axis in zip(figure.subplots(1, len(axes), sharey=True, squeeze=False)[0], axes, strict=True):
        mine = [point for point in points if point.axis == axis]
        panel.plot([point.value for point in mine], [point.p50_ms for point in mine], marker="o")
        panel.set(xscale="log", xlabel=axis, ylim=(0, None))
    figure.axes[0].set_ylabel("p50, ms")
    figure.savefig(path)


def main(
    people: Annotated[int, typer.Option(min=1_000, help="People in each world.")] = 100_000,
    posts: Annotated[list[int] | None, typer.Option(help="Sizes of worlds; the middle one is asked for more.")] = None,
    candidates: Annotated[list[int] | None, typer.Option(help="Limits of candidates.")] = None,
    state: Annotated[Path, typer.Option(help="Where worlds are kept.")] = Path(".photofeed-bench"),
    turns: Annotated[int, typer.Option(min=5, help="Requests a point.")] = 200,
    output: Annotated[Path, typer.Option(help="Where the plot goes.")] = Path("feed-growth.svg"),
) -> None:
    """Measure how the cost grows."""
    core = pin_to_other_cores()
    sizes = sorted(posts or [10_000, 100_000, 1_000_000])
    points: list[Point] = []
    for size in sizes:
        with bench(state.absolute(), people, size) as made:
            if size == sizes[len(sizes) // 2]:
                points += by_candidates(made, core, candidates or [100, 250, 500, 1_000, 2_000], turns)
                points += by_follows(made, core, turns)
            with our_server(made, core):
                points.append(Point("posts", size, _p50(made, made.viewer_ids, turns)))
    points.sort(key=lambda point: (point.axis, point.value))
    table = Table("", "", "p50, ms")
    for point in points:
        table.add_row(point.axis, f"{point.value:,}", f"{point.p50_ms:.2f}")
    Console().print(table)
    plot(points, output)


if __name__ == "__main__":
    typer.run(main)
