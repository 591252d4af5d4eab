"""Paints a picture from a topic and a seed."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from simulation.pictures.colour import Pixels
from simulation.pictures.develop import develop
from simulation.pictures.scenes import city, desert, flowers, forest, lake, mountains, night, sea, snow, sunset

Scene = Callable[[np.random.Generator, int, int], Pixels]

SCENES: dict[str, Scene] = {
    "city": city.paint,
    "desert": desert.paint,
    "flowers": flowers.paint,
    "forest": forest.paint,
    "lake": lake.paint,
    "mountains": mountains.paint,
    "night": night.paint,
    "sea": sea.paint,
    "snow": snow.paint,
    "sunset": sunset.paint,
}
SHAPES = ((1280, 960), (1080, 1350), (1080, 1080), (1280, 853), (960, 1280))


def paint(topic: str, seed: int) -> Image.Image:
    """A picture of `topic`, one of `SCENES`; the same seed gives the same picture."""
    rng = np.random.default_rng((seed, len(topic), *topic.encode()))
    width, height = SHAPES[rng.integers(len(SHAPES))]
    return develop(rng, SCENES[topic](rng, height, width))
