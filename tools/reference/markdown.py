"""Markdown that the reference pages share."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are escaped."""
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    lines += [f"| {' | '.join(_cell(one) for one in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def code(text: object) -> str:
    """A code span; nothing for an empty text."""
    return f"`{text}`" if str(text) else ""


def generated(title: str, source: str, about: str) -> str:
    """The head of a page that `make docs` writes from `source`."""
    return f"# {title}\n\n{about}\n\n`make docs` writes this page from {source}.\n"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
