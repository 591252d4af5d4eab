"""From light to a picture: bloom, vignette, grain, white balance and tone curve, as in a camera."""

import numpy as np
from PIL import Image

from simulation.pictures.colour import Pixels, tone_curve
from simulation.pictures.noise import TILE, blur, enlarge, shrink

_BRIGHTEST = 4.0
_STEPS = 4096
# Indexed by the square root of light, because the eye resolves smaller steps in the dark.
_CURVE = np.round(255 * tone_curve(np.linspace(0, 1, _STEPS) ** 2 * _BRIGHTEST)).astype(np.uint8)
_GRAIN = np.random.default_rng(5).normal(0, 0.028, (2 * TILE, 2 * TILE)).astype(np.float32)
_COARSE = 8


def develop(rng: np.random.Generator, scene: Pixels) -> Image.Image:
    """Turn the light in `scene` (3, height, width) into a picture. `scene` is modified."""
    _, height, width = scene.shape
    bright = np.clip(shrink(scene, height // _COARSE, width // _COARSE) - 0.75, 0, 3)
    scene += enlarge(0.12 * blur(bright, 4), height, width)
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    gain = 1 - np.float32(rng.uniform(0.1, 0.22)) * (rows**2 * 0.5 + columns**2 * 0.5) ** 1.5
    top, left = rng.integers(0, TILE // 2, 2)
    gain *= 1 + _grain(top, left, height, width)
    gain *= np.float32(np.exp(rng.normal(0, 0.05)) * _STEPS**2 / _BRIGHTEST)
    warmth = rng.normal(0, 0.03)
    picture = np.empty((height, width, 3), dtype=np.uint8)
    for channel, tint in enumerate((1 + warmth, 1.0, 1 - warmth)):
        plane = scene[channel]
        plane *= gain
        plane *= np.float32(tint)
        np.clip(plane, 0, (_STEPS - 1) ** 2, out=plane)
        np.sqrt(plane, out=plane)
        picture[..., channel] = _CURVE.take(plane.astype(np.int64))
    return Image.fromarray(picture)


def _grain(top: int, left: int, height: int, width: int) -> Pixels:
    """A part of the grain, which is repeated in a picture that is larger than it."""
    if top + height <= len(_GRAIN) and left + width <= len(_GRAIN):
        return _GRAIN[top : top + height, left : left + width]
    rows, columns = np.arange(top, top + height) % len(_GRAIN), np.arange(left, left + width) % len(_GRAIN)
    return _GRAIN.take(rows, axis=0).take(columns, axis=1)
