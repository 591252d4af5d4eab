"""Options that several commands of training share."""

from datetime import UTC, datetime
from typing import Annotated

import typer

Until = Annotated[datetime | None, typer.Option(help="End of the window, UTC. Default: now.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def utc(until: datetime | None) -> datetime | None:
    """The value of `--until` as a time in UTC."""
    return until.replace(tzinfo=UTC) if until else None
