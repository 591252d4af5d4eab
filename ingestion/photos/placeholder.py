"""What a client shows until the photo itself has arrived: a blurhash and the dominant colour."""

import warnings
from dataclasses import dataclass

import blurhash
from PIL import Image

COMPONENTS = (4, 3)  # 28 characters
EDGE = 32  # a blurhash keeps four waves across; encoding more pixels takes seconds and changes nothing
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
        # blurhash calls Image.getdata, deprecated by Pillow; pyproject.toml pins Pillow until blurhash stops.
        warnings.simplefilter("ignore", DeprecationWarning)
        return str(blurhash.encode(small.copy(), *COMPONENTS))  # a copy: encode closes what it is given


def _dominant_colour(small: Image.Image) -> str:
    """The most frequent of five colours the picture is reduced to."""
    reduced = small.quantize(COLOURS)
    counts = reduced.histogram()[:COLOURS]
    first = 3 * counts.index(max(counts))
    palette = reduced.getpalette() or [0, 0, 0]
    red, green, blue = palette[first : first + 3]
    return f"#{red:02x}{green:02x}{blue:02x}"
