"""`photofeed train`, `retrain`, `evaluate`, `promote`, `rollback`, `models` and `models history`."""

from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training import drift_commands, experiment_commands, skew_commands

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from photofeed.settings import Settings
    from training.train import Trainer

# Everything else is imported by the command that needs it, so that `photofeed --help` stays fast.
app = typer.Typer(help="Train, promote and roll back the ranker.")
app.add_typer(experiment_commands.app, name="experiments")
app.add_typer(drift_commands.app, name="features")
app.add_typer(skew_commands.app, name="features")

Force = Annotated[str, typer.Option("--force", metavar="REASON", help="Promote whatever the gates say.")]


@app.command("train")
def train(
    *,
    days: Annotated[float, typer.Option(help="Length of the window to learn from.", min=0.01)] = 30.0,
    until: Annotated[datetime | None, typer.Option(help="End of the window, UTC; now unless given.")] = None,
    rounds: Annotated[int, typer.Option(help="Most trees.", min=1)] = 400,
    seed: Annotated[int, typer.Option(help="The same seed and data give the same model.")] = 7,
    debias_position: Annotated[bool, typer.Option(help="Learn and take out the bias of the position.")] = False,
    heads: Annotated[bool, typer.Option("--heads", help="Compare with a model for each action, too; slow.")] = False,
    search: Annotated[int, typer.Option(metavar="N", help="Try N sets of parameters first.", min=0, max=1000)] = 0,
    dask: Annotated[str, typer.Option(metavar="ADDRESS", help="Train on Dask: tcp://host:port, or local:2.")] = "",
    promote_too: Annotated[bool, typer.Option("--promote", help="Promote the new version, if it passes.")] = False,
    force: Force = "",
) -> None:
    """Train a ranker on what people did, and register it in MLflow."""
    from photofeed.settings import load_settings  # noqa: PLC0415
    from training.parameters import DEBIASED_LEARNING_RATE, DEFAULTS, TrainingParameters  # noqa: PLC0415
    from training.pipeline import train_and_register  # noqa: PLC0415
    from training.sources import Sources  # noqa: PLC0415
    from training.terminal import ProgressBars, evaluation_table, explore_line, show  # noqa: PLC0415
    from training.window import Window  # noqa: PLC0415

    settings = load_settings()
    window = Window.last(days, until.replace(tzinfo=UTC) if until else None)
    rate = DEBIASED_LEARNING_RATE if debias_position else DEFAULTS.learning_rate
    parameters = TrainingParameters(rounds=rounds, seed=seed, debias_position=debias_position, learning_rate=rate)
    with ProgressBars() as bars, _trainer(dask) as trainer:
        bars.stage("feature store")
        with Sources.open(settings) as sources:
            trained = train_and_register(
                settings, sources, window, parameters, bars, trials=search, heads=heads, trainer=trainer
            )
    show(evaluation_table(trained.evaluation))
    show(explore_line(trained.explore))
    show(f"{settings.model_name} version [bold]{trained.version}[/] of run {trained.run_id}")
    if promote_too:
        _promote(settings, trained.version, force, now=window.end)


@app.command("retrain")
def retrain(
    *,
    days: Annotated[float, typer.Option(help="Length of the window to learn from.", min=0.01)] = 30.0,
    until: Annotated[datetime | None, typer.Option(help="End of the window, UTC; now unless given.")] = None,
    rounds: Annotated[int, typer.Option(help="Most trees.", min=1)] = 400,
    promote_too: Annotated[bool, typer.Option("--promote", help="Make it champion, if it passes the gates.")] = False,
) -> None:
    """For cron, Airflow or a CronJob: train, register as challenger, judge, and with --promote make it champion.

    The last line of the output is JSON. Exit codes: 0 promoted, or challenger that passed the gates; 1 failed; 2 wrong
    usage; 3 refused by the gates; 4 nothing to learn from; 75 a system is away or another retraining is going on, try
    again later.
    """
    import orjson  # noqa: PLC0415

    from photofeed.settings import load_settings  # noqa: PLC0415
    from training.parameters import TrainingParameters  # noqa: PLC0415
    from training.retrain import retrain  # noqa: PLC0415
    from training.terminal import ProgressBars  # noqa: PLC0415
    from training.window import Window  # noqa: PLC0415

    window = Window.last(days, until.replace(tzinfo=UTC) if until else None)
    parameters = TrainingParameters(rounds=rounds)
    with ProgressBars() as bars:
        done = retrain(load_settings(), window, parameters, promote_too=promote_too, observer=bars)
    typer.echo(orjson.dumps(done.to_json()))
    raise typer.Exit(done.outcome.exit_code)


@app.command("evaluate")
def evaluate(
    version: Annotated[str, typer.Argument(help="A version number or an alias.")],
    *,
    days: Annotated[float, typer.Option(help="Length of the window to judge by.", min=0.01)] = 7.0,
    until: Annotated[datetime | None, typer.Option(help="End of the window, UTC; now unless given.")] = None,
    against: Annotated[list[str] | None, typer.Option(help="Another version; may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON instead of the table.")] = False,
) -> None:
    """Measure a registered version on what people did since, beside the champion and orders that need no model."""
    import orjson  # noqa: PLC0415

    from photofeed.settings import load_settings  # noqa: PLC0415
    from training.compare_versions import compare_versions  # noqa: PLC0415
    from training.sources import Sources  # noqa: PLC0415
    from training.terminal import evaluation_table, show  # noqa: PLC0415
    from training.window import Window  # noqa: PLC0415

    settings = load_settings()
    window = Window.last(days, until.replace(tzinfo=UTC) if until else None)
    with Sources.open(settings) as sources:
        found = compare_versions(settings, sources, version, window, against or [])
    if as_json:
        typer.echo(orjson.dumps(found.to_json()))
        return
    show(evaluation_table(found.evaluation, f"Version {found.version} on {found.dataset.slates} slates, {window}"))
    if found.learned_share:
        show(f"version {found.version} has learned from {found.learned_share:.0%} of these slates: it looks too good")


@app.command("promote")
def promote(
    version: Annotated[str, typer.Argument(help="A version number or an alias.")],
    *,
    force: Force = "",
    report: Annotated[Path | None, typer.Option(help="Write the report to this file too, as Markdown.")] = None,
) -> None:
    """Make a version the champion, if it passes the gates: judged now, beside the champion of now."""
    from photofeed.settings import load_settings  # noqa: PLC0415

    _promote(load_settings(), version, force, report=report)


@app.command("preview")
def preview(
    *,
    user: Annotated[str, typer.Option(help="A person's handle.")],
    models: Annotated[str, typer.Option(help="Aliases or version numbers, with commas between.")] = "champion",
    out: Annotated[Path, typer.Option(help="Where the page goes.")] = Path("preview.html"),
) -> None:
    """One person's feed under several models, side by side, with pictures and why each post is there."""
    from photofeed.settings import load_settings  # noqa: PLC0415
    from training.preview import preview  # noqa: PLC0415
    from training.preview_page import as_html  # noqa: PLC0415

    found = preview(load_settings(), user, [model.strip() for model in models.split(",") if model.strip()])
    out.write_text(as_html(found))
    typer.echo(f"{out}: {', '.join(found.columns)}")


@app.command("rollback")
def rollback() -> None:
    """Make the previous champion the champion again."""
    from photofeed.settings import load_settings  # noqa: PLC0415
    from training.promote import roll_back  # noqa: PLC0415
    from training.terminal import show  # noqa: PLC0415

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
    from photofeed.settings import load_settings  # noqa: PLC0415
    from training.terminal import show, versions_table  # noqa: PLC0415
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

    from photofeed.model_history import moves  # noqa: PLC0415
    from photofeed.settings import load_settings  # noqa: PLC0415
    from training.terminal import history_table, show  # noqa: PLC0415

    settings = load_settings()
    found = moves(settings, settings.model_name, alias or None, limit)
    if not as_json:
        show(history_table(settings.model_name, found))
        return
    for move in found:
        typer.echo(orjson.dumps(move))


def _trainer(dask: str) -> "AbstractContextManager[Trainer]":
    """In this process, or on the Dask cluster of that address."""
    if dask:
        from training.distributed_training import dask_trainer  # noqa: PLC0415

        return dask_trainer(dask)
    from training.train import train  # noqa: PLC0415

    return nullcontext(train)


def _promote(
    settings: "Settings", version: str, force: str, *, now: datetime | None = None, report: Path | None = None
) -> None:
    from rich.markup import escape  # noqa: PLC0415

    from training.errors import RefusedError  # noqa: PLC0415
    from training.gate_report import as_markdown  # noqa: PLC0415
    from training.promote import promote  # noqa: PLC0415
    from training.terminal import gates_table, show  # noqa: PLC0415

    promotion = promote(settings, version, force=force or None, now=now)
    show(gates_table(promotion))
    if report:
        report.write_text(as_markdown(promotion))
    if not promotion.moved:
        champion = f"version {promotion.former}" if promotion.former else "nobody"
        raise RefusedError(f"version {promotion.version} failed its gates; the champion is still {champion}")
    forced = "" if promotion.passed else f", forced: {escape(str(promotion.forced))}"
    show(f"{settings.model_name}: champion is version [bold]{promotion.version}[/]{forced}")
