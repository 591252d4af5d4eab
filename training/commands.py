"""`photofeed train`, `promote`, `rollback`, `models` and `models history`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from photofeed.settings import Settings

# Everything else is imported by the command that needs it, so that `photofeed --help` stays fast.
app = typer.Typer(help="Train, promote and roll back the ranker.")

Force = Annotated[str, typer.Option("--force", metavar="REASON", help="Promote whatever the gates say.")]


@app.command("train")
def train(
    *,
    days: Annotated[float, typer.Option(help="Length of the window to learn from.", min=0.01)] = 30.0,
    until: Annotated[datetime | None, typer.Option(help="End of the window, UTC; now unless given.")] = None,
    rounds: Annotated[int, typer.Option(help="Most trees.", min=1)] = 400,
    seed: Annotated[int, typer.Option(help="The same seed and data give the same model.")] = 7,
    debias_position: Annotated[bool, typer.Option(help="Learn and take out the bias of the position.")] = False,
    promote_too: Annotated[bool, typer.Option("--promote", help="Promote the new version, if it passes.")] = False,
    force: Force = "",
) -> None:
    """Train a ranker on what people did, and register it in MLflow."""
    from rich import print as show  # noqa: PLC0415

    from photofeed.settings import load_settings  # noqa: PLC0415
    from training.parameters import TrainingParameters  # noqa: PLC0415
    from training.pipeline import train_and_register  # noqa: PLC0415
    from training.sources import Sources  # noqa: PLC0415
    from training.terminal import ProgressBars, evaluation_table, explore_line  # noqa: PLC0415
    from training.window import Window  # noqa: PLC0415

    settings = load_settings()
    window = Window.last(days, until.replace(tzinfo=UTC) if until else None)
    parameters = TrainingParameters(rounds=rounds, seed=seed, debias_position=debias_position)
    with ProgressBars() as bars:
        bars.stage("feature store")
        with Sources.open(settings) as sources:
            trained = train_and_register(settings, sources, window, parameters, bars)
    show(evaluation_table(trained.evaluation))
    show(explore_line(trained.explore))
    show(f"{settings.model_name} version [bold]{trained.version}[/] of run {trained.run_id}")
    if promote_too:
        _promote(settings, trained.version, force)


@app.command("promote")
def promote(
    version: Annotated[str, typer.Argument(help="A version number or an alias.")], *, force: Force = ""
) -> None:
    """Make a version the champion, if it passes the gates."""
    from photofeed.settings import load_settings  # noqa: PLC0415

    _promote(load_settings(), version, force)


@app.command("rollback")
def rollback() -> None:
    """Make the previous champion the champion again."""
    from rich import print as show  # noqa: PLC0415

    from photofeed.settings import load_settings  # noqa: PLC0415
    from training.promote import roll_back  # noqa: PLC0415

    settings = load_settings()
    former, version = roll_back(settings)
    show(f"{settings.model_name}: champion is version [bold]{version}[/] again, previous is {former}")


models = typer.Typer(help="What is registered, and which version was live when.", invoke_without_command=True)
app.add_typer(models, name="models")


@models.callback()
def list_models(context: typer.Context) -> None:
    """List the registered versions, newest first."""
    if context.invoked_subcommand:
        return
    from rich import print as show  # noqa: PLC0415

    from photofeed.settings import load_settings  # noqa: PLC0415
    from training.terminal import versions_table  # noqa: PLC0415
    from training.versions import list_versions  # noqa: PLC0415

    settings = load_settings()
    show(versions_table(settings.model_name, list_versions(settings)))


@models.command("history")
def history(
    *,
    alias: Annotated[str, typer.Option(help="Of one alias only, as champion.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="So many moves at most, the newest.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON a move.")] = False,
) -> None:
    """Which version was live when, who moved it, and why; also where it was moved in MLflow itself."""
    import orjson  # noqa: PLC0415
    from rich import print as show  # noqa: PLC0415

    from photofeed.model_history import moves  # noqa: PLC0415
    from photofeed.settings import load_settings  # noqa: PLC0415
    from training.terminal import history_table  # noqa: PLC0415

    settings = load_settings()
    found = moves(settings, settings.model_name, alias or None, limit)
    if not as_json:
        show(history_table(settings.model_name, found))
        return
    for move in found:
        typer.echo(orjson.dumps(move))


def _promote(settings: "Settings", version: str, force: str) -> None:
    from rich import print as show  # noqa: PLC0415

    from training.errors import RefusedError  # noqa: PLC0415
    from training.promote import promote  # noqa: PLC0415
    from training.terminal import gates_table  # noqa: PLC0415

    promotion = promote(settings, version, force=force or None)
    show(gates_table(promotion))
    if not promotion.moved:
        champion = f"version {promotion.former}" if promotion.former else "nobody"
        raise RefusedError(f"version {promotion.version} failed its gates; the champion is still {champion}")
    forced = "" if promotion.passed else f", forced: {promotion.forced}"
    show(f"{settings.model_name}: champion is version [bold]{promotion.version}[/]{forced}")
