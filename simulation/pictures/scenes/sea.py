"""The open sea under a wide sky, sometimes with a sail or a headland."""

import numpy as np

from simulation.pictures.colour import Pixels, mix
from simulation.pictures.daylight import daylight
from simulation.pictures.noise import ridge_line
from simulation.pictures.sky import paint_sky
from simulation.pictures.trees import Shapes, paint_over
from simulation.pictures.water import paint_sea

_DEEP = ("#0e4a5c", "#123f66", "#1b5f6a", "#0d3550", "#2a6f72")


def paint(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Waves from the shore to the horizon."""
    moment = daylight(rng, "dawn", "day", "day", "golden", "golden", "sunset", "dusk")
    shore = round(height * rng.uniform(0.38, 0.58))
    scene = paint_sky(rng, height, width, shore, moment, clouds=rng.uniform(0.1, 0.9))
    if rng.random() < 0.5:  # noqa: PLR2004
        _headlands(rng, scene, shore, mix(moment.haze, moment.ambient * 0.3, 0.5))
    paint_sea(rng, scene, shore, moment, deep=str(rng.choice(_DEEP)), swell=float(rng.uniform(0.5, 1.15)))
    if rng.random() < 0.45:  # noqa: PLR2004
        _sail(rng, scene, shore, moment.ambient * 0.12, moment.cloud * 0.8)
    return scene


def _headlands(rng: np.random.Generator, scene: Pixels, shore: int, colour: Pixels) -> None:
    height, width = scene.shape[:2]
    x = np.linspace(0, 1, width)
    side = rng.random() < 0.5  # noqa: PLR2004
    for layer in range(int(rng.integers(1, 4))):
        shapes = Shapes(height, width)
        reach = rng.uniform(0.25, 0.6)
        fall = np.clip((reach - (x if side else 1 - x)) / reach, 0, 1) ** 0.7
        shapes.ground(shore - fall * height * 0.13 * (1 + 0.5 * ridge_line(rng, width, 3)))
        mask = shapes.mask()
        mask[shore:] = 0
        paint_over(scene, mask, colour * (1 - 0.25 * layer))


def _sail(rng: np.random.Generator, scene: Pixels, shore: int, hull: Pixels, cloth: Pixels) -> None:
    """A small sailing boat near the horizon."""
    height, width = scene.shape[:2]
    size = height * rng.uniform(0.03, 0.075)
    x, foot = width * rng.uniform(0.15, 0.85), shore + size * 0.22
    lean = size * rng.uniform(-0.12, 0.12)
    sails, boat = Shapes(height, width), Shapes(height, width)
    sails.polygon(np.array([[x, foot - size * 0.12], [x + lean, foot - size], [x + size * 0.42, foot - size * 0.14]]))
    sails.polygon(
        np.array(
            [[x - size * 0.05, foot - size * 0.12], [x + lean, foot - size * 0.9], [x - size * 0.3, foot - size * 0.12]]
        )
    )
    boat.polygon(
        np.array(
            [
                [x - size * 0.36, foot - size * 0.09],
                [x + size * 0.44, foot - size * 0.09],
                [x + size * 0.3, foot],
                [x - size * 0.26, foot],
            ]
        )
    )
    paint_over(scene, sails.mask(), cloth)
    paint_over(scene, boat.mask(), hull)
