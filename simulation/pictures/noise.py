"""Fractal noise as cached tiles that repeat without seams."""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from simulation.pictures.colour import Pixels

Indices = NDArray[np.int64]
Waves = NDArray[np.complexfloating[Any, Any]]

TILE = 1024
_LOWEST = 2  # waves per tile: lower frequencies would look like uneven exposure
_BLURS = 2  # passes of a blur: after one, its grid shows


@lru_cache(maxsize=1)
def _frequencies() -> tuple[Pixels, Pixels, Pixels]:
    """Frequencies of the real Fourier transform in waves per tile: downwards, across, and their norm."""
    down = (np.fft.fftfreq(TILE)[:, None] * TILE).astype(np.float32)
    across = (np.fft.rfftfreq(TILE)[None, :] * TILE).astype(np.float32)
    return down, across, np.hypot(down, across)


def _white(rng: np.random.Generator) -> Waves:
    """The spectrum of white noise, in single precision, which takes half the time."""
    return np.fft.rfft2(rng.standard_normal((TILE, TILE), dtype=np.float32))


def band(rng: np.random.Generator, frequency: float) -> Pixels:
    """Seamless noise (TILE, TILE) of one octave around `frequency` waves per tile; mean 0, standard deviation 1."""
    radius = np.maximum(_frequencies()[2], 1e-6)
    window = np.exp(-((np.log2(radius / frequency) / 0.7) ** 2))
    noise = np.fft.irfft2(_white(rng) * window)
    scaled: Pixels = (noise / noise.std()).astype(np.float32)
    return scaled


@lru_cache(maxsize=12)
def fractal_tile(kind: int, roughness: float) -> Pixels:
    """Seamless fractal noise (TILE, TILE), mean 0.5, about 0 to 1; amplitude falls as frequency**-roughness."""
    rng = np.random.default_rng((kind, 77))
    radius = _frequencies()[2]
    spectrum = _white(rng) * np.maximum(radius, 1) ** -roughness
    spectrum[radius < _LOWEST] = 0
    noise = np.fft.irfft2(spectrum)
    scaled: Pixels = np.clip(0.5 + noise / noise.std() / 5, 0, 1).astype(np.float32)
    return scaled


@lru_cache(maxsize=2)
def wave_tile(kind: int) -> Pixels:
    """Seamless slopes of wind-driven water (2, TILE, TILE), across and towards the viewer; standard deviation 1.

    Power falls with the fourth power of frequency and with the angle to the wind (after Phillips, 1958).
    """
    rng = np.random.default_rng((kind, 23))
    down, across, radius = _frequencies()
    radius = np.maximum(radius, 1)
    to_wind = np.abs(0.45 * across + 0.89 * down) / radius
    height = np.exp(-((14 / radius) ** 2)) * radius**-1.85 * (0.12 + to_wind**2) * np.exp(-((radius / 330) ** 2))
    spectrum = _white(rng) * height
    slopes = np.stack([np.fft.irfft2(spectrum * 1j * across), np.fft.irfft2(spectrum * 1j * down)])
    scaled: Pixels = (slopes / slopes[1].std()).astype(np.float32)
    return scaled


def look_up(tile: Pixels, x: Pixels, y: Pixels) -> Pixels:
    """Sample the repeating tile at positions in texels, with bilinear interpolation."""
    left, top = np.floor(x), np.floor(y)
    right_share, bottom_share = (x - left).astype(np.float32), (y - top).astype(np.float32)
    # TILE is a power of two: a bitwise "and" takes a tenth of the time of a remainder
    column, row = left.astype(np.int64) & (TILE - 1), (top.astype(np.int64) & (TILE - 1)) * TILE
    next_column, next_row = (column + 1) & (TILE - 1), (row + TILE) & (TILE * TILE - 1)
    flat = tile.ravel()
    upper = mix_of(flat, row + column, row + next_column, right_share)
    lower = mix_of(flat, next_row + column, next_row + next_column, right_share)
    upper += (lower - upper) * bottom_share
    return upper


def mix_of(values: Pixels, first: Indices, second: Indices, share: Pixels) -> Pixels:
    """Linear interpolation between the flat `values` at the indices `first` and `second`."""
    start = values.take(first)
    start += (values.take(second) - start) * share
    return start


def ridge_line(rng: np.random.Generator, width: int, waves: float, octaves: int = 7, gain: float = 0.5) -> Pixels:
    """A fractal line (width,), about -1 to 1. Its lowest octave has `waves` waves across the picture."""
    x = np.linspace(0, 1, width, dtype=np.float32)
    line = np.zeros(width, dtype=np.float32)
    for octave in range(octaves):
        knots = rng.standard_normal(int(waves * 2**octave) + 4).astype(np.float32)
        line += gain**octave * _cubic(knots, x * (len(knots) - 3) + 1)
    return line / 2


def _cubic(knots: Pixels, at: Pixels) -> Pixels:
    """Catmull-Rom interpolation of evenly spaced knots."""
    first = np.clip(at.astype(np.int64), 1, len(knots) - 3)
    share = at - first.astype(np.float32)
    before, here, after, beyond = (knots[first + step] for step in (-1, 0, 1, 2))
    third = 3 * (here - after) + beyond - before
    second = 2 * before - 5 * here + 4 * after - beyond
    curve: Pixels = here + 0.5 * share * (after - before + share * (second + share * third))
    return curve


def enlarge(values: Pixels, height: int, width: int) -> Pixels:
    """Planes (h, w) or (3, h, w) resized to `height` x `width` with bilinear interpolation."""
    return _resize(values, (height, width), Image.Resampling.BILINEAR)


def shrink(values: Pixels, height: int, width: int) -> Pixels:
    """Planes (h, w) or (3, h, w) reduced to `height` x `width` by averaging."""
    return _resize(values, (height, width), Image.Resampling.BOX)


def blur(values: Pixels, radius: float) -> Pixels:
    """Planes (h, w) or (3, h, w) blurred by about `radius` pixels.

    Each pass only averages: no result is outside the range of the values. A sharper filter overshoots
    at edges, which shows as halos where a colour times its coverage is blurred.
    """
    height, width = values.shape[-2:]
    step = radius / math.sqrt(_BLURS)
    for _ in range(_BLURS):
        values = enlarge(shrink(values, max(1, round(height / step)), max(1, round(width / step))), height, width)
    return values


def grain_of(rng: np.random.Generator, tile: Pixels, height: int, width: int) -> Pixels:
    """A crop (height, width) of the repeating `tile` at a random offset."""
    rows, columns = np.arange(height) + rng.integers(TILE), np.arange(width) + rng.integers(TILE)
    return tile.take(rows % TILE, axis=0).take(columns % TILE, axis=1)


def _resize(values: Pixels, size: tuple[int, int], filter_: Image.Resampling) -> Pixels:
    planes = values.reshape(-1, *values.shape[-2:])
    result = np.empty((len(planes), *size), dtype=np.float32)
    for plane, target in zip(planes, result, strict=True):
        image = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
        target[:] = np.asarray(image.resize(size[::-1], filter_))
    return result.reshape(*values.shape[:-2], *size)
