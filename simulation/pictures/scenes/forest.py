"""Forests in fog: rows of spruces on slopes, or trunks with light between them."""

import numpy as np

from simulation.pictures.colour import Pixels, light, mix
from simulation.pictures.daylight import Daylight, daylight
from simulation.pictures.depiction import Depiction, depict
from simulation.pictures.noise import enlarge, fractal_tile, grain_of, look_up, ridge_line
from simulation.pictures.sky import paint_sky
from simulation.pictures.trees import Shapes, conifer, paint_over

_AUTUMN = "#4f3a1a"
_GREENS = ("#1f3a28", "#24402f", "#303f22", "#1c3538", "#3a4420", _AUTUMN)
_SLOPES_SHARE = 0.75
_COARSE = 4


def paint(rng: np.random.Generator, height: int, width: int) -> Depiction:
    """One of the two kinds of forest."""
    moment = daylight(rng, "mist", "mist", "golden", "day")
    colour = str(rng.choice(_GREENS))
    green = light(colour)
    fog = mix(mix(moment.haze, moment.horizon, 0.4), green * 3, 0.12)
    slopes = rng.random() < _SLOPES_SHARE
    scene = (_slopes if slopes else _trunks)(rng, (height, width), moment, green, fog)
    _beams(rng, scene, moment)
    return depict(scene, moment.name, "slopes" if slopes else "trunks", "autumn" if colour == _AUTUMN else "")


def _slopes(rng: np.random.Generator, size: tuple[int, int], moment: Daylight, green: Pixels, fog: Pixels) -> Pixels:
    """Rows of spruces with fog between them, larger and darker towards the viewer."""
    height, width = size
    scene = mix(paint_sky(rng, size, height * 0.6, moment, clouds=0.0), fog, 0.55)
    ranks = int(rng.integers(5, 8))
    start = rng.uniform(0.18, 0.4)
    for rank in range(ranks):
        share = rank / (ranks - 1)
        base = start + (1.02 - start) * share**1.15
        tilt = rng.uniform(-0.2, 0.2) * (1 - 0.5 * share) * np.linspace(-0.5, 0.5, width)
        line = height * (base + tilt + 0.05 * ridge_line(rng, width, 2, 5))
        shapes = Shapes(height, width)
        shapes.ground(line)
        tall = height * (0.06 + 0.34 * share**1.5)
        for column in rng.uniform(0, width, int(7 * width / tall)):
            conifer(rng, shapes, column, float(line[int(column)]) + tall * 0.1, tall * rng.uniform(0.5, 1.15))
        shade = mix(fog, green * (0.5 + 1.2 * moment.ambient), 0.16 + 0.8 * share)
        paint_over(scene, shapes.mask(), _rough(rng, shade, size, share))
        _fog(rng, scene, line, fog, 0.7 * (1 - share) + 0.05)
    return scene


def _rough(rng: np.random.Generator, colour: Pixels, size: tuple[int, int], near: float) -> Pixels:
    """Add the texture of needles and bark in proportion to `near`, 0 to 1. Distant trees have none."""
    if near < 0.5:  # noqa: PLR2004
        return colour
    structure: Pixels = colour * (1 + near * (grain_of(rng, fractal_tile(6, 0.7), *size) - 0.5))
    return structure


def _fog(rng: np.random.Generator, scene: Pixels, line: Pixels, fog: Pixels, strength: float) -> None:
    """Add drifting fog below `line` that thins out above it, in place."""
    _, height, width = scene.shape
    top = int(np.clip(line.min() - 0.03 * height, 0, height - _COARSE))
    y, x = np.mgrid[top:height:_COARSE, 0:width:_COARSE].astype(np.float32)
    drift = look_up(fractal_tile(1, 1.55), x * 0.35 + rng.uniform(0, 1024), y * 0.9 + rng.uniform(0, 1024))
    depth = (y - line[::_COARSE]) / height
    amount = np.clip(depth * 7 + 0.15, 0, 1) * np.clip(0.35 + drift, 0, 1) * strength
    paint_over(scene[:, top:], enlarge(amount, height - top, width), fog)


def _beams(rng: np.random.Generator, scene: Pixels, moment: Daylight) -> None:
    """Add rays of light through the fog from a sun above the picture, in place."""
    _, height, width = scene.shape
    y, x = np.mgrid[0:height:_COARSE, 0:width:_COARSE].astype(np.float32)
    sun_x, sun_y = moment.sun_x * width, -0.2 * height
    angle = np.arctan2(x - sun_x, y - sun_y)
    stripes = look_up(fractal_tile(1, 1.55), angle * 260 + rng.uniform(0, 1024), 0 * x + rng.uniform(0, 1024))
    far = np.hypot(x - sun_x, y - sun_y) / height
    beams = np.clip(stripes * 2.4 - 0.95, 0, 1) * np.exp(-far * 1.4) * rng.uniform(0.1, 0.55)
    scene += enlarge(beams, height, width) * mix(moment.glow, moment.cloud, 0.6)


def _trunks(rng: np.random.Generator, size: tuple[int, int], moment: Daylight, green: Pixels, fog: Pixels) -> Pixels:
    """Tall trunks with light from behind."""
    height, width = size
    y, x = np.mgrid[0:height:_COARSE, 0:width:_COARSE].astype(np.float32)
    leaves = look_up(fractal_tile(1, 1.55), x * 0.9 + rng.uniform(0, 1024), y * 0.9)
    glow = np.exp(-(np.hypot((x / width - moment.sun_x) * 1.6, (y / height - 0.42) * 1.2) ** 2) / 0.16)
    backdrop = mix(green * 1.6, fog * 1.1, np.clip(0.25 + glow * 0.7 + (leaves - 0.5) * 0.7, 0, 1))
    scene = enlarge(backdrop + moment.glow * (glow * 0.25), height, width)
    ranks = 5
    for rank in range(ranks):
        share = rank / (ranks - 1)
        shapes = Shapes(height, width)
        foot = height * (0.66 + 0.3 * share)
        line = foot + height * 0.02 * ridge_line(rng, width, 3)
        shapes.ground(line)
        for _ in range(int(30 - 25 * share)):
            _trunk(rng, shapes, rng.uniform(-0.02, 1.02) * width, foot, width * (0.006 + 0.045 * share**1.6))
        bark = mix(green, light("#2a211b"), 0.5) * (0.2 + moment.ambient * 0.5)
        paint_over(scene, shapes.mask(), _rough(rng, mix(fog, bark, 0.2 + 0.78 * share), size, share))
        _fog(rng, scene, line, fog, 0.5 * (1 - share) + 0.06)
    return scene


def _trunk(rng: np.random.Generator, shapes: Shapes, x: float, foot: float, thickness: float) -> None:
    """Draw a trunk up to the top edge of the picture, with a few bare branches."""
    lean = rng.normal(0, thickness * 0.6)
    wide = thickness * rng.uniform(0.6, 1.2)
    right = np.array([[0.75, foot + wide], [0.42, foot - wide * 2], [0.3, -5]])
    left = right[::-1] * [-1, 1]
    outline = np.concatenate([right, left]) * [wide, 1] + [x, 0]
    outline[2:4, 0] += lean
    shapes.polygon(outline)
    for _ in range(int(rng.integers(1, 5))):
        start = rng.uniform(0.02, 0.5) * foot
        reach = wide * rng.uniform(1, 4) * rng.choice([-1, 1])
        middle = x + lean * (1 - start / foot)
        tip = [middle + reach, start + abs(reach) * rng.uniform(-0.5, 0.3)]
        shapes.line(np.array([[middle, start], tip]), wide * 0.08)
