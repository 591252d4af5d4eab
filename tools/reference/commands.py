"""The page of commands."""

from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import typer

from photofeed.cli import add_service
from tools.reference.markdown import code, generated, table

_ABOUT = """Exit codes: 0 success, 1 refused or failed (one line says why), 2 wrong usage. Commands that
differ say so. Settings are environment variables, see [Settings](settings.md)."""
_TYPES = {int: "integer", float: "number", Path: "path", datetime: "time"}


def page() -> str:
    """Every command with its arguments and options."""
    root = typer.Typer(name="photofeed")
    for entry in sorted(entry_points(group="photofeed.commands"), key=lambda one: (one.name != "photofeed", one.name)):
        add_service(root, entry.load())
    command = typer.main.get_command(root)
    sections = "\n".join(_section(path, one) for path, one in _leaves("photofeed", command))
    return f"{generated('Commands', 'the help texts', _ABOUT)}\n{sections}"


def _leaves(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    """The commands below a group, with the words that start each."""
    below = getattr(command, "commands", None)
    if below is None:
        if not command.hidden:
            yield path, command
        return
    for name in sorted(below):
        yield from _leaves(f"{path} {name}", below[name])


def _section(path: str, command: Any) -> str:
    rows = [
        (_names(one), _kind(one), getattr(one, "help", None) or "", _default(one))
        for one in command.params
        if "--help" not in one.opts
    ]
    options = f"\n{table(('argument', 'value', 'meaning', 'default'), rows)}" if rows else ""
    return f"## {path}\n\n{(command.help or '').strip()}\n{options}"


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return code(parameter.display_name_raw)
    return ", ".join(code(name) for name in (*parameter.opts, *parameter.secondary_opts))


def _kind(parameter: Any) -> str:
    return "flag" if getattr(parameter, "is_flag", False) else _TYPES.get(parameter.type_descriptor.annotation, "text")


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    value = parameter.default
    return code(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""
