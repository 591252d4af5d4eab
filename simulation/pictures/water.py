"""Water: seas seen from the shore, and lakes that mirror what is above them."""

import numpy as np

from simulation.pictures.colour import Pixels, light, mix, smoothstep
from simulation.pictures.daylight import Daylight
from simulation.pictures.noise import TILE, fractal_tile, look_up, wave_tile


_EYE = 150.0  # height of the eye above the sea in texels of the waves
_SUN_WIDTH = 0.075  # radians around the sun that still flash on a wave


def paint_sea(
    rng: np.random.Generator, scene: Pixels, shore: int, moment: Daylight, *, deep: str, swell: float
) -> None:
    """Paint open water over the rows of `scene` below `shore`, in place; `swell` is the steepness of its waves.

    Every pixel mirrors the sky in the direction its wave leans to, by Fresnel's law in Schlick's approximation, and
    shows the water's own colour `deep` for the rest; where the mirrored direction meets the sun it flashes.
    """
    height, width = scene.shape[:2]
    focal = 1.1 * width
    below = np.arange(1, height - shore + 1, dtype=np.float32)[:, None]
    x = np.arange(width, dtype=np.float32)[None, :] - width / 2
    down_angle = np.arctan(below / focal)
    tile = wave_tile(0)
    column = (x * (_EYE / below) + rng.uniform(0, TILE)).astype(np.int32) % TILE
    row = (_EYE * focal / below + rng.uniform(0, TILE)).astype(np.int32) % TILE
    slope = tile.reshape(-1, 2)[row * TILE + column] * (0.13 * swell)
    slope *= np.clip(below / (0.05 * height), 0.25, 1)[..., None]  # far waves are smaller than a pixel
    patches = look_up(fractal_tile(13, 1.6), x * (_EYE / below) * 0.12, _EYE * focal / below * 0.12 + 0 * x)
    lean = slope[..., 1] * (0.6 + 0.9 * patches)
    cosine = np.clip(np.sin(down_angle) + lean, 0.01, 1)
    mirrored = 0.03 + 0.97 * (1 - cosine) ** 5
    elevation = np.clip(down_angle + 2 * lean + 0.02, 0, 1.2)
    rows = np.clip(shore - 1 - focal * elevation * 0.8, 0, shore - 1).astype(np.intp)
    sky = scene[rows, np.arange(width)[None, :]]
    body = light(deep) * (0.25 + 1.1 * float(moment.ambient.mean())) * (1 + 1.6 * np.clip(lean, -0.3, 0.5))[..., None]
    water = mix(body, sky, mirrored)
    off_sun = x / focal + 2 * slope[..., 0] - (moment.sun_x - 0.5) * width / focal
    sun_elevation = max(0.0, moment.sun_height) * shore / focal
    apart = (elevation - sun_elevation) ** 2 + off_sun**2
    flash = np.exp(-apart / _SUN_WIDTH**2) * mirrored**0.5
    water += (moment.sun + moment.glow) * (2.4 * flash)[..., None]
    scene[shore:] = water


def paint_lake(rng: np.random.Generator, scene: Pixels, shore: int, moment: Daylight, *, calm: float) -> None:
    """Mirror what is above row `shore` in the rows below it, in place; `calm` is 0 (ripples) to 1 (glass)."""
    height, width = scene.shape[:2]
    below = np.arange(1, height - shore + 1, dtype=np.float32)[:, None]
    distance = height * 0.35 / below
    x = (np.arange(width, dtype=np.float32)[None, :] - width / 2) / width
    shift = rng.uniform(0, TILE, 4).astype(np.float32)
    wave = look_up(fractal_tile(12, 1.25), x * distance * 90 + shift[0], distance * 160 + shift[1]) - 0.5
    breeze = look_up(fractal_tile(13, 1.6), x * distance * 7 + shift[2], distance * 26 + shift[3])
    roughness = (1.25 - calm) * (0.25 + smoothstep(0.5, 0.75, breeze) * (1.4 - calm))
    rows = shore - 1 - below * 0.96 + wave * roughness * (14 + below * 0.16)
    columns = np.arange(width)[None, :] + wave * roughness * 5
    mirror = scene[np.clip(np.abs(rows), 0, shore - 1).astype(np.intp), np.clip(columns, 0, width - 1).astype(np.intp)]
    depth = below / (height - shore)
    tint = mix(light("#16323c"), moment.zenith, 0.3) * (0.5 + 0.5 * float(moment.ambient.mean()))
    water = mix(mirror * 0.93, np.broadcast_to(tint, mirror.shape), 0.08 + 0.4 * depth**1.3 + 0 * x)
    sheen = smoothstep(0.55, 0.8, breeze) * np.exp(-depth * 2.5) * (1 - 0.6 * calm)
    water = mix(water, moment.horizon * 0.9, sheen * 0.4)
    water *= (1 - 0.25 * np.exp(-below / 3))[..., None]  # the dark line where land and water meet
    scene[shore:] = water
