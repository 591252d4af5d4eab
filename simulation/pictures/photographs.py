"""Photographs from the scikit-image and scikit-learn packages, varied by crop, mirroring and tone."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

_LONG_EDGE = 1080
_SHAPES = (4 / 5, 1.0, 4 / 3, 3 / 2)  # width by height


@dataclass(frozen=True, slots=True)
class Photograph:
    """A packaged photograph.

    `centre` is the point (x, y as shares) that a crop keeps near its middle. `mirrors` is False if mirroring would
    reverse writing.
    """

    topic: str
    package: str
    path: str
    centre: tuple[float, float]
    mirrors: bool
    credit: str
    captions: tuple[str, ...] = ()


PHOTOGRAPHS = (
    Photograph(
        "people",
        "skimage",
        "data/astronaut.png",
        (0.45, 0.3),
        False,
        "NASA, public domain",
        ("My hero, no contest", "Found in the school library, still on my wall"),
    ),
    Photograph(
        "people",
        "skimage",
        "data/camera.png",
        (0.45, 0.4),
        True,
        "Lav Varshney, CC0",
        ("Always behind the camera, caught him once", "From the old album"),
    ),
    Photograph(
        "animals",
        "skimage",
        "data/chelsea.png",
        (0.5, 0.45),
        True,
        "Stefan van der Walt, CC0",
        ("She heard the fridge", "Not impressed by my work calls"),
    ),
    Photograph(
        "food",
        "skimage",
        "data/coffee.png",
        (0.5, 0.45),
        True,
        "Rachel Michetti, CC0",
        ("The little place behind the station", "A quiet table and this"),
    ),
    Photograph(
        "space",
        "skimage",
        "data/hubble_deep_field.jpg",
        (0.5, 0.5),
        True,
        "NASA, public domain",
        ("Every dot is a galaxy", "Makes my problems look small"),
    ),
    Photograph(
        "space",
        "skimage",
        "data/moon.png",
        (0.5, 0.5),
        True,
        "NASA, public domain",
        ("Half lit, fully awake", "Through a borrowed telescope"),
    ),
    Photograph(
        "space",
        "skimage",
        "data/rocket.jpg",
        (0.5, 0.5),
        True,
        "SpaceX, CC0",
        ("Stayed up for the launch", "Still cannot believe people built this"),
    ),
    Photograph(
        "motorcycles",
        "skimage",
        "data/motorcycle_left.png",
        (0.5, 0.5),
        True,
        "Middlebury stereo data set, CC0",
        ("Finally out of the garage", "Third weekend of polishing"),
    ),
    Photograph(
        "architecture",
        "sklearn",
        "datasets/images/china.jpg",
        (0.4, 0.5),
        True,
        "danielbuechele, CC BY 2.0",
        ("Count the roofs", "The colours under the eaves"),
    ),
    Photograph(
        "flowers",
        "sklearn",
        "datasets/images/flower.jpg",
        (0.47, 0.45),
        True,
        "vultilion, CC BY 2.0",
        ("Petal by petal", "It opened overnight"),
    ),
)


def take(rng: np.random.Generator, photograph: Photograph) -> Image.Image:
    """A random version of `photograph`, _LONG_EDGE pixels long. The same generator gives the same version."""
    image = _crop(rng, _load(photograph), photograph.centre)
    if photograph.mirrors and rng.random() < 0.5:  # noqa: PLR2004
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    scale = _LONG_EDGE / max(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    return _tone(rng, image)


@lru_cache(maxsize=len(PHOTOGRAPHS))
def _load(photograph: Photograph) -> Image.Image:
    spec = find_spec(photograph.package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"{photograph.path} is missing: install {photograph.package}")
    with Image.open(Path(spec.origin).parent / photograph.path) as image:
        return image.convert("RGB")


def _crop(rng: np.random.Generator, image: Image.Image, centre: tuple[float, float]) -> Image.Image:
    shape = float(rng.choice(_SHAPES))
    width = min(image.width, image.height * shape)
    height = width / shape
    zoom = float(rng.uniform(0.78, 1))
    width, height = width * zoom, height * zoom
    left = np.clip(image.width * (centre[0] + rng.normal(0, 0.04)) - width / 2, 0, image.width - width)
    top = np.clip(image.height * (centre[1] + rng.normal(0, 0.04)) - height / 2, 0, image.height - height)
    return image.crop((round(left), round(top), round(left + width), round(top + height)))


def _tone(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """Vary exposure, contrast, saturation and warmth as an editing app would; sometimes black and white."""
    saturation = 0.0 if rng.random() < 0.08 else rng.uniform(0.75, 1.25)  # noqa: PLR2004
    image = ImageEnhance.Color(image).enhance(saturation)
    image = ImageEnhance.Contrast(image).enhance(rng.uniform(0.88, 1.15))
    levels = np.arange(256) / 255
    warmth = rng.normal(0, 0.05) if saturation else 0.0
    exposure, lift = rng.normal(0, 0.12), max(0.0, rng.normal(0, 0.03))
    curves = [np.clip(lift + (1 - lift) * levels ** np.exp(-exposure - tint), 0, 1) for tint in (warmth, 0.0, -warmth)]
    return image.point([round(255 * level) for curve in curves for level in curve])
