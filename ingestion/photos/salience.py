"""Where to crop a square from a picture, so that its subject stays in it.

Three signs of a subject are added per pixel: a colour unlike the rest of the picture (Achanta et al., "Frequency-tuned
salient region detection", 2009), detail, and colours of skin. A picture without a subject is cropped from its middle.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.float32]

# The picture is examined at a short edge between this and twice this: a subject is larger than one of its pixels.
SHORT_EDGE = 40
# What a window loses per pixel where it is farthest from the middle: photographers centre their subjects, and weak
# signs are noise or shading.
CENTRE_PREFERENCE = 0.06

# Each sign is from 0 to 1. Wood and sand have colours of skin too, so skin only decides between similar parts.
_DETAIL_WEIGHT = 0.5
_SKIN_WEIGHT = 0.3
# Of windows whose scores differ by less than this share, the one nearest to the middle is taken.
_AS_GOOD = 0.005
# Direction of skin colours in RGB (unit length); people differ in lightness far more than in this direction.
_SKIN = np.array([0.78, 0.50, 0.37], np.float32) / np.float32(np.linalg.norm([0.78, 0.50, 0.37]))
_SKIN_ALIGNMENT = 0.985  # cosine from which on a colour counts as one of skin
_DARKEST_SKIN = 0.15
_FAINTEST = 0.15  # of full brightness: what differs less is not a sign


def square_focus(image: Image.Image) -> float:
    """Where along the long edge of `image` (RGB) a square of its short edge is cropped: 0 at its start, 1 at its end.

    0.5 for pictures too small to be examined.
    """
    if min(image.size) < SHORT_EDGE:
        return 0.5
    factor = max(1, min(image.size) // SHORT_EDGE)
    small = image.reduce(factor)
    pixels = np.asarray(small, np.float32) / np.float32(255)
    if small.height > small.width:
        pixels = pixels.transpose(1, 0, 2)
    edge, long_edge = pixels.shape[:2]
    places = long_edge - edge + 1
    if places <= 1:
        return 0.5
    by_column = _subject(pixels).mean(axis=0)
    scores = np.convolve(by_column, _window(edge), mode="valid")
    from_middle = np.abs(np.linspace(-1, 1, places, dtype=np.float32))
    scores -= CENTRE_PREFERENCE * from_middle * _window(edge).sum()
    best = np.flatnonzero(scores >= scores.max() - _AS_GOOD * abs(scores.max()))
    nearest = best[np.argmin(from_middle[best])]
    return float(nearest / (places - 1))


def _subject(pixels: NDArray[np.float32]) -> Plane:
    """How much each pixel looks like a part of a subject."""
    length = np.sqrt((pixels * pixels).sum(axis=2)) + np.float32(1e-6)
    alignment = (pixels @ _SKIN) / length
    is_skin = (alignment > _SKIN_ALIGNMENT) & (pixels.max(axis=2) > _DARKEST_SKIN)
    unlike = np.sqrt(((pixels - pixels.mean(axis=(0, 1))) ** 2).sum(axis=2))
    subject: Plane = (
        _relative(unlike) + _DETAIL_WEIGHT * _relative(_detail(pixels.mean(axis=2))) + _SKIN_WEIGHT * is_skin
    )
    return subject


def _detail(luminance: Plane) -> Plane:
    """Differences from the four neighbours."""
    padded = np.pad(luminance, 1, mode="edge")
    neighbours = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    detail: Plane = np.abs(4 * luminance - neighbours)
    return detail


def _relative(sign: Plane) -> Plane:
    """A sign from 0 to 1; the strongest pixel in a hundred has 1. Noise and shading stay near 0."""
    share: Plane = np.minimum(sign / max(float(np.quantile(sign, 0.99)), _FAINTEST), 1)
    return share * share


def _window(edge: int) -> Plane:
    """Weights of a window's columns: what is near its middle counts most."""
    across = np.linspace(-1, 1, edge, dtype=np.float32)
    return 1 - np.float32(0.5) * across * across
