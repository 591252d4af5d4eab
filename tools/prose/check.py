"""Which rule applies to which document."""

import sys
from collections.abc import Iterator
from pathlib import Path

from tools.prose import decisions, references, wording
from tools.prose.documents import Document, Finding
from tools.prose.glossary import GlossaryError, read_replaced_words

README, CHANGELOG = "README.md", "CHANGELOG.md"
README_LINES = 160
TOP = (README, "CONTRIBUTING.md", CHANGELOG, "SECURITY.md")
MORE = ("web/README.md", "photofeed/models/scorer/README.md", "photofeed/online_store/README.md")


def documents(root: Path) -> list[Document]:
    """The documents that are checked: those of TOP and MORE that there are, and all below docs/."""
    below = sorted(file.relative_to(root).as_posix() for file in (root / "docs").rglob("*.md"))
    named = [path for path in (*TOP, *MORE) if (root / path).exists()]
    return [Document.read(root, path) for path in (*named, *below)]


def check(root: Path) -> list[Finding]:
    """All faults of all documents, in order.

    Raises:
        GlossaryError: the table of replaced words cannot be read.
    """
    return sorted(finding for document in documents(root) for finding in _findings(document))


def _findings(document: Document) -> Iterator[Finding]:
    yield from wording.long_lines(document)
    yield from wording.replaced_words(document, read_replaced_words(document.root))
    yield from references.broken_links(document)
    yield from references.unknown_targets(document)
    if document.path == README:
        yield from wording.long_document(document, README_LINES)
    if document.path != CHANGELOG:  # which names files that are no longer there
        yield from references.missing_files(document)
        yield from references.stale_constants(document)
    if decisions.is_decision(document.path):
        yield from decisions.wrong_decision(document, Document.read(document.root, decisions.INDEX))


def main(root: Path) -> int:
    """Print the faults; the exit code is 1 if there are any, 2 if the glossary cannot be read."""
    try:
        findings = check(root)
    except GlossaryError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for finding in findings:
        sys.stdout.write(f"{finding}\n")
    return 1 if findings else 0
