"""A Markdown document as the rules read it."""

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Self

_FENCE = re.compile(r"\s*(```|~~~)")
_CODE_SPAN = re.compile(r"(`+)(?:(?!\n\s*\n|`).)+\1", re.DOTALL)
_LINK_TARGET = re.compile(r"(?<=\]\()[^)\s]+")
_ADDRESS = re.compile(r"<?https?://[^\s)>]+>?")


class Kind(Enum):
    """What a line belongs to."""

    PROSE = "prose"
    TABLE = "table"
    CODE = "code"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One fault: file, line and what to do."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class Document:
    """A Markdown file.

    Attributes:
        root: the repository.
        path: of the file below `root`, with forward slashes.
        lines: of the file, without line ends.
        kinds: of each line.
    """

    root: Path
    path: str
    lines: tuple[str, ...]
    kinds: tuple[Kind, ...]

    @classmethod
    def read(cls, root: Path, path: str) -> Self:
        """The document at a path below `root`."""
        lines = tuple((root / path).read_text(encoding="utf-8").splitlines())
        return cls(root, path, lines, tuple(_kinds(lines)))

    @property
    def folder(self) -> Path:
        """The folder that relative links start from."""
        return (self.root / self.path).parent

    def text(self, *kinds: Kind) -> str:
        """The lines of some kinds, joined; all other lines are empty, so that line numbers stay."""
        return "\n".join(line if kind in kinds else "" for line, kind in zip(self.lines, self.kinds, strict=True))

    def words(self) -> str:
        """Prose and tables, with code spans, link targets and addresses blanked; offsets stay."""
        text = self.text(Kind.PROSE, Kind.TABLE).replace("\u2019", "'")
        for pattern in (_CODE_SPAN, _LINK_TARGET, _ADDRESS):
            text = pattern.sub(_blank, text)
        return text

    def code_spans(self) -> list[tuple[int, str]]:
        """Line and content of each code span in prose and tables."""
        text = self.text(Kind.PROSE, Kind.TABLE)
        return [(line_of(text, found.start()), found[0].strip("`")) for found in _CODE_SPAN.finditer(text)]

    def finding(self, line: int, message: str) -> Finding:
        """A fault of this document."""
        return Finding(self.path, line, message)


def line_of(text: str, offset: int) -> int:
    """The line number, from 1, at an offset of a text."""
    return text.count("\n", 0, offset) + 1


def _kinds(lines: tuple[str, ...]) -> list[Kind]:
    kinds, fence = [], ""
    for line in lines:
        found = _FENCE.match(line)
        if fence or found:
            kinds.append(Kind.CODE)
            if found and not fence:
                fence = found[1]
            elif found and found[1] == fence:
                fence = ""
        else:
            kinds.append(Kind.TABLE if line.lstrip().startswith("|") else Kind.PROSE)
    return kinds


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found[0])
