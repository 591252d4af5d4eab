"""The command `photofeed`: collects the sub-commands of every service and turns their errors into one line."""

import sys
from importlib.metadata import entry_points

import typer

app = typer.Typer(
    help="A photo feed, from upload to ranked slate.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 refused or failed, 2 wrong usage."""
    # photofeed's own first: where several services add to one group, the group's help is its
    for entry in sorted(
        entry_points(group="photofeed.commands"), key=lambda entry: (entry.name != "photofeed", entry.name)
    ):
        add_service(app, entry.load())
    from photofeed.errors import PhotofeedError  # noqa: PLC0415  after the commands are known

    try:
        app()
    except PhotofeedError as error:
        typer.echo(f"photofeed: {error}", err=True)
        sys.exit(1)
    except Exception as error:
        reason = _beyond_us(error)
        if reason is None:
            raise
        typer.echo(f"photofeed: {reason}", err=True)
        sys.exit(1)


def add_service(root: typer.Typer, service: typer.Typer) -> None:
    """Add a service's commands and groups to `root`; groups of one name, as `features`, become one group."""
    root.registered_commands.extend(service.registered_commands)
    known = {group.name: group.typer_instance for group in root.registered_groups}
    for group in service.registered_groups:
        there = known.get(group.name)
        if there is None or group.typer_instance is None:
            root.registered_groups.append(group)
        else:
            there.registered_commands.extend(group.typer_instance.registered_commands)


def _beyond_us(error: Exception) -> str | None:
    """A sentence for systems that do not answer and files that cannot be had; None for a fault of ours."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    module = type(error).__module__.partition(".")[0]
    systems = {
        "psycopg": "PostgreSQL",
        "sqlalchemy": "PostgreSQL",
        "redis": "Redis",
        "kafka": "Kafka",
        "botocore": "object storage",
    }
    if module not in systems:
        return None
    first_line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return f"{systems[module]} does not answer ({first_line}). Is the stack up? Try `make demo`."
