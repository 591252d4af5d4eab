"""Line length, and words that the glossary replaces."""

import re
from collections.abc import Iterator, Sequence

from tools.prose.documents import Document, Finding, Kind, line_of
from tools.prose.glossary import GLOSSARY, SECTION, ReplacedWord

LONGEST_LINE = 100
_ADDRESS = re.compile(r"(?<=\]\()[^)\s]+|https?://\S+")


def long_lines(document: Document) -> Iterator[Finding]:
    """Lines of prose over LONGEST_LINE columns; addresses do not count."""
    for number, (line, kind) in enumerate(zip(document.lines, document.kinds, strict=True), 1):
        columns = len(_ADDRESS.sub("", line))
        if kind is Kind.PROSE and columns > LONGEST_LINE:
            yield document.finding(number, f"{columns} columns: break the line at {LONGEST_LINE}")


def long_document(document: Document, longest: int) -> Iterator[Finding]:
    """A document of more lines than `longest`."""
    if len(document.lines) > longest:
        yield document.finding(len(document.lines), f"{len(document.lines)} lines: at most {longest} are allowed")


def replaced_words(document: Document, words: Sequence[ReplacedWord]) -> Iterator[Finding]:
    """Words that the glossary replaces; the glossary's own table is not checked."""
    text = document.words()
    if document.path == GLOSSARY:
        text = text.partition(SECTION)[0]
    for word in words:
        for offset in word.offsets(text):
            yield document.finding(line_of(text, offset), f'"{word.word}": write {word.write}')
