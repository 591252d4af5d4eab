"""`photofeed erasure`: delete accounts, and prove that nothing about a person is left."""

from typing import Annotated, Any

import typer

app = typer.Typer(help="Deleted accounts: delete, erase now, verify.", no_args_is_help=True)

_Person = Annotated[str, typer.Argument(help="Id of the person; their handle until the account is deleted.")]


def _user_id(connection: Any, person: str) -> int:
    """The id of a person by handle or id.

    Raises:
        NotFoundError: there is no such person.
    """
    from photofeed.errors import NotFoundError
    from photofeed.ids import decode_id

    row = connection.execute("select id from users where handle = %s", (person.lower(),)).fetchone()
    user_id: int = row["id"] if row else decode_id(person)
    if not connection.execute("select 1 from users where id = %s", (user_id,)).fetchone():
        raise NotFoundError(f"there is no person {person!r}")
    return user_id


@app.command("request")
def request(person: _Person) -> None:
    """Delete the account of a person who cannot do it themselves. It cannot be undone."""
    from photofeed import database
    from photofeed.erasures import request_statements
    from photofeed.ids import encode_id
    from photofeed.settings import load_settings

    with database.connect(load_settings()) as connection:
        user_id = _user_id(connection, person)
        with connection.transaction():
            for statement, parameters in request_statements(user_id):
                connection.execute(statement, parameters)
    typer.echo(f"{encode_id(user_id)}\tdeleted; the worker `removal` erases what is stored about the person")


@app.command("list")
def list_(
    days: Annotated[float | None, typer.Option(min=0, help="Only accounts deleted in so many days.")] = None,
) -> None:
    """Print the ids of deleted accounts and when they were deleted, tab-separated.

    Keep the list outside of backups: `photofeed restore --erased` deletes these accounts again.
    """
    from photofeed import database
    from photofeed.ids import encode_id
    from photofeed.settings import load_settings

    query = """
        select user_id, requested_at from erasures
        where %(days)s::float8 is null or requested_at >= now() - make_interval(secs => 86400 * %(days)s)
        order by requested_at, user_id
    """
    with database.connect(load_settings()) as connection:
        for row in connection.execute(query, {"days": days}):
            typer.echo(f"{encode_id(row['user_id'])}\t{row['requested_at']:%Y-%m-%dT%H:%M:%SZ}")


@app.command("export")
def export(person: _Person) -> None:
    """Print what the lake has about a person, as JSON lines: engagement, feeds they were shown, features.

    `GET /v1/me/export` has everything else.
    """
    import json
    from datetime import UTC, datetime

    from ingestion.erasure import Subject
    from ingestion.erasure.lake import LakeStore
    from photofeed import database
    from photofeed.offline_store.lake import open_lake
    from photofeed.settings import load_settings

    settings = load_settings()
    with database.connect(settings) as connection:
        user_id = _user_id(connection, person)
    store = LakeStore(open_lake(settings), settings.bucket_lake)
    for row in store.rows(Subject(user_id, datetime.now(UTC))):
        typer.echo(json.dumps(row, default=str))


@app.command("run")
def run() -> None:
    """Erase everybody who is due, once; the worker `removal` does it all the time."""
    from datetime import UTC, datetime

    from ingestion.bootstrap.erasure import open_eraser
    from photofeed.settings import load_settings

    with open_eraser(load_settings()) as eraser:
        typer.echo(f"people: {eraser.pass_over(datetime.now(UTC))}")


@app.command("verify")
def verify(
    person: _Person,
    log: Annotated[bool, typer.Option(help="Read every message of Kafka too.")] = True,
) -> None:
    """Search every store for a person who deleted their account, and list what is found, tab-separated.

    What a store deletes by itself is listed with the time. Exit code 1 if anything else is left.
    """
    from datetime import UTC, datetime

    from ingestion.bootstrap.erasure import log_store, open_eraser
    from photofeed.ids import decode_id
    from photofeed.settings import load_settings

    settings, now, left = load_settings(), datetime.now(UTC), 0
    with open_eraser(settings) as eraser:
        subject = eraser.person(decode_id(person))
        for store in [*eraser.stores, *([log_store(settings)] if log else [])]:
            found = list(store.find(subject))
            left += sum(finding.is_left(now) for finding in found)
            for finding in found:
                typer.echo(f"{store.name}\t{finding}")
            if not found:
                typer.echo(f"{store.name}\tnothing")
    typer.echo("nothing is left" if not left else f"left: {left}")
    raise typer.Exit(1 if left else 0)
