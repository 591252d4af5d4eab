"""Skylines: towers with lit windows, by a river or behind other roofs."""

import numpy as np

from simulation.pictures.colour import Pixels, light, mix
from simulation.pictures.daylight import Daylight, daylight
from simulation.pictures.sky import add_glow, add_moon, paint_sky
from simulation.pictures.water import paint_lake

_LAMPS = ("#ffd9a0", "#ffc070", "#fff0d0", "#cfe0ff", "#ffb060")


def paint(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Rows of buildings, far ones pale, near ones dark and lit."""
    moment = daylight(rng, "dusk", "dusk", "night", "night", "sunset", "golden", "dawn")
    ground = height * rng.uniform(0.66, 0.8)
    scene = paint_sky(rng, height, width, ground, moment, clouds=rng.uniform(0.1, 0.7))
    if moment.name in ("night", "dusk"):
        scene += (
            light("#e08a4a") * (0.22 * np.exp(-(((np.arange(height) - ground) / (0.25 * height)) ** 2)))[:, None, None]
        )
        if rng.random() < 0.4:  # noqa: PLR2004
            add_moon(rng, scene, width * rng.uniform(0.15, 0.85), ground * rng.uniform(0.15, 0.4), width * 0.022)
    lit = {"night": 0.42, "dusk": 0.34, "sunset": 0.16, "dawn": 0.1, "golden": 0.05}[moment.name]
    rows = 4
    for row in range(rows):
        share = row / (rows - 1)
        _row(rng, scene, ground, moment, share, lit * (0.25 + 0.75 * share))
    shore = round(ground)
    paint_lake(rng, scene, shore, moment, calm=float(rng.uniform(0.0, 0.7)))
    return scene


def _row(rng: np.random.Generator, scene: Pixels, ground: float, moment: Daylight, share: float, lit: float) -> None:
    """One row of buildings across the picture, tallest around a centre of its own."""
    height, width = scene.shape[:2]
    centre, spread = rng.uniform(0.2, 0.8), rng.uniform(0.18, 0.4)
    tallest = ground * rng.uniform(0.45, 0.75) * (1 - 0.3 * share)
    air = mix(moment.haze, moment.horizon, 0.5)
    x = -rng.uniform(0, 0.04) * width
    while x < width:
        broad = width * rng.uniform(0.025, 0.075) * (0.7 + 0.6 * share)
        middle = (x + broad / 2) / width
        tall = tallest * (0.22 + 0.78 * np.exp(-(((middle - centre) / spread) ** 2))) * rng.uniform(0.45, 1.0)
        wall = light("#2a3040") * rng.uniform(0.6, 1.5) * (moment.ambient * 1.1 + 0.02) + moment.sun * 0.02
        _building(
            rng,
            scene,
            (int(x), int(x + broad)),
            int(ground - tall),
            int(ground),
            mix(air, wall, 0.25 + 0.7 * share),
            moment,
            share,
            lit,
        )
        x += broad * rng.uniform(0.75, 1.15)


def _building(
    rng: np.random.Generator,
    scene: Pixels,
    across: tuple[int, int],
    top: int,
    ground: int,
    wall: Pixels,
    moment: Daylight,
    share: float,
    lit: float,
) -> None:
    """A tower: walls lit from the side of the sun, floors of windows, now and then a crown or a mast."""
    width = scene.shape[1]
    left, right = max(0, across[0]), min(width, across[1])
    if right - left < 4 or top >= ground - 4:  # noqa: PLR2004
        return
    face = scene[top:ground, left:right]
    columns = np.linspace(-1, 1, right - left, dtype=np.float32)
    side = 1 + 0.35 * columns * np.sign(moment.sun_x - (left + right) / 2 / width)
    low = np.linspace(0, 1, ground - top, dtype=np.float32)[:, None]
    face[:] = (
        wall * side[None, :, None] * (1 - 0.15 * low)[..., None]
        + moment.horizon * (0.1 * (1 - share) + 0.1 * low**3)[..., None]
    )
    _windows(rng, face, moment, share, lit)
    if rng.random() < 0.3:  # noqa: PLR2004
        step = max(2, (right - left) // 4)
        crown = max(0, top - int(rng.uniform(4, 22) * (1 + share)))
        scene[crown:top, left + step : right - step] = wall * 0.9
        if rng.random() < 0.6:  # noqa: PLR2004
            mast, middle = max(0, crown - int(rng.uniform(10, 60))), (left + right) // 2
            scene[mast:crown, middle : middle + 2] = wall * 0.7
            if moment.name in ("night", "dusk"):
                add_glow(scene, middle + 0.5, mast, 3.0, light("#ff4a3a") * 1.2)


def _windows(rng: np.random.Generator, face: Pixels, moment: Daylight, share: float, lit: float) -> None:
    """Floors of windows: dark glass that mirrors the sky, or a lamp behind it."""
    height, width = face.shape[:2]
    across, down = int(rng.integers(4, 8) + 3 * share), int(rng.integers(6, 10) + 4 * share)
    cells_across, cells_down = width // across, height // down
    if cells_across < 1 or cells_down < 1:
        return
    frame = np.zeros((down, across), dtype=np.float32)
    frame[down // 3 :, 1 : max(2, across - 1)] = 1
    if rng.random() < 0.25:  # noqa: PLR2004  a front of glass bands instead of single windows
        frame[down // 3 :, :] = 1
    floors = rng.random((cells_down, 1)) ** 2
    on = rng.random((cells_down, cells_across)) < lit * (0.35 + 1.3 * floors)
    warm = np.stack([light(lamp) for lamp in _LAMPS])[rng.integers(0, len(_LAMPS), on.shape)]
    brightness = (rng.uniform(0.25, 1.0, on.shape) ** 1.5)[..., None]
    glass = mix(moment.middle, moment.horizon, 0.5) * rng.uniform(0.12, 0.4)
    panes = np.where(on[..., None], warm * brightness * (0.5 + 0.9 * share), glass)
    tiled = np.repeat(np.repeat(panes, down, axis=0), across, axis=1)
    mask = np.tile(frame, (cells_down, cells_across))[..., None] * (0.35 + 0.6 * share)
    part = face[: cells_down * down, : cells_across * across]
    part += (tiled - part) * mask
