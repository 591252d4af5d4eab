"""Paints a picture from a topic and a seed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from simulation.pictures.depiction import Depiction
from simulation.pictures.develop import develop
from simulation.pictures.scenes import (
    city,
    desert,
    flowers,
    food,
    forest,
    interiors,
    lake,
    mountains,
    night,
    sea,
    silhouettes,
    snow,
    street,
    sunset,
)

Scene = Callable[[np.random.Generator, int, int], Depiction]

SCENES: dict[str, Scene] = {
    "city": city.paint,
    "desert": desert.paint,
    "flowers": flowers.paint,
    "food": food.paint,
    "forest": forest.paint,
    "interiors": interiors.paint,
    "lake": lake.paint,
    "mountains": mountains.paint,
    "night": night.paint,
    "sea": sea.paint,
    "silhouettes": silhouettes.paint,
    "snow": snow.paint,
    "street": street.paint,
    "sunset": sunset.paint,
}
# Scenes whose texture is as fine in a picture of any size.
LARGE_SCENES = ("city", "desert", "flowers", "food", "forest", "silhouettes", "sunset")
SHAPES = ((1280, 960), (1080, 1350), (1080, 1080), (1280, 853), (960, 1280))
LARGE_SHAPES = ((3840, 2560), (2880, 3840), (3840, 2160))  # as of a camera: the largest variant is not enlarged


@dataclass(frozen=True, slots=True)
class Painting:
    """A painted picture, and what it shows (`Depiction.facts`)."""

    image: Image.Image
    facts: frozenset[str]


def paint(topic: str, seed: int, *, large: bool = False) -> Painting:
    """A picture of `topic`, one of `SCENES`; the same seed gives the same picture."""
    rng = np.random.default_rng((seed, len(topic), *topic.encode()))
    shapes = LARGE_SHAPES if large else SHAPES
    width, height = shapes[rng.integers(len(shapes))]
    depiction = SCENES[topic](rng, height, width)
    return Painting(develop(rng, depiction.scene), depiction.facts)
