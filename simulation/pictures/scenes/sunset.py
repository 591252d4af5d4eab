"""Sunsets behind hills or the sea, with silhouettes in front."""

import numpy as np

from simulation.pictures.colour import Pixels, mix
from simulation.pictures.daylight import daylight
from simulation.pictures.depiction import Depiction, depict
from simulation.pictures.ridges import Ranges, paint_ridges
from simulation.pictures.sky import paint_sky
from simulation.pictures.trees import Shapes, broadleaf, grass, paint_over
from simulation.pictures.water import paint_sea

_SEA_SHARE, _TREE_SHARE, _BIRDS_SHARE = 0.4, 0.55, 0.6


def paint(rng: np.random.Generator, height: int, width: int) -> Depiction:
    """A low sun, clouds lit from below, and silhouettes."""
    moment = daylight(rng, "sunset", "sunset", "sunset", "golden", "dusk")
    horizon = height * rng.uniform(0.55, 0.72)
    scene = paint_sky(rng, (height, width), horizon, moment, clouds=rng.uniform(0.35, 1.0))
    dark = moment.ambient * 0.03
    line: Pixels
    sea, tree, birds = (rng.random() < share for share in (_SEA_SHARE, _TREE_SHARE, _BIRDS_SHARE))
    if sea:
        paint_sea(rng, scene, round(horizon), moment, deep="#2a2238", swell=float(rng.uniform(0.4, 0.9)))
        line = np.linspace(rng.uniform(0.93, 1.01), rng.uniform(0.93, 1.01), width) * height
    else:
        far = mix(moment.haze, moment.horizon, 0.5)
        last = float(rng.uniform(0.86, 0.94))
        line = paint_ridges(rng, scene, Ranges(int(rng.integers(3, 7)), horizon / height - 0.03, last, far, dark * 2))
    shapes = Shapes(height, width)
    shapes.ground(line)
    if tree:
        x = width * rng.uniform(0.12, 0.88)
        broadleaf(rng, shapes, x, float(line[int(x)]) + 4, height * rng.uniform(0.22, 0.42))
    grass(rng, shapes, line, int(rng.integers(250, 900)), height * rng.uniform(0.02, 0.07))
    if birds:
        _birds(rng, shapes, width, horizon)
    paint_over(scene, shapes.mask(), dark)
    return depict(scene, moment.name, "sea" if sea else "hills", "tree" if tree else "", "birds" if birds else "")


def _birds(rng: np.random.Generator, shapes: Shapes, width: int, horizon: float) -> None:
    """Draw a loose flock of birds, each as two bent wings."""
    middle = np.array([width * rng.uniform(0.2, 0.8), horizon * rng.uniform(0.25, 0.7)])
    for _ in range(int(rng.integers(4, 14))):
        at = middle + rng.normal(0, 1, 2) * [width * 0.09, horizon * 0.06]
        span, flap = width * rng.uniform(0.006, 0.015), rng.uniform(-0.3, 0.7)
        tip, joint = -0.25 * flap, -0.45 * flap - 0.1
        wings = np.array([[-1, tip], [-0.45, joint], [0, 0], [0.45, joint], [1, tip]])
        shapes.line(at + wings * span, width * 0.0016)
