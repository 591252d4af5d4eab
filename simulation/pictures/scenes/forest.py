"""Woods in fog: rows of spruces on slopes, or trunks with light between them."""

import numpy as np

from simulation.pictures.colour import Pixels, light, mix
from simulation.pictures.daylight import Daylight, daylight
from simulation.pictures.noise import enlarge, fractal_tile, look_up, ridge_line
from simulation.pictures.sky import paint_sky
from simulation.pictures.trees import Shapes, conifer, paint_over

_GREENS = ("#1d3326", "#20382e", "#2c3a20", "#1b2f33", "#4a3216", "#51301a")


def paint(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """One of the two kinds of wood."""
    moment = daylight(rng, "mist", "mist", "dawn", "golden", "day")
    green = light(str(rng.choice(_GREENS)))
    if rng.random() < 0.6:  # noqa: PLR2004
        return _slopes(rng, height, width, moment, green)
    return _trunks(rng, height, width, moment, green)


def _slopes(rng: np.random.Generator, height: int, width: int, moment: Daylight, green: Pixels) -> Pixels:
    """Ranks of spruces, each nearer one larger and darker, with fog between them."""
    scene = paint_sky(rng, height, width, height * 0.75, moment, clouds=0.2)
    fog = mix(moment.haze, moment.horizon, 0.4)
    ranks = int(rng.integers(5, 8))
    start = rng.uniform(0.2, 0.4)
    for rank in range(ranks):
        share = rank / (ranks - 1)
        base = start + (1.02 - start) * share**1.15
        tilt = rng.uniform(-0.35, 0.35) * (1 - 0.5 * share)
        line = height * (base + tilt * np.linspace(-0.5, 0.5, width) * 0.5 + 0.05 * ridge_line(rng, width, 2, 5))
        line = line.astype(np.float32)
        shapes = Shapes(height, width)
        shapes.ground(line)
        size = height * (0.05 + 0.34 * share**1.5)
        for column in rng.uniform(0, width, int(2.4 * width / (size * 0.3))):
            conifer(rng, shapes, float(column), float(line[int(column)]) + size * 0.1, size * rng.uniform(0.55, 1.15))
        paint_over(scene, shapes.mask(), mix(fog, green * (0.35 + moment.ambient), 0.1 + 0.85 * share**1.1))
        _fog(rng, scene, line, fog, 0.75 * (1 - share) + 0.08)
    _beams(rng, scene, moment)
    return scene


def _fog(rng: np.random.Generator, scene: Pixels, line: Pixels, fog: Pixels, strength: float) -> None:
    """Drifting fog that lies below `line` and thins out above it."""
    height, width = scene.shape[:2]
    y, x = np.mgrid[0:height:4, 0:width:4].astype(np.float32)
    drift = look_up(fractal_tile(1, 1.55), x * 0.35 + rng.uniform(0, 1024), y * 0.9 + rng.uniform(0, 1024))
    depth = (y - line[None, ::4][:, : x.shape[1]]) / height
    amount = np.clip(depth * 7 + 0.15, 0, 1) * np.clip(0.35 + drift, 0, 1) * strength
    scene[:] = mix(scene, fog, enlarge(amount, height, width))


def _beams(rng: np.random.Generator, scene: Pixels, moment: Daylight) -> None:
    """Rays that fan out from the sun through the fog."""
    height, width = scene.shape[:2]
    y, x = np.mgrid[0:height:4, 0:width:4].astype(np.float32)
    sun_x, sun_y = moment.sun_x * width, -0.15 * height
    angle = np.arctan2(x - sun_x, y - sun_y)
    stripes = look_up(fractal_tile(6, 0.9), angle * 90 + rng.uniform(0, 1024), 0 * x + rng.uniform(0, 1024))
    far = np.hypot(x - sun_x, y - sun_y) / height
    beams = np.clip(stripes * 2.6 - 1.15, 0, 1) * np.exp(-far * 1.3) * rng.uniform(0.2, 0.9)
    scene += moment.glow * enlarge(beams, height, width)[..., None]


def _trunks(rng: np.random.Generator, height: int, width: int, moment: Daylight, green: Pixels) -> Pixels:
    """Among tall trunks, the light coming from behind them."""
    y, x = np.mgrid[0:height:4, 0:width:4].astype(np.float32)
    leaves = look_up(fractal_tile(1, 1.2), x * 1.1 + rng.uniform(0, 1024), y * 1.1)
    glow = np.exp(-(np.hypot((x / width - moment.sun_x) * 1.6, (y / height - 0.42) * 1.2) ** 2) / 0.16)
    fog = mix(moment.haze, moment.horizon, 0.5)
    backdrop = mix(green * 1.6 + 0 * x[..., None], fog * 1.1, np.clip(glow * 0.9 + (leaves - 0.5) * 0.9, 0, 1))
    scene = enlarge(backdrop + moment.glow * (glow * 0.35)[..., None], height, width)
    ranks = 5
    for rank in range(ranks):
        share = rank / (ranks - 1)
        shapes = Shapes(height, width)
        foot = height * (0.66 + 0.3 * share)
        shapes.ground((foot + height * 0.02 * ridge_line(rng, width, 3)).astype(np.float32))
        for _ in range(int(26 - 21 * share)):
            _trunk(rng, shapes, rng.uniform(-0.02, 1.02) * width, foot, width * (0.006 + 0.05 * share**1.6))
        bark = mix(fog, mix(green, light("#2a211b"), 0.6) * (0.2 + moment.ambient * 0.5), 0.2 + 0.78 * share)
        paint_over(scene, shapes.mask(), bark)
        _fog(rng, scene, np.full(width, foot, dtype=np.float32), fog, 0.5 * (1 - share) + 0.06)
    _beams(rng, scene, moment)
    return scene


def _trunk(rng: np.random.Generator, shapes: Shapes, x: float, foot: float, thickness: float) -> None:
    """A trunk that leaves the picture at the top, with a few bare branches."""
    lean = rng.normal(0, thickness * 0.6)
    wide = thickness * rng.uniform(0.6, 1.2)
    shapes.polygon(
        np.array(
            [
                [x - wide * 0.75, foot + wide],
                [x - wide * 0.42, foot - wide * 2],
                [x + lean - wide * 0.3, -5],
                [x + lean + wide * 0.3, -5],
                [x + wide * 0.42, foot - wide * 2],
                [x + wide * 0.75, foot + wide],
            ]
        )
    )
    for _ in range(int(rng.integers(2, 7))):
        start = rng.uniform(0.05, 0.6) * foot
        reach = wide * rng.uniform(1.5, 6) * rng.choice([-1, 1])
        shapes.line(
            np.array([[x + lean * (1 - start / foot), start], [x + reach, start - abs(reach) * rng.uniform(0.1, 0.6)]]),
            wide * 0.1,
        )
