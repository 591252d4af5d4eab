"""One command line from several services."""

import typer
from typer.testing import CliRunner

from photofeed.cli import add_service


def service(command: str) -> typer.Typer:
    group = typer.Typer(help=f"help of {command}")

    @group.command(command)
    def say() -> None:
        typer.echo(f"ran {command}")

    outer = typer.Typer()
    outer.add_typer(group, name="features")
    return outer


def test_services_that_add_to_one_group_find_their_commands_side_by_side() -> None:
    root = typer.Typer()
    for name in ("list", "rebuild"):
        add_service(root, service(name))
    runner = CliRunner()
    assert runner.invoke(root, ["features", "list"]).output == "ran list\n"
    assert runner.invoke(root, ["features", "rebuild"]).output == "ran rebuild\n"
    assert "help of list" in runner.invoke(root, ["features", "--help"]).output
