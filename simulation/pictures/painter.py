"""Paints a scene: a subject and a seed in, a picture out."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from simulation.pictures.colour import Pixels
from simulation.pictures.develop import develop
from simulation.pictures.scenes import mountains

Scene = Callable[[np.random.Generator, int, int], Pixels]

SCENES: dict[str, Scene] = {
    "mountains": mountains.paint,
}
SHAPES = ((1440, 1080), (1080, 1350), (1080, 1080), (1350, 1080), (1080, 1440))


def paint(topic: str, seed: int) -> Image.Image:
    """A picture of `topic`, one of `SCENES`; the same seed gives the same picture."""
    rng = np.random.default_rng((seed, len(topic), *topic.encode()))
    width, height = SHAPES[rng.integers(len(SHAPES))]
    return develop(rng, SCENES[topic](rng, height, width))
