"""The sizes photos are delivered in, declared once."""

from dataclasses import dataclass, replace
from typing import Literal

from photofeed.photo_sizes import PHOTO_PIXELS, ZOOM_PIXELS

Fit = Literal["square", "width", "long_edge"]

# Screenshots of whole chats are 1:20; past this ratio the height decides, so that no encoder's limit (WebP has
# 16,383 rows) and no screen is exceeded.
TALLEST = 4


@dataclass(frozen=True, slots=True)
class Size:
    """A delivered size: `pixels` across, and what is fitted to it. Small photos are never enlarged."""

    pixels: int
    fit: Fit

    def scale(self, width: int, height: int) -> float:
        """How much a `width` x `height` picture shrinks for this size, at most 1."""
        edges: dict[Fit, float] = {
            "square": min(width, height),
            "width": max(width, height / TALLEST),
            "long_edge": max(width, height),
        }
        return min(1.0, self.pixels / edges[self.fit])


_THUMBNAIL, _SMALL, _LARGE, _ = PHOTO_PIXELS
# What a feed needs, made before a photo is published.
FEED_SIZES = (Size(_THUMBNAIL, "square"), Size(_SMALL, "width"), Size(_LARGE, "width"))
# What only zooming needs: asked for apart from the feed's, later.
ZOOM_SIZES = (Size(ZOOM_PIXELS, "long_edge"),)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is made of a photo: in which sizes, and whether AVIF is among the formats of the sizes that have it."""

    sizes: tuple[Size, ...] = FEED_SIZES
    avif: bool = False


FEED_OUTPUTS = Outputs()
ZOOM_OUTPUTS = Outputs(ZOOM_SIZES)


def scaled(width: int, height: int, scale: float) -> tuple[int, int]:
    """`width` x `height` shrunk by `scale`, no edge below one pixel."""
    return max(1, round(width * scale)), max(1, round(height * scale))


def enough_for(sizes: tuple[Size, ...], width: int, height: int) -> tuple[int, int]:
    """The smallest picture all of `sizes` can be made from."""
    return scaled(width, height, max(size.scale(width, height) for size in sizes))


def with_free_sizes(outputs: Outputs, width: int, height: int) -> Outputs:
    """`outputs`, and the zoom sizes too where they need no more pixels: small photos have nothing to zoom into."""
    sizes = tuple(dict.fromkeys((*outputs.sizes, *ZOOM_SIZES)))
    is_free = enough_for(sizes, width, height) == enough_for(outputs.sizes, width, height)
    return replace(outputs, sizes=sizes) if is_free else outputs
