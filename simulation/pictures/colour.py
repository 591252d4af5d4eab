"""Colours in linear light: scenes add and mix light, `develop` turns it into a picture.

Pixels are planes (3, height, width) and colours are (3, 1, 1), so that a (height, width) weight multiplies either.
Colours in the code are the sRGB values of the finished picture; `light` inverts the tone curve of `develop`.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.floating[Any]]

EXPOSURE = 1.6  # the tone curve is 1 - exp(-EXPOSURE * light), which saturates softly as film does
_GAMMA = 2.2


@lru_cache(maxsize=512)
def light(colour: str) -> Pixels:
    """The light (3, 1, 1) that the tone curve maps to the sRGB `colour`, given as #rrggbb."""
    channels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    result = -np.log1p(-(np.minimum(channels, 0.985) ** _GAMMA)) / EXPOSURE
    return result.astype(np.float32).reshape(3, 1, 1)


def tone_curve(amount: Pixels) -> Pixels:
    """Map an amount of light to a share of full brightness, 0 to 1."""
    result: Pixels = (1 - np.exp(-EXPOSURE * amount)) ** (1 / _GAMMA)
    return result


def mix(first: Pixels, second: Pixels, share: Pixels | float) -> Pixels:
    """`first` blended into `second` by `share`, 0 to 1."""
    mixed = second - first
    mixed = mixed * share
    mixed += first
    return mixed


def smoothstep(low: float, high: float, values: Pixels) -> Pixels:
    """0 below `low`, 1 above `high`, cubic in between."""
    share = np.clip((values - low) / (high - low), 0, 1)
    smooth: Pixels = share * share * (3 - 2 * share)
    return smooth
