"""The commands of no single service: `photofeed setup`, `doctor`, `size`, `feast`, `token` and `features`."""

from typing import Annotated

import typer

from photofeed import feature_commands

app = typer.Typer(help="Set up and check photofeed, and print tokens.")
app.add_typer(feature_commands.app, name="features")


@app.command("setup")
def setup() -> None:
    """Bring database, topics and feature store to the newest version. Can be repeated.

    If PHOTOFEED_CORS_ORIGINS is set, the bucket of uploads accepts them and the origin of PHOTOFEED_PUBLIC_URL.
    """
    from photofeed import database, topics
    from photofeed.feature_store import apply_feature_repo
    from photofeed.kafka_topics import create_topics
    from photofeed.logs import set_up_logs
    from photofeed.object_store import S3ObjectStore
    from photofeed.settings import load_settings

    settings = load_settings()
    set_up_logs(settings)
    database.migrate(settings)
    create_topics(settings, topics.all_topics())
    objects = S3ObjectStore.connect(settings)
    if settings.cors_origins:
        objects.accept_uploads_from(settings.bucket_originals, settings.upload_origins)
    manifest = apply_feature_repo(settings, objects)
    typer.echo(
        f"ready: database, {len(topics.all_topics())} topics, feature service {manifest.service} ({manifest.hash})"
    )


@app.command("doctor")
def doctor(as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False) -> None:
    """Check every system of the settings, and say what is wrong and how to mend it. Changes nothing.

    Exit code 1 if anything is wrong; warnings do not count.
    """
    import json
    import logging
    from dataclasses import asdict

    from photofeed.doctor.checkup import examine
    from photofeed.doctor.finding import Level
    from photofeed.logs import set_up_logs
    from photofeed.settings import load_settings

    settings = load_settings()
    set_up_logs(settings)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # a broker that is away is a line of the report, not fifty
    findings = list(examine(settings))
    counts = {level.value: sum(finding.level is level for finding in findings) for level in Level}
    if as_json:
        typer.echo(json.dumps({"findings": [asdict(finding) for finding in findings], **counts}, indent=2))
    else:
        for finding in findings:
            typer.echo(finding)
        typer.echo(", ".join(f"{count} {level}" for level, count in counts.items()))
    raise typer.Exit(1 if counts[Level.WRONG] else 0)


@app.command("size")
def size(
    people: Annotated[float, typer.Option(min=1, max=1e11, help="People with a timeline.")],
    posts_per_day: Annotated[float, typer.Option(min=0, max=1e12, help="Photos published per day.")],
    feeds_per_second: Annotated[float, typer.Option(min=0, max=1e9, help="Feed pages per second, the mean of a day.")],
    assume: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Another habit of people; can be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Print what so many people need: cores, memory, storage and traffic, from measured figures. Needs no system."""
    import json
    import textwrap
    from dataclasses import asdict

    from photofeed.capacity import FIGURES, Demand, first_to_break, habits_with, needs

    habits = habits_with(assume or [])
    found = needs(Demand(people, posts_per_day, feeds_per_second, habits))
    breaks = [need.name for need in first_to_break(found)]
    if as_json:
        figures = [asdict(figure) for figure in FIGURES]
        rows = [asdict(need) for need in found]
        typer.echo(
            json.dumps({"needs": rows, "breaks": breaks, "habits": asdict(habits), "figures": figures}, indent=2)
        )
        return
    for need in found:
        typer.echo(need)
    assumed = ", ".join(f"{name}={value:g}" for name, value in asdict(habits).items())
    for line in (f"breaks first: {', '.join(breaks) or 'nothing'} (see docs/scale.md)", f"assumed: {assumed}"):
        typer.echo(textwrap.fill(line, 98, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False))


@app.command(
    "feast",
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def feast(context: typer.Context) -> None:
    """Run Feast's own command line in the feature repo, with the settings' systems: `photofeed feast plan`.

    Feast's options and exit codes are passed on.
    """
    import os
    import sys

    from photofeed.feast_command import run
    from photofeed.feature_store import feast_environment
    from photofeed.settings import load_settings

    settings = load_settings(needs_secrets=False)
    os.environ.update(feast_environment(settings))
    os.chdir(settings.feature_repo)
    sys.path.insert(0, "")
    run(context.args)


@app.command("token")
def token(
    user: Annotated[str, typer.Option(help="Handle or id of a person; not needed with --scope service.")] = "",
    scope: Annotated[list[str] | None, typer.Option(help="user, service, moderator or admin; can be repeated.")] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 365, help="Lifetime of the token.")] = 24,
) -> None:
    """Print a bearer token for development."""
    from photofeed import database
    from photofeed.errors import NotFoundError, PhotofeedError
    from photofeed.ids import decode_id
    from photofeed.settings import load_settings
    from photofeed.tokens import USER, mint_token

    settings = load_settings()
    if settings.env != "dev":
        raise PhotofeedError("outside env=dev, tokens come from the identity provider")
    user_id = 0
    if user:
        with database.connect(settings) as connection:
            row = connection.execute("select id from users where handle = %s", (user.lower(),)).fetchone()
            user_id = row["id"] if row else decode_id(user)
            if not connection.execute("select 1 from users where id = %s", (user_id,)).fetchone():
                raise NotFoundError(f"there is no person {user!r}")
    elif not scope or USER in scope:
        raise PhotofeedError("name a person: --user HANDLE (or use --scope service)")
    typer.echo(mint_token(settings, user_id, frozenset(scope or [USER]), hours))
