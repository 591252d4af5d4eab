"""Skies: gradient, glow of the sun, clouds in perspective, stars, moon and Milky Way."""

import numpy as np

from simulation.pictures.colour import Pixels, light, mix, smoothstep
from simulation.pictures.daylight import Daylight
from simulation.pictures.noise import TILE, enlarge, fractal_tile, look_up

_COARSE = 4  # skies are soft: all but the stars is painted at a quarter of the width and enlarged


def paint_sky(
    rng: np.random.Generator, height: int, width: int, horizon: float, moment: Daylight, clouds: float
) -> Pixels:
    """A sky (height, width, 3) that meets the land at row `horizon`; `clouds` is the share covered, 0 to 1."""
    y, x = np.mgrid[0:height:_COARSE, 0:width:_COARSE].astype(np.float32)
    up = np.clip((horizon - y) / horizon, 0, 1)  # 0 at the horizon, 1 at the top
    sky = mix(moment.horizon + 0 * y[..., None], moment.middle, smoothstep(0, 0.5, up))
    sky = mix(sky, moment.zenith, smoothstep(0.3, 1.05, up))
    sun_y = horizon * (1 - moment.sun_height)
    distance = np.hypot(x - moment.sun_x * width, (y - sun_y) * 1.25) / width
    strength = 0.25 if moment.name in ("night", "dusk") else 1.0
    sky += (moment.glow * 0.9 * strength) * np.exp(-distance / 0.22)[..., None]
    if clouds > 0:
        sky = _clouds(rng, sky, x / width - 0.5, up, distance, moment, clouds)
    if moment.name not in ("night", "mist"):
        sky += moment.sun * (4 * np.exp(-((distance / 0.022) ** 2)) + 0.5 * np.exp(-distance / 0.05))[..., None]
    return enlarge(sky, height, width)


def _clouds(
    rng: np.random.Generator, sky: Pixels, x: Pixels, up: Pixels, sun_distance: Pixels, moment: Daylight, cover: float
) -> Pixels:
    """Clouds on a flat ceiling that recedes to the horizon, brighter towards the sun and at their edges."""
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
    lit = moment.cloud + moment.glow * (0.8 * np.exp(-sun_distance / 0.3))[..., None]
    colour = mix(mix(sky, shade, 0.55), lit, relief * (1 - 0.45 * smoothstep(0.5, 1, amount)))
    return mix(sky, colour, amount * 0.92)


def add_stars(rng: np.random.Generator, sky: Pixels, horizon: float, count: int) -> None:
    """Scatter `count` stars over the rows above `horizon`, a few of them bright enough to glow."""
    height, width = sky.shape[:2]
    rows = np.minimum(rng.uniform(0, horizon, count), height - 1).astype(np.int32)
    columns = rng.integers(0, width, count)
    brightness = (0.06 + 0.9 * rng.random(count) ** 7).astype(np.float32)
    tints = np.stack([light("#ffd9b8"), light("#ffffff"), light("#c4d6ff")])[rng.integers(0, 3, count)]
    fade = np.clip((horizon - rows) / horizon * 2.5, 0, 1)[:, None]
    np.add.at(sky, (rows, columns), tints * brightness[:, None] * fade)
    for at in np.argsort(brightness)[-max(4, count // 90) :]:
        add_glow(sky, int(columns[at]), int(rows[at]), 5.0, tints[at] * brightness[at] * fade[at])


def add_glow(pixels: Pixels, x: float, y: float, radius: float, colour: Pixels) -> None:
    """Add a round glow of `radius` pixels in place."""
    reach = int(radius * 3) + 1
    top, bottom = max(0, int(y) - reach), min(pixels.shape[0], int(y) + reach + 1)
    left, right = max(0, int(x) - reach), min(pixels.shape[1], int(x) + reach + 1)
    if top >= bottom or left >= right:
        return
    rows, columns = np.mgrid[top:bottom, left:right].astype(np.float32)
    squared = ((columns - x) ** 2 + (rows - y) ** 2) / radius**2
    pixels[top:bottom, left:right] += np.exp(-squared * 1.6)[..., None] * colour


def add_moon(rng: np.random.Generator, sky: Pixels, x: float, y: float, radius: float) -> None:
    """A moon with its seas and halo, in place; all of it must lie inside the picture."""
    add_glow(sky, x, y, radius * 5, light("#31497a") * 0.8)
    add_glow(sky, x, y, radius * 1.7, light("#7f8fb0") * 0.9)
    top, left = int(y - radius) - 1, int(x - radius) - 1
    size = int(2 * radius) + 3
    rows, columns = np.mgrid[top : top + size, left : left + size].astype(np.float32)
    distance = np.hypot(columns - x, rows - y) / radius
    seas = look_up(fractal_tile(2, 1.7), columns / radius * 60 + rng.uniform(0, TILE), rows / radius * 60)
    face = light("#fff6e0") * (1.15 * np.clip(1.35 - seas * 0.9, 0.35, 1.1))[..., None]
    phase = np.hypot(columns - x + radius * rng.uniform(-0.7, 0.7), rows - y) / radius
    face *= np.clip(1.3 - 0.7 * phase, 0.15, 1)[..., None]
    disc = np.clip((1 - distance) * radius, 0, 1)[..., None]
    region = sky[top : top + size, left : left + size]
    region += (face - region) * disc


def add_milky_way(rng: np.random.Generator, sky: Pixels, horizon: float) -> None:
    """A slanted band of faint light with dark lanes and its own dense stars, in place."""
    height, width = sky.shape[:2]
    y, x = np.mgrid[0:height:_COARSE, 0:width:_COARSE].astype(np.float32) / width
    angle = rng.uniform(0.7, 1.25) * rng.choice([-1, 1])
    across = (x - rng.uniform(0.3, 0.7)) * np.sin(angle) - (y - 0.35 * horizon / width) * np.cos(angle)
    along = (x - 0.5) * np.cos(angle) + y * np.sin(angle)
    shift = rng.uniform(0, TILE, 2)
    cloudy = look_up(fractal_tile(3, 1.5), along * 420 + shift[0], across * 520 + shift[1])
    lanes = look_up(fractal_tile(4, 1.45), along * 360 + shift[1], across * 700 + shift[0])
    band = np.exp(-((across / 0.13) ** 2))
    core = np.exp(-((across / 0.055) ** 2) - ((along - rng.uniform(0.1, 0.5)) / 0.35) ** 2)
    dark = smoothstep(0.52, 0.72, lanes) * np.exp(-((across / 0.06) ** 2))
    shine = band * (0.2 + 1.2 * np.clip(cloudy - 0.3, 0, 1)) * (1 - 0.85 * dark)
    colour = light("#5b6fa8") * shine[..., None] + light("#b88a78") * (core * (1 - dark) * cloudy * 0.9)[..., None]
    fade = np.clip((horizon / width - y) * width / horizon * 3, 0, 1)
    sky += enlarge(colour * fade[..., None] * 0.85, height, width)
    density = enlarge(shine * fade, height, width)
    speckle = rng.random((height, width), dtype=np.float32)
    sky += (np.where(speckle > 1 - 0.045 * np.clip(density, 0, 1), (speckle * 97 % 1) ** 3 * 0.5, 0) * density)[
        ..., None
    ]
