"""`photofeed demo`, `photofeed up`, `photofeed smoke` and `photofeed simulate`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Simulated users.")

INTERRUPTED = 130
DEFAULT_SESSIONS = 20
StateOption = Annotated[
    Path, typer.Option("--state", envvar="PHOTOFEED_STATE_DIR", help="State folder: data and logs of all servers.")
]


@app.command("demo")
def demo(
    state: StateOption = Path(".photofeed"),
    photos: Annotated[
        Path | None,
        typer.Option("--photos", exists=True, file_okay=False, help="Folder of photos to use instead of painted ones."),
    ] = None,
) -> None:
    """Start all servers, create users and photos, train a ranker, print a feed, and serve until Ctrl-C."""
    from rich.console import Console

    from simulation.demo import run_demo

    _end_on_signals()
    try:
        run_demo(state, photos, Console())
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


@app.command("up")
def up(state: StateOption = Path(".photofeed")) -> None:
    """Start all servers, the API and the workers without any data, and serve until Ctrl-C."""
    from rich.console import Console

    from simulation.up import run_empty

    _end_on_signals()
    try:
        run_empty(state, Console())
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


@app.command("smoke")
def smoke(
    notebooks: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Folder of notebooks to run at the end."),
    ] = None,
    tutorials: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Folder of tutorials whose code runs at the end."),
    ] = None,
    keep_outputs: Annotated[
        bool, typer.Option("--keep-outputs", help="Store what the notebooks print and draw in their files.")
    ] = False,
) -> None:
    """Run a small demo in a temporary folder, print its figures as JSON, and fail if any check fails."""
    import orjson
    from rich.console import Console

    from simulation.smoke import folder_kept_if_broken, run_smoke
    from simulation.stages import ConsoleStages

    _end_on_signals()
    with folder_kept_if_broken() as folder:
        result = run_smoke(
            folder, ConsoleStages(Console(stderr=True)), notebooks, tutorials=tutorials, keep_outputs=keep_outputs
        )
        typer.echo(orjson.dumps(result.to_json()))
        result.check()


@app.command("simulate")
def simulate(
    state: StateOption = Path(".photofeed"),
    sessions: Annotated[
        int | None,
        typer.Option(
            min=2, help=f"Number of users. Default: {DEFAULT_SESSIONS}, or every user of the demo with --compare."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed for the choice of users and their moods.")] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Show each user the feed of every ranker. Sends no events.")
    ] = False,
    rounds: Annotated[int, typer.Option(min=1, help="With --compare: sessions per user and ranker.")] = 3,
    wait: Annotated[
        bool, typer.Option("--wait", help="Return when the lake has the events of these sessions.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --compare: end with one line of JSON.")] = False,
) -> None:
    """Simulate feed sessions of the demo's users on a running stack, and print a summary.

    With --compare: engagement under the champion, popularity, chronological and random order, with 95 % intervals.
    """
    import orjson
    from rich.console import Console

    from simulation.simulate import run_comparison, run_sessions

    if not compare:
        run_sessions(state, sessions or DEFAULT_SESSIONS, seed, Console(), wait=wait)
        return
    console = Console(stderr=as_json)
    comparison = run_comparison(state, sessions, rounds, seed, console)
    console.print(comparison.table())
    console.print(comparison.verdict, highlight=False)
    if as_json:
        typer.echo(orjson.dumps(comparison.to_json()))


def _end_on_signals() -> None:
    """Make Ctrl-C and SIGTERM end the command, and let nothing interrupt the end: it stops all servers."""
    from photofeed.interruption import end_in_order

    end_in_order(lambda _: KeyboardInterrupt())
