"""Dunes in low light."""

import numpy as np

from simulation.pictures.colour import Pixels, light, mix
from simulation.pictures.daylight import daylight
from simulation.pictures.noise import fractal_tile, look_up
from simulation.pictures.sky import paint_sky
from simulation.pictures.terrain import compose, dune_tile, hazy, look, spread

_PEAK = 75.0
_SAND = ("#d99a5b", "#c9824a", "#e0b075", "#b8673f", "#e3c08e")


def paint(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Sand to the horizon, one side of every dune in the shade."""
    moment = daylight(rng, "dawn", "day", "golden", "golden", "sunset", "dusk")
    tile = dune_tile(int(rng.integers(2)), _PEAK)
    camera = compose(
        rng, tile, width, height, focal=1.2, near=60, far=1500, skyline=(0.3, 0.48), above=0.45, clear_from=1.0
    )
    samples = look(tile, camera, width)
    scene = paint_sky(rng, height, width, camera.horizon, moment, clouds=rng.uniform(0, 0.5))
    azimuth = camera.direction + float(rng.choice([-1, 1]) * rng.uniform(1.0, 2.0))
    sunlight = samples.sunlight(azimuth, float(rng.uniform(0.25, 0.5)), roughness=0.1)
    grain = look_up(fractal_tile(5, 1.4), samples.x * 2, samples.y * 2)
    ripples = 0.5 + 0.5 * np.sin(samples.x * 3.1 + samples.y * 1.2 + grain * 9) * np.exp(-samples.distance / 160)
    sand = light(str(rng.choice(_SAND))) * (0.8 + 0.25 * grain + 0.12 * ripples)[..., None]
    lit = sand * (moment.sun * (sunlight**1.2)[..., None] * 1.5 + mix(moment.ambient, moment.haze, 0.25) * 0.55)
    spread(samples, hazy(lit, samples, moment, clear=float(rng.uniform(700, 1600)), mist=0.0, peak=_PEAK), scene)
    return scene
