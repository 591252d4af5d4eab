"""What a client shows until the photo is loaded: a blurhash and the dominant colour."""

import warnings
from dataclasses import dataclass

import blurhash
from PIL import Image

COMPONENTS = (4, 3)  # 28 characters
EDGE = 32  # a blurhash keeps four frequencies; encoding more pixels takes seconds and changes nothing
COLOURS = 5


@dataclass(frozen=True, slots=True)
class Placeholder:
    """`blurhash` of 28 characters and `dominant_colour` as #rrggbb."""

    blurhash: str
    dominant_colour: str


def make_placeholder(image: Image.Image) -> Placeholder:
    """Summarise an RGB picture of any size."""
    small = image.resize((EDGE, EDGE), Image.Resampling.BOX)
    return Placeholder(blurhash=_blurhash(small), dominant_colour=_dominant_colour(small))


def _blurhash(small: Image.Image) -> str:
    with warnings.catch_warnings():
        # blurhash calls Image.getdata, which Pillow deprecates. pyproject.toml limits Pillow's version until it stops.
        warnings.simplefilter("ignore", DeprecationWarning)
        return str(blurhash.encode(small.copy(), *COMPONENTS))  # a copy, because encode closes its argument


def _dominant_colour(small: Image.Image) -> str:
    """The most frequent of the five colours to which the picture is reduced."""
    reduced = small.quantize(COLOURS)
    counts = reduced.histogram()[:COLOURS]
    first = 3 * counts.index(max(counts))
    palette = reduced.getpalette() or [0, 0, 0]
    red, green, blue = palette[first : first + 3]
    return f"#{red:02x}{green:02x}{blue:02x}"
