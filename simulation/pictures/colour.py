"""Colours as light: scenes add and mix light, `develop` turns it into a picture.

A colour is written as the sRGB hex it shall have in the finished picture; `light` is the amount of light that the tone
curve of `develop` turns into it.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.floating[Any]]  # (height, width, 3) of light, or (height, width)

EXPOSURE = 1.6  # the tone curve is 1 - exp(-EXPOSURE * light): bright light fades to white as on film
_GAMMA = 2.2


@lru_cache(maxsize=512)
def light(colour: str) -> Pixels:
    """Light (3,) that shows as the sRGB `colour`, written #rrggbb."""
    channels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)], dtype=np.float32) / 255
    result = -np.log1p(-(np.minimum(channels, 0.985) ** _GAMMA)) / EXPOSURE
    return result.astype(np.float32)


def tone_curve(steps: int, brightest: float) -> NDArray[np.uint8]:
    """The 8-bit value of `steps` amounts of light from 0 to `brightest`."""
    amounts = np.linspace(0, brightest, steps)
    return np.round(255 * (1 - np.exp(-EXPOSURE * amounts)) ** (1 / _GAMMA)).astype(np.uint8)


def mix(first: Pixels, second: Pixels, share: Pixels | float) -> Pixels:
    """`first` blended into `second` by `share` of 0 to 1; a (height, width) share is used for all channels."""
    if isinstance(share, np.ndarray) and share.ndim == 2 and first.shape[-1:] == (3,):  # noqa: PLR2004
        share = share[..., None]
    mixed: Pixels = first + (second - first) * share
    return mixed


def smoothstep(low: float, high: float, values: Pixels) -> Pixels:
    """0 below `low`, 1 above `high`, smooth between."""
    share = np.clip((values - low) / (high - low), 0, 1)
    smooth: Pixels = share * share * (3 - 2 * share)
    return smooth
