"""Fractal noise, made once as tiles that repeat without seams and then only looked up."""

from functools import lru_cache

import numpy as np
from PIL import Image

from simulation.pictures.colour import Pixels

TILE = 1024


def band(rng: np.random.Generator, frequency: float) -> Pixels:
    """Noise (TILE, TILE) of one octave around `frequency` waves a tile; mean 0, standard deviation 1; seamless."""
    down = np.fft.fftfreq(TILE)[:, None] * TILE
    across = np.fft.rfftfreq(TILE)[None, :] * TILE
    radius = np.maximum(np.hypot(down, across), 1e-6)
    window = np.exp(-((np.log2(radius / frequency) / 0.7) ** 2))
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((TILE, TILE))) * window)
    return (noise / noise.std()).astype(np.float32)


@lru_cache(maxsize=8)
def fractal_tile(kind: int, roughness: float) -> Pixels:
    """Fractal noise (TILE, TILE) with power falling as frequency**-roughness; mean 0.5, about 0 to 1; seamless."""
    rng = np.random.default_rng((kind, 77))
    down = np.fft.fftfreq(TILE)[:, None] * TILE
    across = np.fft.rfftfreq(TILE)[None, :] * TILE
    radius = np.hypot(down, across)
    radius[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((TILE, TILE))) * radius**-roughness
    spectrum[radius < 2] = 0  # noqa: PLR2004  one wave a tile would show as an uneven exposure
    noise = np.fft.irfft2(spectrum)
    return np.clip(0.5 + noise / noise.std() / 5, 0, 1).astype(np.float32)


@lru_cache(maxsize=2)
def wave_tile(kind: int) -> Pixels:
    """Slopes of wind-driven water (TILE, TILE, 2), across and towards the viewer; standard deviation 1; seamless.

    Power falls with the fourth power of frequency and with the angle to the wind (after Phillips, 1958).
    """
    rng = np.random.default_rng((kind, 23))
    down = np.fft.fftfreq(TILE)[:, None] * TILE
    across = np.fft.rfftfreq(TILE)[None, :] * TILE
    radius = np.maximum(np.hypot(down, across), 1)
    to_wind = np.abs(0.45 * across + 0.89 * down) / radius
    height = np.exp(-((14 / radius) ** 2)) * radius**-1.85 * (0.12 + to_wind**2) * np.exp(-((radius / 330) ** 2))
    spectrum = np.fft.rfft2(rng.standard_normal((TILE, TILE))) * height
    slopes = np.stack([np.fft.irfft2(spectrum * 1j * across), np.fft.irfft2(spectrum * 1j * down)], axis=-1)
    return (slopes / slopes[..., 1].std()).astype(np.float32)


def look_up(tile: Pixels, x: Pixels, y: Pixels) -> Pixels:
    """The tile at positions in texels, bilinear, repeating."""
    left, top = np.floor(x), np.floor(y)
    right_share, bottom_share = (x - left).astype(np.float32), (y - top).astype(np.float32)
    column, row = left.astype(np.int32) % TILE, top.astype(np.int32) % TILE
    next_column, next_row = (column + 1) % TILE, (row + 1) % TILE
    flat = tile.ravel()
    upper = flat[row * TILE + column] * (1 - right_share) + flat[row * TILE + next_column] * right_share
    lower = flat[next_row * TILE + column] * (1 - right_share) + flat[next_row * TILE + next_column] * right_share
    result: Pixels = upper * (1 - bottom_share) + lower * bottom_share
    return result


def ridge_line(rng: np.random.Generator, width: int, waves: float, octaves: int = 7, gain: float = 0.5) -> Pixels:
    """A fractal line (width,), about -1 to 1, with `waves` waves across the picture in its lowest octave."""
    x = np.linspace(0, 1, width, dtype=np.float32)
    line = np.zeros(width, dtype=np.float32)
    for octave in range(octaves):
        knots = rng.standard_normal(int(waves * 2**octave) + 4).astype(np.float32)
        at = x * (len(knots) - 3) + 1
        line += gain**octave * _cubic(knots, at)
    return (line / 2).astype(np.float32)


def _cubic(knots: Pixels, at: Pixels) -> Pixels:
    """Catmull-Rom through evenly spaced knots."""
    first = np.clip(at.astype(np.int32), 1, len(knots) - 3)
    share = at - first
    before, here, after, beyond = (knots[first + step] for step in (-1, 0, 1, 2))
    result: Pixels = here + 0.5 * share * (
        after
        - before
        + share * (2 * before - 5 * here + 4 * after - beyond + share * (3 * (here - after) + beyond - before))
    )
    return result


def enlarge(values: Pixels, height: int, width: int) -> Pixels:
    """`values` (h, w) or (h, w, 3) brought to `height` x `width`, smooth."""
    if values.ndim == 2:  # noqa: PLR2004
        return np.asarray(Image.fromarray(values.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR))
    return np.stack([enlarge(values[..., channel], height, width) for channel in range(3)], axis=-1)


def blur(values: Pixels, radius: float) -> Pixels:
    """`values` softened by about `radius` pixels, through a smaller copy."""
    height, width = values.shape[:2]
    small = max(1, round(height / radius)), max(1, round(width / radius))
    if values.ndim == 2:  # noqa: PLR2004
        shrunk = Image.fromarray(values.astype(np.float32)).resize(small[::-1], Image.Resampling.BOX)
        return np.asarray(shrunk.resize((width, height), Image.Resampling.BICUBIC))
    return np.stack([blur(values[..., channel], radius) for channel in range(3)], axis=-1)
