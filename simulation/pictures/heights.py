"""Cached height maps: seamless tiles of mountains and dunes."""

from functools import lru_cache

import numpy as np

from simulation.pictures.colour import Pixels
from simulation.pictures.noise import TILE, band, fractal_tile

_LEE = 0.36  # share of a dune's length that lies behind its crest


@lru_cache(maxsize=4)
def mountain_tile(kind: int, peak: float) -> Pixels:
    """Height, slope to the right and slope downwards of a mountain range (3, TILE, TILE), in texels.

    A sum of octaves of ridged noise. Each octave is weaker on steep ground, like erosion, and stronger on high ground,
    so that valleys are smooth and summits are rough.
    """
    rng = np.random.default_rng((kind, 11))
    height = band(rng, 2.3) * 0.9
    frequency, amplitude = 4.6, 0.5
    for _ in range(8):
        across, down = slopes(height)
        steep = (across**2 + down**2) * (TILE / 40) ** 2
        above = (height - height.mean()) / height.std()
        ridges = 1 - np.sqrt(band(rng, frequency) ** 2 + 0.01)
        height = height + amplitude * ridges * np.clip(0.6 + 0.35 * above, 0.12, 1.6) / (1 + steep)
        frequency, amplitude = frequency * 2, amplitude * 0.5
    height -= np.percentile(height, 1)
    return _with_slopes(np.maximum(height, height * 0.2) / height.max() * peak)


@lru_cache(maxsize=2)
def dune_tile(kind: int, peak: float) -> Pixels:
    """Sand dunes with a gentle windward side and a steep lee side; the layout is that of `mountain_tile`."""
    rng = np.random.default_rng((kind, 13))
    columns = np.arange(TILE)[None, :] / TILE
    height = 0.9 * band(rng, 1.6)
    for waves, size, bend in ((5, 1.0, 0.8), (12, 0.22, 1.3)):
        phase = (columns + bend / waves * band(rng, 2.5) * 0.6) * waves % 1
        windward = 0.5 - 0.5 * np.cos(np.pi * phase / (1 - _LEE))
        lee = 1 - smooth_ramp((phase - 1 + _LEE) / _LEE)
        height = height + size * np.where(phase < 1 - _LEE, windward, lee) * np.clip(
            0.7 + 0.4 * band(rng, 3), 0.05, 1.6
        )
    height -= height.min()
    return _with_slopes(height / height.max() * peak)


def smooth_ramp(share: Pixels) -> Pixels:
    """0 to 1, linear at first and levelling out, like a slope of loose sand."""
    ramp: Pixels = 1 - (1 - np.clip(share, 0, 1)) ** 1.6
    return ramp


@lru_cache(maxsize=1)
def fine_relief() -> Pixels:
    """Slopes (2, TILE, TILE) of fine relief that is added to every height map."""
    return np.stack(slopes(fractal_tile(9, 1.1) * 14))


def slopes(height: Pixels) -> tuple[Pixels, Pixels]:
    """The slopes to the right and downwards at every texel."""
    across = (np.roll(height, -1, axis=1) - np.roll(height, 1, axis=1)) / 2
    down = (np.roll(height, -1, axis=0) - np.roll(height, 1, axis=0)) / 2
    return across, down


def _with_slopes(height: Pixels) -> Pixels:
    return np.stack([height, *slopes(height)]).astype(np.float32)
