"""Decision records: number, title, status, date, length, and their row in the index."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from tools.prose.documents import Document, Finding

FOLDER = "docs/decisions"
INDEX = f"{FOLDER}/README.md"
LONGEST = 45
_TITLE = re.compile(r"# (\d+)\. (.+)")
_STATUS = re.compile(r"- Status: (proposed|accepted|rejected|superseded by \d+)")
_DATE = re.compile(r"- Date: (\d{4}-\d{2}-\d{2})")


def is_decision(path: str) -> bool:
    """Whether a document is a decision record."""
    return path.startswith(f"{FOLDER}/") and path != INDEX


def wrong_decision(document: Document, index: Document) -> Iterator[Finding]:
    """Faults of one record."""
    name = PurePosixPath(document.path).name
    title = _TITLE.fullmatch(document.lines[0]) if document.lines else None
    status, date = (
        next((found[1] for line in document.lines if (found := pattern.fullmatch(line))), None)
        for pattern in (_STATUS, _DATE)
    )
    if title is None:
        yield document.finding(1, "a decision begins with `# N. Title`")
    if title and int(title[1]) != int(name.partition("-")[0] if name[:4].isdigit() else 0):
        yield document.finding(1, f"the title has number {title[1]}, the file name another")
    if status is None:
        yield document.finding(1, "a decision needs a line `- Status: accepted`, proposed, rejected or superseded by N")
    if date is None:
        yield document.finding(1, "a decision needs a line `- Date: YYYY-MM-DD`")
    if len(document.lines) > LONGEST:
        yield document.finding(len(document.lines), f"{len(document.lines)} lines: a decision has at most {LONGEST}")
    if title and status and date:
        row = f"| {title[1]} | [{title[2]}]({name}) | {date} | {status} |"
        if row not in index.lines:
            yield document.finding(1, f"{INDEX} lacks the row: {row}")
