"""Dunes in low light."""

import numpy as np

from simulation.pictures.colour import light, mix
from simulation.pictures.composition import View, compose
from simulation.pictures.daylight import daylight
from simulation.pictures.depiction import Depiction, depict
from simulation.pictures.heights import dune_tile
from simulation.pictures.noise import fractal_tile, look_up
from simulation.pictures.sky import paint_sky
from simulation.pictures.terrain import hazy, look, spread

_PEAK = 62.0
_SAND = ("#d99a5b", "#c98a55", "#e0b075", "#b8754b", "#e3c08e")
_VIEW = View(skyline=(0.3, 0.48), focal=1.2, near=55, far=1500, clear_from=1.0, above=0.4)


def paint(rng: np.random.Generator, height: int, width: int) -> Depiction:
    """Dunes to the horizon, each with one side in the shade."""
    moment = daylight(rng, "dawn", "day", "golden", "golden", "sunset", "dusk")
    tile = dune_tile(int(rng.integers(2)), _PEAK)
    camera = compose(rng, tile, (height, width), _VIEW)
    samples = look(tile, camera, width)
    scene = paint_sky(rng, (height, width), camera.horizon, moment, clouds=rng.uniform(0, 0.5))
    azimuth = camera.direction + float(rng.choice([-1, 1]) * rng.uniform(0.8, 1.9))
    sunlight = samples.sunlight(azimuth, float(rng.uniform(0.18, 0.4)), roughness=0.03)
    patches = look_up(fractal_tile(5, 1.4), samples.x, samples.y)
    ripples = np.sin(samples.x * 2.6 + samples.y * 1.1 + patches * 22) * np.exp(-samples.distance / 130)
    sand = light(str(rng.choice(_SAND))) * (0.85 + 0.2 * patches + 0.1 * ripples)
    sun = mix(moment.sun, np.full((3, 1, 1), moment.sun.mean(), dtype=np.float32), 0.4)
    lit = sand * (sun * (1.7 * sunlight**1.3) + mix(moment.ambient, moment.haze, 0.25) * 0.45)
    spread(
        rng,
        samples,
        hazy(lit, samples, moment, clear=float(rng.uniform(700, 1600)), mist=0.0, peak=_PEAK),
        scene,
        texture=0.12,
    )
    return depict(scene, moment.name)
