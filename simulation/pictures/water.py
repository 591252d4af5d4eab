"""Water: seas with waves, and lakes that mirror the scene above them."""

import numpy as np

from simulation.pictures.colour import Pixels, light, mix, smoothstep
from simulation.pictures.daylight import Daylight
from simulation.pictures.noise import TILE, enlarge, fractal_tile, look_up, wave_tile

_EYE = 150.0  # height of the eye above the sea, in texels of the wave tile
_SUN_WIDTH = 0.075  # radians: width of the sun's reflection on a wave


def paint_sea(
    rng: np.random.Generator, scene: Pixels, shore: int, moment: Daylight, *, deep: str, swell: float
) -> None:
    """Paint open water over the rows of `scene` below `shore`, in place. `swell` is the steepness of the waves.

    Each pixel mixes the reflected sky, in the direction given by the slope of its wave, with the water's own colour
    `deep`. The share is Fresnel's law in Schlick's approximation. A reflection towards the sun adds a bright flash.
    """
    _, height, width = scene.shape
    focal = 1.1 * width
    below = np.arange(1, height - shore + 1, dtype=np.float32)[:, None]
    x = np.arange(width, dtype=np.float32)[None, :] - width / 2
    down_angle = np.arctan(below / focal)
    column = (x * (_EYE / below) + rng.uniform(0, TILE)).astype(np.int64) % TILE
    row = (_EYE * focal / below + rng.uniform(0, TILE)).astype(np.int64) % TILE
    at = row * TILE + column
    steepness = 0.13 * swell * np.clip(below / (0.05 * height), 0.25, 1)  # far waves are smaller than a pixel
    aside, lean = (plane.take(at) * steepness for plane in wave_tile(0))
    lean *= 0.6 + 0.9 * _gusts(x, below, focal)
    mirrored = 0.03 + 0.97 * (1 - np.clip(np.sin(down_angle) + lean, 0.01, 1)) ** 5
    elevation = np.clip(down_angle + 2 * lean + 0.02, 0, 1.2)
    rows = np.clip(shore - 1 - focal * elevation * 0.8, 0, shore - 1).astype(np.int64)
    columns = np.clip(x + width / 2 + aside * 220, 0, width - 1).astype(np.int64)
    seen = rows * width + columns
    body = light(deep) * (0.25 + 1.1 * float(moment.ambient.mean())) * (1 + 1.6 * np.clip(lean, -0.3, 0.5))
    off_sun = x / focal + 2 * aside - (moment.sun_x - 0.5) * width / focal
    sun_elevation = max(0.0, moment.sun_height) * shore / focal
    flash = np.exp(-((elevation - sun_elevation) ** 2 + off_sun**2) / _SUN_WIDTH**2) * mirrored**0.5
    shine = (moment.sun + moment.glow) * (2.4 if moment.name == "day" else 3.4)
    for channel in range(3):
        sky = scene[channel, :shore].take(seen)
        scene[channel, shore:] = mix(body[channel], sky, mirrored) + shine[channel] * flash


def _gusts(x: Pixels, below: Pixels, focal: float) -> Pixels:
    """Strength of the wind on the water, 0 to 1, in long streaks. It is smooth, so it is computed coarsely."""
    streaks = look_up(
        fractal_tile(13, 1.6), x[:, ::8] * (_EYE / below) * 0.12, _EYE * focal / below * 0.12 + 0 * x[:, ::8]
    )
    return enlarge(streaks, below.shape[0], x.shape[1])


def paint_lake(rng: np.random.Generator, scene: Pixels, shore: int, moment: Daylight, *, calm: float) -> None:
    """Mirror the rows above `shore` in the rows below it, in place. `calm` is 0 (ripples) to 1 (flat)."""
    _, height, width = scene.shape
    below = np.arange(1, height - shore + 1, dtype=np.float32)[:, None]
    distance = height * 0.35 / below
    x = (np.arange(width, dtype=np.float32)[None, :] - width / 2) / width
    shift = rng.uniform(0, TILE, 4).astype(np.float32)
    wave = look_up(fractal_tile(12, 1.25), x * distance * 90 + shift[0], distance * 160 + shift[1]) - 0.5
    coarse = x[:, ::8]
    breeze = look_up(fractal_tile(13, 1.6), coarse * distance * 7 + shift[2], distance * 26 + shift[3] + 0 * coarse)
    breeze = enlarge(breeze, height - shore, width)
    wave *= (1.25 - calm) * (0.25 + smoothstep(0.5, 0.75, breeze) * (1.4 - calm))
    rows = np.abs(shore - 1 - below * 0.96 + wave * (14 + below * 0.16))
    rows = np.clip(rows, 0, shore - 1).astype(np.int64)
    columns = np.clip(np.arange(width)[None, :] + wave * 5, 0, width - 1).astype(np.int64)
    seen = rows * width + columns
    depth = below / (height - shore)
    tint = mix(light("#16323c"), moment.zenith, 0.3) * (0.5 + 0.5 * float(moment.ambient.mean()))
    own = 0.08 + 0.4 * depth**1.3
    sheen = smoothstep(0.55, 0.8, breeze) * np.exp(-depth * 2.5) * (1 - 0.6 * calm) * 0.4
    edge = 1 - 0.25 * np.exp(-below / 3)  # the dark line where land and water meet
    for channel in range(3):
        mirror = scene[channel, :shore].take(seen) * 0.93
        scene[channel, shore:] = mix(mix(mirror, tint[channel], own), moment.horizon[channel] * 0.9, sheen) * edge
