"""Skies: gradient, sun, clouds in perspective, stars, moon and Milky Way."""

import math

import numpy as np

from simulation.pictures.colour import Pixels, light, mix, smoothstep
from simulation.pictures.daylight import Daylight
from simulation.pictures.noise import TILE, enlarge, fractal_tile, look_up

_COARSE = 4  # everything except stars is soft, so it is painted at a quarter of the size and enlarged


def paint_sky(
    rng: np.random.Generator, size: tuple[int, int], horizon: float, moment: Daylight, *, clouds: float
) -> Pixels:
    """A sky (3, height, width) with its horizon at row `horizon`. `clouds` is the cloud cover, 0 to 1."""
    height, width = size
    y, x = np.mgrid[0:height:_COARSE, 0:width:_COARSE].astype(np.float32)
    up = np.clip((horizon - y) / horizon, 0, 1)  # 0 at the horizon, 1 at the top
    sky = mix(moment.horizon, moment.middle, smoothstep(0, 0.5, up))
    sky = mix(sky, moment.zenith, smoothstep(0.3, 1.05, up))
    sun_y = horizon * (1 - moment.sun_height)
    distance = np.hypot(x - moment.sun_x * width, (y - sun_y) * 1.25) / width
    strength = 0.25 if moment.name in ("night", "dusk") else 1.0
    sky += moment.glow * (0.9 * strength * np.exp(-distance / 0.22))
    if clouds > 0:
        sky = _clouds(rng, sky, (x / width - 0.5, up, distance), moment, clouds)
    if moment.name not in ("night", "mist", "dusk"):
        disc = 0.03 if moment.name == "sunset" else 0.022
        sky += moment.sun * (4 * np.exp(-((distance / disc) ** 2)) + 0.5 * np.exp(-distance / 0.05))
    return enlarge(sky, height, width)


def _clouds(
    rng: np.random.Generator, sky: Pixels, coordinates: tuple[Pixels, Pixels, Pixels], moment: Daylight, cover: float
) -> Pixels:
    """Clouds on a flat ceiling in perspective, brighter towards the sun and at their edges.

    `coordinates` are x, height above the horizon and distance to the sun, of each pixel.
    """
    x, up, sun_distance = coordinates
    depth = 1 / (up + 0.16)
    stretch = rng.uniform(1.2, 2.6)
    scale = rng.uniform(70, 150)
    u = x * depth * scale * 1.5 + rng.uniform(0, TILE)
    v = depth * scale * stretch + rng.uniform(0, TILE)
    tile = fractal_tile(1, 1.55)
    density = look_up(tile, u, v)
    toward_sun = look_up(tile, u + (moment.sun_x - 0.5 - x) * depth * 12, v - 6 * stretch)
    low = 0.78 - 0.5 * cover
    amount = smoothstep(low, low + 0.3, density) * smoothstep(0.0, 0.12, up)
    relief = np.clip(0.55 + (density - toward_sun) * 3.2, 0, 1)
    shade = mix(moment.ambient * 0.9, moment.zenith + moment.middle, 0.4)
    lit = moment.cloud + moment.glow * (0.8 * np.exp(-sun_distance / 0.3))
    colour = mix(mix(sky, shade, 0.55), lit, relief * (1 - 0.45 * smoothstep(0.5, 1, amount)))
    return mix(sky, colour, amount * 0.92)


def add_stars(rng: np.random.Generator, sky: Pixels, horizon: float, count: int) -> None:
    """Add `count` stars above the row `horizon`, in place. The brightest get a glow."""
    _, height, width = sky.shape
    rows = np.minimum(rng.uniform(0, horizon, count), height - 2).astype(np.int64)
    columns = rng.integers(0, width - 1, count)
    brightness = 0.1 + 1.6 * rng.random(count) ** 9
    tints = np.concatenate([light("#ffd9b8"), light("#ffffff"), light("#c4d6ff")], axis=1)[
        :, rng.integers(0, 3, count), 0
    ]
    stars = (tints * brightness * np.clip((horizon - rows) / horizon * 2.5, 0, 1)).astype(np.float32)
    for channel in range(3):
        for down, right, share in ((0, 0, 0.7), (0, 1, 0.25), (1, 0, 0.25), (1, 1, 0.1)):
            np.add.at(sky[channel], (rows + down, columns + right), stars[channel] * share)
    for at in np.argsort(brightness)[-max(4, count // 80) :]:
        add_glow(sky, float(columns[at]), float(rows[at]), 2.6, stars[:, at, None, None] * 0.5)


def add_glow(pixels: Pixels, x: float, y: float, radius: float, colour: Pixels) -> None:
    """Add a round glow of `radius` pixels in place."""
    reach = int(radius * 3) + 1
    top, bottom = max(0, int(y) - reach), min(pixels.shape[1], int(y) + reach + 1)
    left, right = max(0, int(x) - reach), min(pixels.shape[2], int(x) + reach + 1)
    if top < bottom and left < right:
        rows = np.exp(-1.6 * ((np.arange(top, bottom) - y) / radius) ** 2)
        columns = np.exp(-1.6 * ((np.arange(left, right) - x) / radius) ** 2)
        pixels[:, top:bottom, left:right] += colour * np.outer(rows, columns).astype(np.float32)


def add_moon(rng: np.random.Generator, sky: Pixels, x: float, y: float, radius: float) -> None:
    """Add a moon with seas and halo, in place. The whole disc must be inside the picture."""
    add_glow(sky, x, y, radius * 5, light("#31497a") * 0.8)
    add_glow(sky, x, y, radius * 1.7, light("#7f8fb0") * 0.9)
    top, left, size = int(y - radius) - 1, int(x - radius) - 1, int(2 * radius) + 3
    rows, columns = np.mgrid[top : top + size, left : left + size].astype(np.float32)
    distance = np.hypot(columns - x, rows - y) / radius
    seas = look_up(fractal_tile(2, 1.7), (columns - x) / radius * 60 + rng.uniform(0, TILE), (rows - y) / radius * 60)
    phase = np.hypot(columns - x + radius * rng.uniform(-0.7, 0.7), rows - y) / radius
    face = light("#fff6e0") * (0.85 * np.clip(1.7 - seas * 1.5, 0.3, 1.1) * np.clip(1.3 - 0.7 * phase, 0.15, 1))
    region = sky[:, top : top + size, left : left + size]
    region += (face - region) * np.clip((1 - distance) * radius, 0, 1)


def add_milky_way(rng: np.random.Generator, sky: Pixels, horizon: float) -> None:
    """Add a slanted band of faint light with dark lanes and dense stars, in place."""
    _, height, width = sky.shape
    y, x = np.mgrid[0:height:_COARSE, 0:width:_COARSE].astype(np.float32) / width
    angle = rng.uniform(0.7, 1.25) * float(rng.choice([-1, 1]))
    cosine, sine = math.cos(angle), math.sin(angle)
    across = (x - rng.uniform(0.3, 0.7)) * sine - (y - 0.35 * horizon / width) * cosine
    along = (x - 0.5) * cosine + y * sine
    shift = rng.uniform(0, TILE, 2).astype(np.float32)
    cloudy = look_up(fractal_tile(1, 1.55), along * 420 + shift[0], across * 520 + shift[1])
    lanes = look_up(fractal_tile(4, 1.45), along * 360 + shift[1], across * 700 + shift[0])
    band = np.exp(-((across / 0.13) ** 2))
    core = np.exp(-((across / 0.055) ** 2) - ((along - rng.uniform(0.1, 0.5)) / 0.35) ** 2)
    dark = smoothstep(0.52, 0.72, lanes) * np.exp(-((across / 0.06) ** 2))
    fade = np.clip((horizon / width - y) * width / horizon * 3, 0, 1)
    shine = band * (0.2 + 1.2 * np.clip(cloudy - 0.3, 0, 1)) * (1 - 0.85 * dark) * fade
    colour = light("#5b6fa8") * shine + light("#b88a78") * (core * (1 - dark) * cloudy * fade * 0.9)
    sky += enlarge(colour * 0.85, height, width)
    density = enlarge(shine, height, width)
    speckle = rng.random((height, width), dtype=np.float32)
    sky += np.where(speckle < 0.06 * density, (speckle * 9973 % 1) ** 3 * 0.8, 0) * density
