"""`photofeed setup`, `token`, `dlq` and `features`: what belongs to no single service."""

from typing import Annotated

import typer

from photofeed import dlq_commands, feature_commands

app = typer.Typer(help="Set up and call photofeed.")
app.add_typer(dlq_commands.app, name="dlq")
app.add_typer(feature_commands.app, name="features")


@app.command("setup")
def setup() -> None:
    """Bring database, topics and feature store to the newest version; may be repeated."""
    from photofeed import database, event_log, topics  # noqa: PLC0415  `photofeed --help` stays fast
    from photofeed.feature_store import apply_feature_repo  # noqa: PLC0415
    from photofeed.logs import set_up_logs  # noqa: PLC0415
    from photofeed.object_store import S3ObjectStore  # noqa: PLC0415
    from photofeed.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    set_up_logs(settings)
    database.migrate(settings)
    event_log.create_topics(settings, topics.all_topics())
    manifest = apply_feature_repo(settings, S3ObjectStore.connect(settings))
    typer.echo(
        f"ready: database, {len(topics.all_topics())} topics, feature service {manifest.service} ({manifest.hash})"
    )


@app.command("token")
def token(
    user: Annotated[str, typer.Option(help="A person's handle or id; leave out with --scope service.")] = "",
    scope: Annotated[list[str] | None, typer.Option(help="user, service, moderator or admin; may be repeated.")] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 365, help="How long it holds.")] = 24,
) -> None:
    """Print a bearer token for development."""
    from photofeed import database  # noqa: PLC0415
    from photofeed.errors import NotFoundError, PhotofeedError  # noqa: PLC0415
    from photofeed.ids import decode_id  # noqa: PLC0415
    from photofeed.settings import load_settings  # noqa: PLC0415
    from photofeed.tokens import USER, mint_token  # noqa: PLC0415

    settings = load_settings()
    if settings.env != "dev":
        raise PhotofeedError("tokens come from the identity provider outside env=dev")
    user_id = 0
    if user:
        with database.connect(settings) as connection:
            row = connection.execute("select id from users where handle = %s", (user.lower(),)).fetchone()
            user_id = row["id"] if row else decode_id(user)
            if not connection.execute("select 1 from users where id = %s", (user_id,)).fetchone():
                raise NotFoundError(f"nobody is called {user!r}")
    elif not scope or USER in scope:
        raise PhotofeedError("say whose token: --user HANDLE (or --scope service)")
    typer.echo(mint_token(settings, user_id, frozenset(scope or [USER]), hours))
