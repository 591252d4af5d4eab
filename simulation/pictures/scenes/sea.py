"""The open sea under a wide sky, sometimes with a boat or a headland."""

import numpy as np

from simulation.pictures.colour import Pixels, mix
from simulation.pictures.daylight import daylight
from simulation.pictures.depiction import Depiction, depict
from simulation.pictures.noise import ridge_line
from simulation.pictures.sky import paint_sky
from simulation.pictures.trees import Shapes, paint_over
from simulation.pictures.water import paint_sea

_DEEP = ("#0e4a5c", "#123f66", "#1b5f6a", "#0d3550", "#2a6f72")
_HEADLAND_SHARE = 0.5
_SAIL_SHARE = 0.45


def paint(rng: np.random.Generator, height: int, width: int) -> Depiction:
    """Waves from the shore to the horizon."""
    moment = daylight(rng, "dawn", "day", "day", "golden", "golden", "sunset", "dusk")
    shore = round(height * rng.uniform(0.38, 0.58))
    scene = paint_sky(rng, (height, width), shore, moment, clouds=rng.uniform(0.1, 0.9))
    headland, sail = rng.random() < _HEADLAND_SHARE, rng.random() < _SAIL_SHARE
    if headland:
        _headlands(rng, scene, shore, mix(moment.haze, moment.ambient * 0.3, 0.5))
    paint_sea(rng, scene, shore, moment, deep=str(rng.choice(_DEEP)), swell=float(rng.uniform(0.5, 1.15)))
    if sail:
        _sail(rng, scene, shore, moment.ambient * 0.12, moment.cloud * 0.8)
    return depict(scene, moment.name, "headland" if headland else "", "sail" if sail else "")


def _headlands(rng: np.random.Generator, scene: Pixels, shore: int, colour: Pixels) -> None:
    """Paint hills on one side that slope down to the sea, lower and darker towards the viewer, in place."""
    _, height, width = scene.shape
    x = np.linspace(0, 1, width)
    from_side = x if rng.random() < 0.5 else 1 - x  # noqa: PLR2004
    count = int(rng.integers(1, 4))
    for layer in range(count):
        shapes = Shapes(height, width)
        reach = rng.uniform(0.3, 0.75) * (1 - 0.25 * layer)
        fall = np.clip((reach - from_side) / reach, 0, 1) ** 0.7
        rise = 0.13 * (1 - 0.3 * layer) * (1 + 0.5 * ridge_line(rng, width, 3))
        shapes.ground(shore - fall * height * rise)
        mask = shapes.mask()
        mask[shore:] = 0
        paint_over(scene, mask, colour * (1 - 0.3 * layer))


def _sail(rng: np.random.Generator, scene: Pixels, shore: int, hull: Pixels, cloth: Pixels) -> None:
    """Paint a small sailing boat near the horizon, in place."""
    _, height, width = scene.shape
    size = height * rng.uniform(0.03, 0.075)
    lean = rng.uniform(-0.12, 0.12)
    position = np.array([width * rng.uniform(0.15, 0.85), shore + size * 0.22])
    sails, boat = Shapes(height, width), Shapes(height, width)
    sails.polygon(position + size * np.array([[0, -0.12], [lean, -1], [0.42, -0.14]]))
    sails.polygon(position + size * np.array([[-0.05, -0.12], [lean, -0.9], [-0.3, -0.12]]))
    boat.polygon(position + size * np.array([[-0.36, -0.09], [0.44, -0.09], [0.3, 0], [-0.26, 0]]))
    paint_over(scene, sails.mask(), cloth)
    paint_over(scene, boat.mask(), hull)
