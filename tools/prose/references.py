"""What a document refers to: links, files, constants and make targets. All of it must exist."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tools.prose.documents import Document, Finding, Kind, line_of

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_OTHER_SITE = re.compile(r"[a-z]+:", re.IGNORECASE)
_HEADING = re.compile(r"#+ (.+)")
_PATH = re.compile(r"[\w.-]+(?:/[\w.*-]+)+/?|[\w-]+\.(?:py|ipynb|toml|yaml)")
_PATH_IN_CODE = re.compile(r"(?<![\w./:-])[a-z_]+/[\w./*-]*\w/?")
_CONSTANT = re.compile(r"([A-Z][A-Z_]+) = (.+)")
_MAKE = re.compile(r"^(?:\w+=\S+ )?make ([a-z][a-z-]+)", re.MULTILINE)
_SKIPPED_FOLDERS = frozenset({"node_modules", "build", "dist", "__pycache__"})


def broken_links(document: Document) -> Iterator[Finding]:
    """Relative links to no file, or to no heading of a Markdown file."""
    text = document.text(Kind.PROSE, Kind.TABLE)
    for found in _LINK.finditer(text):
        target = found[1]
        if _OTHER_SITE.match(target):
            continue
        name, _, anchor = target.partition("#")
        file = document.folder / name if name else document.root / document.path
        line = line_of(text, found.start())
        if not file.exists():
            yield document.finding(line, f"the link {target} leads to no file")
        elif anchor and file.suffix == ".md" and anchor not in _anchors(file):
            yield document.finding(line, f"the link {target} leads to no heading of {name or document.path}")


def missing_files(document: Document) -> Iterator[Finding]:
    """Files of the repository that code spans and code blocks name and that do not exist."""
    folders = {folder.name for folder in document.root.iterdir() if folder.is_dir()} - _SKIPPED_FOLDERS
    named = [(line, code) for line, code in document.code_spans() if _PATH.fullmatch(code)]
    code_text = document.text(Kind.CODE)
    named += [(line_of(code_text, found.start()), found[0]) for found in _PATH_IN_CODE.finditer(code_text)]
    for line, path in named:
        first, slash, _ = path.partition("/")
        if slash and first not in folders:
            continue
        if not slash and _names(document.root).isdisjoint({path}):
            yield document.finding(line, f"no file of the repository is named {path}")
        elif slash and not any(document.root.glob(path.rstrip("/"))):
            yield document.finding(line, f"there is no {path}")


def stale_constants(document: Document) -> Iterator[Finding]:
    """`NAME = value` in code, beside a link to a Python file that gives NAME another value."""
    for number, line in enumerate(document.lines, 1):
        files = [document.folder / target for target in _LINK.findall(line) if target.endswith(".py")]
        for code in re.findall(r"`([^`]+)`", line):
            stated = _CONSTANT.fullmatch(code)
            if not stated or not files or not all(file.exists() for file in files):
                continue
            values = [value for file in files if (value := _assigned(file, stated[1])) is not None]
            if not values:
                yield document.finding(number, f"no file linked in this line assigns {stated[1]}")
            elif ast.unparse(ast.parse(stated[2], mode="eval")) not in values:
                yield document.finding(number, f"{stated[1]} is {values[0]}, not {stated[2]}")


def unknown_targets(document: Document) -> Iterator[Finding]:
    """`make` targets in code that the Makefile does not have."""
    targets = set(
        re.findall(r"^([a-z][a-z-]*):", (document.root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    block = document.text(Kind.CODE)
    commands = [(line_of(block, found.start()), found[1]) for found in _MAKE.finditer(block)]
    commands += [(line, target) for line, code in document.code_spans() for target in _MAKE.findall(code)]
    for line, target in commands:
        if target not in targets:
            yield document.finding(line, f"the Makefile has no target {target}")


def _anchors(file: Path) -> set[str]:
    """The anchors of a Markdown file's headings, as GitHub makes them."""
    document = Document.read(file.parent, file.name)
    headings = (
        _HEADING.fullmatch(line)
        for line, kind in zip(document.lines, document.kinds, strict=True)
        if kind is Kind.PROSE
    )
    return {re.sub(r"[^\w\- ]", "", found[1].lower()).replace(" ", "-") for found in headings if found}


def _assigned(file: Path, name: str) -> str | None:
    """The expression that a module assigns to a name at its top level; None if it assigns none."""
    return next((ast.unparse(value) for target, value in _assignments(file) if target == name), None)


def _assignments(file: Path) -> Iterator[tuple[str, ast.expr]]:
    """The names that a module assigns at its top level, also in `A, B = 1, 2`, with their expressions."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                pairs: list[tuple[ast.expr, ast.expr]] = list(zip(targets, values, strict=True))
            case ast.Assign(targets=[target], value=value) | ast.AnnAssign(target=target, value=ast.expr() as value):
                pairs = [(target, value)]
            case _:
                continue
        yield from ((target.id, value) for target, value in pairs if isinstance(target, ast.Name))


@cache
def _names(root: Path) -> frozenset[str]:
    """The names of all files of the repository."""
    names = [entry.name for entry in root.iterdir() if entry.is_file()]
    for folder in root.iterdir():
        if folder.is_dir() and not folder.name.startswith(".") and folder.name not in _SKIPPED_FOLDERS:
            names += [
                file.name for file in folder.rglob("*") if _SKIPPED_FOLDERS.isdisjoint(file.relative_to(root).parts)
            ]
    return frozenset(names)
