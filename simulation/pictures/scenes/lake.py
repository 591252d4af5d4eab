"""A lake that mirrors the mountains around it."""

import numpy as np

from simulation.pictures.colour import Pixels, light
from simulation.pictures.composition import View, compose
from simulation.pictures.daylight import daylight
from simulation.pictures.depiction import Depiction, depict
from simulation.pictures.heights import mountain_tile
from simulation.pictures.noise import ridge_line
from simulation.pictures.scenes.mountains import KINDS, PEAK, ground_colour, lit_ground
from simulation.pictures.sky import paint_sky
from simulation.pictures.terrain import hazy, look, spread
from simulation.pictures.trees import Shapes, conifer, paint_over
from simulation.pictures.water import paint_lake

_MIRROR = 0.65  # calmer water shows a whole reflection
_VIEW = View(skyline=(0.2, 0.34), focal=1.5, near=200, far=1700, clear_from=0.64, above=0.1)


def paint(rng: np.random.Generator, height: int, width: int) -> Depiction:
    """Mountains above their reflection, with trees on the far shore."""
    moment = daylight(rng, "dawn", "day", "golden", "golden", "sunset", "mist")
    tile = mountain_tile(int(rng.integers(KINDS)), PEAK)
    camera = compose(rng, tile, (height, width), _VIEW)
    samples = look(tile, camera, width)
    scene = paint_sky(rng, (height, width), camera.horizon, moment, clouds=rng.uniform(0.2, 0.8))
    ground = ground_colour(rng, samples, snow_line=float(rng.uniform(0.4, 0.7)))
    lit = lit_ground(rng, ground, samples, moment, camera.direction)
    spread(
        rng,
        samples,
        hazy(lit, samples, moment, clear=float(rng.uniform(900, 1800)), mist=1.0, peak=PEAK),
        scene,
        texture=0.5,
    )
    shore = round(height * rng.uniform(0.5, 0.62))
    _far_shore(rng, scene, shore, light("#12201c") * (0.6 + moment.ambient))
    calm = float(rng.uniform(0.3, 1))
    paint_lake(rng, scene, shore, moment, calm=calm)
    return depict(scene, moment.name, "mirror" if calm > _MIRROR else "ripples")


def _far_shore(rng: np.random.Generator, scene: Pixels, shore: int, colour: Pixels) -> None:
    """Paint a wooded shore that rises towards one side or both, in place."""
    _, height, width = scene.shape
    shapes = Shapes(height, width)
    x = np.linspace(0, 1, width)
    slope = np.abs(x - rng.uniform(0.3, 0.7)) * rng.uniform(0.05, 0.16) + ridge_line(rng, width, 3) * 0.012
    line = shore - np.maximum(slope, 0.002) * height
    shapes.ground(line)
    for column in rng.integers(0, width, 260):
        rise = float(shore - line[column])
        size = height * rng.uniform(0.018, 0.04) * (0.5 + min(1.0, rise / (0.05 * height)))
        conifer(rng, shapes, float(column), float(line[column]) + rng.uniform(0, 1) * rise, size)
    mask = shapes.mask()
    mask[shore:] = 0
    paint_over(scene, mask, colour)
