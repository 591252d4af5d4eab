"""Clients that others' generators make of the document: how many bodies have no type."""

import re
from pathlib import Path

from tools.clients.generators import generate_python, generate_typescript

_UNKNOWN_BODY = re.compile(r'"[\w.+-]+/[\w.+-]+[^"]*": (unknown|never|any);')
_UNTYPED_REPLY = re.compile(r"response_\d+ = (response\.json\(\)|cast\(Any, response)")
_LEFT_OUT = re.compile(r"Cannot parse|will be omitted|Unsupported")


def unknown_types(document: Path, folder: Path, uv: Path) -> list[str]:
    """Bodies without a type in the generated TypeScript and Python, and what a generator left out.

    Raises:
        subprocess.CalledProcessError: a generator failed.
    """
    return [*_typescript(document, folder / "api.ts"), *_python(document, folder, uv)]


def _typescript(document: Path, target: Path) -> list[str]:
    generate_typescript(document, target)
    return [f"TypeScript: {line}" for line in untyped_typescript(target.read_text())]


def untyped_typescript(source: str) -> list[str]:
    """The lines of generated TypeScript that declare a body without a type."""
    return [line.strip() for line in source.splitlines() if _UNKNOWN_BODY.search(line)]


def _python(document: Path, folder: Path, uv: Path) -> list[str]:
    target = folder / "python"
    said = generate_python(document, target, uv)
    left_out = [f"Python: {line}"[:300] for line in said.splitlines() if _LEFT_OUT.search(line)]
    untyped = [
        f"Python: {file.relative_to(target)}: {line}"
        for file in target.rglob("*.py")
        for line in untyped_python(file.read_text())
    ]
    return left_out + untyped


def untyped_python(source: str) -> list[str]:
    """The lines of generated Python that read a body without a type."""
    return [line.strip() for line in source.splitlines() if _UNTYPED_REPLY.search(line)]
