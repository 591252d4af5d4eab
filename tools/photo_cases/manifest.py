"""Cases: files with their expected outcome. A manifest is a table of them, tab-separated, with a header row.

Its columns are: file, status (one, or several joined by " or "), code, width, height, points ("x,y: r,g,b; ..." in
pixels of the delivered 640 size), largest colour difference at the points (CIEDE2000), reference (a file of the folder,
a program that `references.py` knows, or "the same" as in the row above), least SSIM to the reference, why.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.photo_cases.references import Reference, reference_of

_COLUMNS = 10
_THE_SAME = "the same"


class ManifestError(ValueError):
    """A manifest cannot be read; the message names its row."""


@dataclass(frozen=True, slots=True)
class Point:
    """A pixel of the delivered 640 size, and its colour in sRGB, 0 to 255."""

    x: int
    y: int
    colour: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Case:
    """A file and its expected outcome. What is None or empty is not compared.

    `width` and `height` are those of the upright photo. `says` are words of the sentence with which it is refused.
    """

    name: str
    read: Callable[[], bytes]
    statuses: frozenset[str] = frozenset({"ready"})
    code: str | None = None
    width: int | None = None
    height: int | None = None
    points: tuple[Point, ...] = ()
    most_delta_e: float | None = None
    reference: Reference | None = None
    least_ssim: float | None = None
    says: tuple[str, ...] = ()


def read_manifest(manifest: Path, folder: Path) -> list[Case]:
    """The cases of a manifest, whose files are in `folder`.

    Raises:
        ManifestError: a row is not valid.
        OSError: the manifest cannot be read.
    """
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    cases: list[Case] = []
    reference = ""
    for number, row in enumerate(rows, 2):
        if not any(row):
            continue
        try:
            fields = [field.strip() for field in (*row, *[""] * _COLUMNS)][:_COLUMNS]
            reference = reference if fields[7] == _THE_SAME else fields[7]
            cases.append(_case(folder, fields, reference))
        except ValueError as error:
            raise ManifestError(f"{manifest}, row {number}: {error}") from error
    return cases


def _case(folder: Path, fields: list[str], reference: str) -> Case:
    name, status, code, width, height, points, most_delta_e, _, least_ssim, _ = fields
    file = folder / name
    return Case(
        name,
        file.read_bytes,
        frozenset(status.split(" or ")),
        code or None,
        int(width) if width else None,
        int(height) if height else None,
        tuple(_point(text) for text in points.split(";") if text.strip()),
        float(most_delta_e) if most_delta_e else None,
        reference_of(reference, file) if reference else None,
        float(least_ssim) if least_ssim else None,
    )


def _point(text: str) -> Point:
    place, _, colour = text.partition(":")
    x, y = map(int, place.split(","))
    red, green, blue = map(int, colour.split(","))
    return Point(x, y, (red, green, blue))


def given(data: bytes) -> Callable[[], bytes]:
    """A file that is known."""
    return lambda: data
