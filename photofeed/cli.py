"""The command `photofeed`: collects the sub-commands of all services and prints their errors in one line."""

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
    """Run the command line. Exit codes: 0 success, 1 refused or failed, 2 wrong usage."""
    # photofeed's commands first: if several services add to one group, the group has photofeed's help
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
        reason = _outside_reason(error)
        if reason is None:
            raise
        typer.echo(f"photofeed: {reason}", err=True)
        sys.exit(1)


def add_service(root: typer.Typer, service: typer.Typer) -> None:
    """Add a service's commands and groups to `root`; groups of the same name, such as `features`, are merged."""
    root.registered_commands.extend(service.registered_commands)
    known = {group.name: group.typer_instance for group in root.registered_groups}
    for group in service.registered_groups:
        existing = known.get(group.name)
        if existing is None or group.typer_instance is None:
            root.registered_groups.append(group)
        else:
            existing.registered_commands.extend(group.typer_instance.registered_commands)


def _outside_reason(error: Exception) -> str | None:
    """One line for systems that do not answer and files that cannot be read; None for errors of photofeed itself."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        return _not_installed(error.name.partition(".")[0])
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
    return f"{systems[module]} does not answer ({first_line}). Is the stack running? Try `make demo`."


def _not_installed(package: str) -> str | None:
    """One line for a missing package: environments of one role lack the packages of others (see requirements/)."""
    ours = {entry.module.partition(".")[0] for entry in entry_points(group="photofeed.commands")}
    return None if package in ours else f"this environment lacks {package}: install all of photofeed's dependencies"
