"""A chart of colours that are known, and the same light in other colour spaces.

The conversions are those of the standards, written apart from `ingestion/photos/colour.py`, which they test.
"""

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tools.photo_cases.manifest import Point

Space = Literal["P3", "PQ", "HLG", "linear", "gamma 1.8", "P3 linear"]
_Floats = NDArray[np.float64]

SIZE = (640, 480)
_PATCHES = (
    ((200, 30, 40), (30, 180, 60), (40, 60, 200), (128, 128, 128)),
    ((250, 250, 250), (230, 200, 40), (60, 60, 60), (180, 120, 90)),
)
# From linear light in BT.709: to Display P3 (CSS Color 4), and to BT.2020 (ITU-R BT.2087).
_TO_P3 = np.array([[0.8224620, 0.1775380, 0], [0.0331942, 0.9668058, 0], [0.0170827, 0.0723974, 0.9105199]])
_TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
_WHITE_NITS = 203


@lru_cache(maxsize=1)
def chart() -> Image.Image:
    """Eight areas of one colour each, 160 x 240 pixels, in sRGB."""
    return Image.fromarray(np.kron(np.array(_PATCHES, np.uint8), np.ones((240, 160, 1), np.uint8)))


def points() -> tuple[Point, ...]:
    """The middle of each area."""
    return tuple(
        Point(80 + 160 * column, 120 + 240 * row, colour)
        for row, colours in enumerate(_PATCHES)
        for column, colour in enumerate(colours)
    )


def samples_in(space: Space) -> _Floats:
    """The chart's samples in another space, 0 to 1, (rows, columns, 3)."""
    samples = np.asarray(chart()) / 255
    light: _Floats = np.where(samples <= 0.04045, samples / 12.92, ((samples + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004  sRGB
    match space:
        case "P3":
            return _encoded(light @ _TO_P3.T)
        case "P3 linear":
            return np.asarray(light @ _TO_P3.T)
        case "linear":
            return light
        case "gamma 1.8":
            return light ** (1 / 1.8)
        case "PQ":
            return _pq(light @ _TO_2020.T * _WHITE_NITS / 10_000)
        case "HLG":
            return _hlg(light @ _TO_2020.T * _WHITE_NITS / 1000)


def chart_in(space: Space) -> Image.Image:
    """The chart's samples in another space, as 8 bits."""
    return Image.fromarray((samples_in(space) * 255 + 0.5).astype(np.uint8))


def _encoded(light: _Floats) -> _Floats:
    encoded: _Floats = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)  # noqa: PLR2004
    return encoded


def _pq(light: _Floats) -> _Floats:
    power = light ** (2610 / 16384)
    samples: _Floats = ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)
    return samples


def _hlg(display: _Floats) -> _Floats:
    """Of the light of a display of 1000 nits (ITU-R BT.2100): the inverse system gamma, then the camera's curve."""
    luminance = display @ np.array([0.2627, 0.6780, 0.0593])
    scene = display * luminance[..., np.newaxis] ** ((1 - 1.2) / 1.2)
    logarithm = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    samples: _Floats = np.where(scene <= 1 / 12, np.sqrt(3 * scene), logarithm)
    return samples
