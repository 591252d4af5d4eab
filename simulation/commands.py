"""`photofeed demo`, `photofeed smoke`, `photofeed simulate`: people who look at feeds, from the command line."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Simulated people.")

INTERRUPTED = 130
FEW_SESSIONS = 20
StateOption = Annotated[
    Path, typer.Option("--state", envvar="PHOTOFEED_STATE_DIR", help="The folder that keeps everything.")
]


@app.command("demo")
def demo(
    state: StateOption = Path(".photofeed"),
    photos: Annotated[
        Path | None,
        typer.Option("--photos", exists=True, file_okay=False, help="Your own photos, instead of painted ones."),
    ] = None,
) -> None:
    """Start everything, seed a world, train a ranker, show a feed, and serve until Ctrl-C."""
    from rich.console import Console  # noqa: PLC0415  `photofeed --help` stays fast

    from simulation.demo import run_demo  # noqa: PLC0415

    _end_on_signals()
    try:
        run_demo(state, photos, Console())
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


@app.command("smoke")
def smoke(
    notebooks: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Run the notebooks of this folder on it, too."),
    ] = None,
) -> None:
    """Run the whole path small, in a fresh folder; print its figures as JSON; fail if it is broken anywhere."""
    import orjson  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    from simulation.smoke import folder_kept_if_broken, run_smoke  # noqa: PLC0415
    from simulation.stages import ConsoleStages  # noqa: PLC0415

    _end_on_signals()
    with folder_kept_if_broken() as folder:
        result = run_smoke(folder, ConsoleStages(Console(stderr=True)), notebooks)
        typer.echo(orjson.dumps(result.to_json()))
        result.check()


@app.command("simulate")
def simulate(
    state: StateOption = Path(".photofeed"),
    sessions: Annotated[
        int | None, typer.Option(min=2, help="How many people look at their feed: 20, or with --compare everybody.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Draws the same people and moods again.")] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Each of them by every ranker; nothing they do is reported.")
    ] = False,
    rounds: Annotated[int, typer.Option(min=1, help="With --compare: so often by every ranker.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="With --compare: one line of JSON at the end.")] = False,
) -> None:
    """Let people of the demo's world look at their feeds, on a stack that runs; print what they did.

    With --compare: the trained champion against popularity, chronological and random order, with 95 % intervals.
    """
    import orjson  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    from simulation.simulate import run_comparison, run_sessions  # noqa: PLC0415

    if not compare:
        run_sessions(state, sessions or FEW_SESSIONS, seed, Console())
        return
    console = Console(stderr=as_json)
    found = run_comparison(state, sessions, rounds, seed, console)
    console.print(found.table())
    console.print(found.verdict, highlight=False)
    if as_json:
        typer.echo(orjson.dumps(found.to_json()))


def _end_on_signals() -> None:
    """Make SIGTERM end the command as Ctrl-C does, also where a shell without job control made us ignore that."""
    import signal  # noqa: PLC0415

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
