"""The words that docs/glossary.md replaces: the table under "Replaced words" is their only list."""

import re
from dataclasses import dataclass
from pathlib import Path

from tools.prose.documents import Document, Kind

GLOSSARY = "docs/glossary.md"
SECTION = "## Replaced words"
COLUMNS = ("instead of", "write", "allowed in")


class GlossaryError(Exception):
    """The table of replaced words cannot be read."""


@dataclass(frozen=True, slots=True)
class ReplacedWord:
    """A word or phrase that the documents do not use.

    Attributes:
        word: as the glossary lists it.
        write: what to write instead.
        allowed_in: phrases in which the word is correct.
    """

    word: str
    write: str
    allowed_in: tuple[str, ...] = ()

    def offsets(self, text: str) -> list[int]:
        """Where the word occurs in a text, outside the allowed phrases."""
        for phrase in self.allowed_in:
            text = _pattern(phrase).sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
        return [found.start() for found in _pattern(self.word).finditer(text)]


def read_replaced_words(root: Path) -> list[ReplacedWord]:
    """The rows of the glossary's table.

    Raises:
        GlossaryError: there is no such section, or its table has other columns.
    """
    document = Document.read(root, GLOSSARY)
    if SECTION not in document.lines:
        raise GlossaryError(f"{GLOSSARY} has no section {SECTION!r}")
    begin = document.lines.index(SECTION) + 1
    table = [
        tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
        for line, kind in zip(document.lines[begin:], document.kinds[begin:], strict=True)
        if kind is Kind.TABLE
    ]
    if not table or table[0] != COLUMNS:
        raise GlossaryError(f"{GLOSSARY}: the table under {SECTION!r} needs the columns {', '.join(COLUMNS)}")
    rows = table[2:]
    if any(len(row) != len(COLUMNS) for row in rows):
        raise GlossaryError(f"{GLOSSARY}: a row under {SECTION!r} does not have {len(COLUMNS)} cells")
    return [
        ReplacedWord(word, write, tuple(phrase.strip() for phrase in allowed.split(",") if phrase.strip()))
        for word, write, allowed in rows
    ]


def _pattern(phrase: str) -> re.Pattern[str]:
    """A phrase as whole words, in any case, also across the end of a line."""
    words = r"\s+".join(map(re.escape, phrase.split()))
    return re.compile(rf"(?<![\w-]){words}(?![\w-])", re.IGNORECASE)
