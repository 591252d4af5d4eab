"""Skylines: towers with lit windows above their reflection in a river."""

from dataclasses import dataclass

import numpy as np

from simulation.pictures.colour import Pixels, light, mix
from simulation.pictures.daylight import Daylight, daylight
from simulation.pictures.depiction import Depiction, depict
from simulation.pictures.sky import add_glow, add_moon, paint_sky
from simulation.pictures.water import paint_lake

_LAMPS = ("#ffd9a0", "#ffc070", "#fff0d0", "#cfe0ff", "#ffb060")
# share of windows with a lamp on
_LIT_SHARE = {"night": 0.42, "dusk": 0.34, "sunset": 0.16, "dawn": 0.1, "golden": 0.05}
_ROWS = 4
_MOON_SHARE, _CROWN_SHARE, _MAST_SHARE, _BANDS_SHARE = 0.4, 0.3, 0.6, 0.25


@dataclass(frozen=True, slots=True)
class Row:
    """One row of buildings: `near` is 0 (farthest) to 1, `lit` the share of windows with a lamp on."""

    near: float
    lit: float
    ground: int
    moment: Daylight


def paint(rng: np.random.Generator, height: int, width: int) -> Depiction:
    """Rows of buildings, pale in the distance, dark with lit windows nearby."""
    moment = daylight(rng, "dusk", "dusk", "night", "night", "sunset", "golden", "dawn")
    ground = round(height * rng.uniform(0.66, 0.8))
    scene = paint_sky(rng, (height, width), ground, moment, clouds=rng.uniform(0.1, 0.7))
    moon = False
    if moment.name in ("night", "dusk"):
        rows = np.arange(height, dtype=np.float32)[:, None]
        scene += light("#e08a4a") * (0.22 * np.exp(-(((rows - ground) / (0.25 * height)) ** 2)))
        moon = rng.random() < _MOON_SHARE
        if moon:
            add_moon(rng, scene, width * rng.uniform(0.15, 0.85), ground * rng.uniform(0.12, 0.3), width * 0.022)
    for number in range(_ROWS):
        near = number / (_ROWS - 1)
        _row(rng, scene, Row(near, _LIT_SHARE[moment.name] * (0.25 + 0.75 * near), ground, moment))
    paint_lake(rng, scene, ground, moment, calm=float(rng.uniform(0.0, 0.7)))
    return depict(scene, moment.name, "moon" if moon else "")


def _row(rng: np.random.Generator, scene: Pixels, row: Row) -> None:
    """Buildings across the picture, tallest around a random centre."""
    width = scene.shape[2]
    moment = row.moment
    centre, spread = rng.uniform(0.2, 0.8), rng.uniform(0.18, 0.4)
    tallest = row.ground * rng.uniform(0.45, 0.75) * (1 - 0.3 * row.near)
    air = mix(moment.haze, moment.horizon, 0.5)
    x = -rng.uniform(0, 0.04) * width
    while x < width:
        broad = width * rng.uniform(0.025, 0.075) * (0.7 + 0.6 * row.near)
        crowd = np.exp(-((((x + broad / 2) / width - centre) / spread) ** 2))
        top = int(row.ground - tallest * (0.22 + 0.78 * crowd) * rng.uniform(0.45, 1.0))
        wall = light("#2a3040") * rng.uniform(0.6, 1.5) * (moment.ambient * 1.1 + 0.02) + moment.sun * 0.02
        left, right = max(0, int(x)), min(width, int(x + broad))
        if right - left > 4 and top < row.ground - 4:  # noqa: PLR2004  skip buildings cut off by the edge
            _building(rng, scene, (left, right, top), mix(air, wall, 0.25 + 0.7 * row.near), row)
        x += broad * rng.uniform(0.75, 1.15)


def _building(rng: np.random.Generator, scene: Pixels, box: tuple[int, int, int], wall: Pixels, row: Row) -> None:
    """A tower: walls lit from the side of the sun, windows, sometimes a crown or a mast. `box` is left, right, top."""
    left, right, top = box
    face = scene[:, top : row.ground, left:right]
    columns = np.linspace(-1, 1, right - left, dtype=np.float32)
    side = 1 + 0.35 * columns * np.sign(row.moment.sun_x - (left + right) / 2 / scene.shape[2])
    low = np.linspace(0, 1, row.ground - top, dtype=np.float32)[:, None]
    face[:] = wall * (side * (1 - 0.15 * low)) + row.moment.horizon * (0.1 * (1 - row.near) + 0.1 * low**3)
    _windows(rng, face, row)
    if rng.random() < _CROWN_SHARE:
        step = max(2, (right - left) // 4)
        crown = max(0, top - int(rng.uniform(4, 22) * (1 + row.near)))
        scene[:, crown:top, left + step : right - step] = wall * 0.9
        if rng.random() < _MAST_SHARE:
            mast, middle = max(0, crown - int(rng.uniform(10, 60))), (left + right) // 2
            scene[:, mast:crown, middle : middle + 2] = wall * 0.7
            if row.moment.name in ("night", "dusk"):
                add_glow(scene, middle + 0.5, mast, 3.0, light("#ff4a3a") * 1.2)


def _windows(rng: np.random.Generator, face: Pixels, row: Row) -> None:
    """Paint floors of windows in place: dark glass that mirrors the sky, or a lamp behind it."""
    _, height, width = face.shape
    across, down = int(rng.integers(4, 8) + 3 * row.near), int(rng.integers(6, 10) + 4 * row.near)
    floors, bays = height // down, width // across
    if floors < 1 or bays < 1:
        return
    frame = np.zeros((down, across), dtype=np.float32)
    bands = rng.random() < _BANDS_SHARE
    frame[down // 3 :, slice(None) if bands else slice(1, max(2, across - 1))] = 0.35 + 0.6 * row.near
    busy = 0.35 + 1.3 * rng.random((floors, 1)) ** 2
    on = rng.random((floors, bays)) < row.lit * busy
    lamps = np.concatenate([light(lamp) for lamp in _LAMPS], axis=1)[:, rng.integers(0, len(_LAMPS), on.shape), 0]
    lamps = lamps * rng.uniform(0.25, 1.0, on.shape) ** 1.5 * (0.5 + 0.9 * row.near)
    glass = mix(row.moment.middle, row.moment.horizon, 0.5) * rng.uniform(0.12, 0.4)
    panes = np.repeat(np.repeat(np.where(on, lamps, glass), down, axis=1), across, axis=2)
    part = face[:, : floors * down, : bays * across]
    part += (panes - part) * np.tile(frame, (floors, bays))
