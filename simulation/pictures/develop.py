"""From light to a picture: bloom, tone curve, vignette and grain, as a camera would leave them."""

import numpy as np
from PIL import Image

from simulation.pictures.colour import Pixels, tone_curve
from simulation.pictures.noise import TILE, blur

_STEPS = 4096
_BRIGHTEST = 4.0
_CURVE = tone_curve(_STEPS, _BRIGHTEST)
_GRAIN = np.random.default_rng(5).normal(0, 1, (TILE, TILE)).astype(np.float32)


def develop(rng: np.random.Generator, scene: Pixels, *, bloom: float = 0.12, grain: float = 1.0) -> Image.Image:
    """A picture of the light in `scene`, which is changed. `bloom` is the share of bright light that spreads."""
    height, width = scene.shape[:2]
    if bloom:
        scene += bloom * blur(np.clip(scene - 0.75, 0, 3), width / 28)
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    vignette = 1 - rng.uniform(0.1, 0.22) * (rows**2 * 0.5 + columns**2 * 0.5) ** 1.5
    warmth = np.float32(rng.normal(0, 0.03))
    scene *= (vignette * np.float32(np.exp(rng.normal(0, 0.05))))[..., None]
    scene *= np.array([1 + warmth, 1, 1 - warmth], dtype=np.float32)
    scene *= 1 + (0.028 * grain) * _grain(rng, height, width)[..., None]
    steps = np.clip(scene * (_STEPS / _BRIGHTEST), 0, _STEPS - 1).astype(np.uint16)
    return Image.fromarray(_CURVE[steps])


def _grain(rng: np.random.Generator, height: int, width: int) -> Pixels:
    top, left = rng.integers(0, TILE, 2)
    rows = np.arange(top, top + height) % TILE
    columns = np.arange(left, left + width) % TILE
    return _GRAIN[rows[:, None], columns[None, :]]
