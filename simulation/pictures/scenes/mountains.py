"""Mountain ranges: forest below, rock and snow above."""

import numpy as np

from simulation.pictures.colour import Pixels, light, mix
from simulation.pictures.composition import View, compose
from simulation.pictures.daylight import Daylight, daylight
from simulation.pictures.depiction import Depiction, depict
from simulation.pictures.heights import mountain_tile
from simulation.pictures.noise import fractal_tile, look_up
from simulation.pictures.sky import paint_sky
from simulation.pictures.terrain import Samples, hazy, look, spread

PEAK = 235.0
KINDS = 3

_VIEW = View(skyline=(0.3, 0.45), focal=1.5, near=90, far=1700, clear_from=1.02, above=0.2)
_FORESTS = ("#2f4a2c", "#38502f", "#4a4f2c")
_ROCKS = ("#77706a", "#6a6a70", "#85766a")


def paint(rng: np.random.Generator, height: int, width: int) -> Depiction:
    """A mountain range seen from a high viewpoint."""
    moment = daylight(rng, "dawn", "day", "day", "golden", "golden", "sunset")
    tile = mountain_tile(int(rng.integers(KINDS)), PEAK)
    camera = compose(rng, tile, (height, width), _VIEW)
    samples = look(tile, camera, width)
    scene = paint_sky(rng, (height, width), camera.horizon, moment, clouds=rng.uniform(0, 0.8))
    ground = ground_colour(rng, samples, snow_line=float(rng.uniform(0.4, 0.75)))
    lit = lit_ground(rng, ground, samples, moment, camera.direction)
    air = hazy(lit, samples, moment, clear=float(rng.uniform(900, 2000)), mist=float(rng.uniform(0, 1.5)), peak=PEAK)
    spread(rng, samples, air, scene, texture=0.9)
    return depict(scene, moment.name)


def ground_colour(rng: np.random.Generator, samples: Samples, snow_line: float) -> Pixels:
    """The colour of forest, meadow, rock and snow, by height and steepness: (3, depth, across)."""
    level = samples.height / PEAK
    steep = 1 - samples.upright()
    patches = look_up(fractal_tile(5, 1.4), samples.x * 3 + samples.height * 2, samples.y * 3 + samples.height)
    speckle = look_up(fractal_tile(6, 0.7), samples.x * 9 + samples.height * 7, samples.y * 9 + samples.height * 5)
    forest, rock = light(str(rng.choice(_FORESTS))), light(str(rng.choice(_ROCKS)))
    trees = np.clip((0.42 - level) * 5 + (patches - 0.5) * 2 + 0.5, 0, 1)
    colour: Pixels = mix(light("#77823f"), forest, trees) * (1 + (1.1 * speckle - 0.55) * trees)
    stone = np.clip((level - 0.38) * 5 + steep * 4 - 1.2, 0, 1)
    colour = mix(colour, rock * (0.55 + 0.9 * speckle), stone)
    snow = np.clip((level - snow_line) * 7 - steep * 3.4 + 0.9 + (patches - 0.5) * 1.5, 0, 1)
    return mix(colour, light("#eef2f8"), snow)


def lit_ground(
    rng: np.random.Generator, ground: Pixels, samples: Samples, moment: Daylight, direction: float
) -> Pixels:
    """The ground lit by sun and sky. The sun is at its position in the sky, or to the side of the camera."""
    beside = moment.name == "day" or rng.random() < 0.5  # noqa: PLR2004
    if beside:
        azimuth = direction + float(rng.choice([-1, 1]) * rng.uniform(1.2, 2.2))
    else:
        azimuth = direction + (moment.sun_x - 0.5) * 1.1 + float(rng.choice([-1, 1])) * 0.7
    sunlight = samples.sunlight(azimuth, float(np.clip(moment.sun_height, 0.25, 0.8)), roughness=0.5)
    openness = 0.35 + 0.65 * samples.upright()
    lit: Pixels = ground * (moment.sun * sunlight + moment.ambient * openness)
    return lit
