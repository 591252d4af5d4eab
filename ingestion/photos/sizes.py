"""The sizes in which photos are delivered."""

from dataclasses import dataclass, replace
from typing import Literal

from photofeed.photo_sizes import PHOTO_PIXELS, ZOOM_PIXELS

Fit = Literal["square", "width", "long_edge"]

# Screenshots of whole chats are 1:20. Beyond this ratio the height is limited instead of the width, because encoders
# have limits (WebP: 16,383 rows).
TALLEST = 4


@dataclass(frozen=True, slots=True)
class Size:
    """A delivered size: a number of pixels, and the edge that they limit. Small photos are not enlarged."""

    pixels: int
    fit: Fit

    def scale(self, width: int, height: int) -> float:
        """The factor by which a `width` x `height` picture is scaled for this size, at most 1."""
        edges: dict[Fit, float] = {
            "square": min(width, height),
            "width": max(width, height / TALLEST),
            "long_edge": max(width, height),
        }
        return min(1.0, self.pixels / edges[self.fit])


_THUMBNAIL, _DENSE_THUMBNAIL, _SMALL, _LARGE, _ = PHOTO_PIXELS
# For feeds; made before a photo is published.
FEED_SIZES = (
    Size(_THUMBNAIL, "square"),
    Size(_DENSE_THUMBNAIL, "square"),
    Size(_SMALL, "width"),
    Size(_LARGE, "width"),
)
# For zooming; made after a photo is published.
ZOOM_SIZES = (Size(ZOOM_PIXELS, "long_edge"),)


@dataclass(frozen=True, slots=True)
class Outputs:
    """The sizes that are made of a photo, and whether AVIF is among their formats."""

    sizes: tuple[Size, ...] = FEED_SIZES
    avif: bool = False


FEED_OUTPUTS = Outputs()
ZOOM_OUTPUTS = Outputs(ZOOM_SIZES)


def scaled(width: int, height: int, scale: float) -> tuple[int, int]:
    """`width` x `height` scaled by `scale`, no edge below one pixel."""
    return max(1, round(width * scale)), max(1, round(height * scale))


def enough_for(sizes: tuple[Size, ...], width: int, height: int) -> tuple[int, int]:
    """The smallest picture from which all of `sizes` can be made."""
    return scaled(width, height, max(size.scale(width, height) for size in sizes))


def with_free_sizes(outputs: Outputs, width: int, height: int) -> Outputs:
    """`outputs` with the zoom sizes, if these need no more pixels: true for small photos."""
    sizes = tuple(dict.fromkeys((*outputs.sizes, *ZOOM_SIZES)))
    is_free = enough_for(sizes, width, height) == enough_for(outputs.sizes, width, height)
    return replace(outputs, sizes=sizes) if is_free else outputs
