"""`photofeed dlq`: list dead letters, and replay them after their cause is fixed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from photofeed.dead_letters import DeadLetters

app = typer.Typer(help="Dead letters: messages that workers failed to handle, and why.", no_args_is_help=True)

_LONGEST_REASON = 100

Group = Annotated[str | None, typer.Option(help="Only letters of this consumer group.")]


@app.command("list")
def list_letters(group: Group = None) -> None:
    """List the letters that have not been replayed: id, time, group, topic, key, code and reason, tab-separated."""
    shown = 0
    with _dead_letters(group) as letters:
        for letter in letters.waiting(group):
            reason = " ".join(letter.reason.split())[:_LONGEST_REASON]
            moment = f"{letter.occurred_at:%Y-%m-%dT%H:%M:%SZ}"
            about = f"{letter.group}\t{letter.message.topic}\t{letter.message.key}"
            typer.echo(f"{letter.id}\t{moment}\t{about}\t{letter.code}\t{reason}")
            shown += 1
    typer.echo(f"{shown} dead letters", err=True)


@app.command("replay")
def replay(
    group: Group = None,
    letter_id: Annotated[str | None, typer.Option("--id", help="Only the letter with this id.")] = None,
) -> None:
    """Publish the messages of dead letters again, each once; without options, of all letters."""
    from photofeed.process_actor import actor
    from photofeed.settings import load_settings

    with _dead_letters(group) as letters:
        replayed = letters.replay_waiting(load_settings(), actor(), group=group, letter_id=letter_id)
    typer.echo(f"replayed: {replayed}")


@contextmanager
def _dead_letters(group: str | None) -> Iterator["DeadLetters"]:
    from photofeed.dead_letters import DeadLetters
    from photofeed.errors import NotFoundError
    from photofeed.event_log import KafkaReader
    from photofeed.kafka_access import open_publisher
    from photofeed.logs import set_up_logs
    from photofeed.settings import load_settings
    from photofeed.topics import SUBSCRIPTIONS

    if group is not None and group not in SUBSCRIPTIONS:
        raise NotFoundError(f"no group {group!r}; there are {', '.join(SUBSCRIPTIONS)}")
    settings = load_settings()
    set_up_logs(settings)
    publisher = open_publisher(settings)
    try:
        yield DeadLetters(KafkaReader(settings), publisher)
    finally:
        publisher.close()
