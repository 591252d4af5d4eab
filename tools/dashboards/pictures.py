"""`make dashboard-pictures`: draws the dashboards from a demo under load, into docs/images.

A stack of its own starts, is filled, trains and is read from for some minutes, and longer if a graph has no data yet,
while Prometheus reads its metrics. The exit code is 1 if a graph is still empty, and 3 without Prometheus.
"""

import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from simulation.demo import JOURNAL_FILE, SEED
from simulation.journal import Journal
from simulation.painting import Paintings
from simulation.path import build_ranked_world
from simulation.running import running_photofeed
from simulation.scale import SMOKE
from simulation.stages import ConsoleStages
from simulation.waiting import Polling
from tools.dashboards.drawing import draw, without_data
from tools.dashboards.feed import FEED
from tools.dashboards.models import MODELS
from tools.dashboards.workers import WORKERS
from tools.demo_load import send_broken_message, under_load
from tools.prometheus import PROMETHEUS, Prometheus, running_prometheus

IMAGES = Path(__file__).parents[2] / "docs" / "images"
DASHBOARDS = (FEED, WORKERS, MODELS)
NOT_POSSIBLE = 3
_LONGEST_MINUTES, _AGAIN_SECONDS = 25.0, 10.0
_OF_FAULTS = frozenset({"Fallbacks and model failures"})  # nothing, unless something failed


def main(
    minutes: Annotated[float, typer.Option(min=1, help="How long the demo is under load.")] = 6.0,
    folder: Annotated[Path, typer.Option(help="Where the pictures go.")] = IMAGES,
) -> None:
    """Draw the three dashboards."""
    if PROMETHEUS is None:
        sys.stderr.write("prometheus is missing: apt-get install prometheus\n")
        raise typer.Exit(NOT_POSSIBLE)
    stages = ConsoleStages(Console(stderr=True))
    with (
        tempfile.TemporaryDirectory(prefix="pictures-") as name,
        running_photofeed(Path(name) / "state", SMOKE, stages) as running,
        running_prometheus(Path(name) / "prometheus", running) as prometheus,
    ):
        began = time.time()
        journal = Journal(Path(name) / "state" / JOURNAL_FILE, seed=SEED, scale=SMOKE, now=datetime.now(UTC))
        world = build_ranked_world(running, journal, Paintings(SEED, SMOKE.photos).missing, stages, Polling()).world
        with stages.stage("read and post"):
            send_broken_message(running)
            with under_load(running, world):
                time.sleep(minutes * 60)
                empty = _filled(prometheus, began, time.monotonic() + (_LONGEST_MINUTES - minutes) * 60)
        for dashboard in DASHBOARDS:
            file = folder / f"dashboard-{dashboard.name}.png"
            draw(dashboard, prometheus, began, time.time(), file)
            typer.echo(f"{file.name}: {len(dashboard.panels)} graphs")
    if empty:
        sys.stderr.write(f"without data: {', '.join(empty)}\n")
        raise typer.Exit(1)


def _filled(prometheus: Prometheus, began: float, until: float) -> list[str]:
    """Wait until every graph shows something; the titles of those that do not in time."""
    while True:
        found = [title for one in DASHBOARDS for title in without_data(one, prometheus, began, time.time())]
        empty = [title for title in found if title not in _OF_FAULTS]
        if not empty or time.monotonic() > until:
            return empty
        time.sleep(_AGAIN_SECONDS)


if __name__ == "__main__":
    typer.run(main)
