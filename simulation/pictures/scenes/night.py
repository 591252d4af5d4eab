"""Clear nights: Milky Way, moon or aurora above a silhouette."""

import numpy as np

from simulation.pictures.colour import Pixels, light, mix
from simulation.pictures.daylight import daylight
from simulation.pictures.depiction import Depiction, depict
from simulation.pictures.noise import enlarge, fractal_tile, look_up, ridge_line
from simulation.pictures.ridges import Ranges, paint_ridges
from simulation.pictures.sky import add_glow, add_milky_way, add_moon, add_stars, paint_sky
from simulation.pictures.trees import Shapes, conifer, paint_over
from simulation.pictures.water import paint_lake

_AURORAS = (("#3fe08a", "#7a4fd0"), ("#48d6b0", "#b04fb8"), ("#7be06a", "#3f6fd0"))
_LAKE_SHARE, _TENT_SHARE = 0.35, 0.5


def paint(rng: np.random.Generator, height: int, width: int) -> Depiction:
    """A starry sky above hills, sometimes with a lit tent or a lake."""
    moment = daylight(rng, "night")
    horizon = height * rng.uniform(0.72, 0.85)
    scene = paint_sky(rng, (height, width), horizon, moment, clouds=0.0)
    scene *= np.float32(rng.uniform(0.5, 1.0))
    kind = str(rng.choice(["milky way", "milky way", "aurora", "moon"]))
    if kind == "milky way":
        add_milky_way(rng, scene, horizon)
        town = light("#d08a4a") * rng.uniform(0.05, 0.35)
        add_glow(scene, width * rng.uniform(0.1, 0.9), horizon, width * 0.35, town)
    add_stars(rng, scene, horizon, int(rng.integers(1200, 3200)) if kind != "moon" else 500)
    if kind == "aurora":
        _aurora(rng, scene, horizon)
    if kind == "moon":
        radius = width * rng.uniform(0.03, 0.08)
        add_moon(rng, scene, width * rng.uniform(0.2, 0.8), horizon * rng.uniform(0.2, 0.6), radius)
    far = mix(moment.horizon, moment.ambient, 0.4) * 0.5
    lake = rng.random() < _LAKE_SHARE
    last = horizon / height + (0.01 if lake else 0.1)
    line = paint_ridges(rng, scene, Ranges(3, horizon / height - 0.06, last, far, light("#04070d") * 0.6))
    if lake:
        paint_lake(rng, scene, round(horizon + height * 0.03), moment, calm=float(rng.uniform(0.7, 1)))
    tent = not lake and _camp(rng, scene, line)
    return depict(scene, moment.name, kind, "tent" if tent else "", "lake" if lake else "")


def _camp(rng: np.random.Generator, scene: Pixels, line: Pixels) -> bool:
    """Paint firs at the sides and sometimes a lit tent between them, in place; returns whether there is one."""
    _, height, width = scene.shape
    shapes = Shapes(height, width)
    shapes.ground(line)
    gap = rng.uniform(0.3, 0.7)
    for column in rng.uniform(0, 1, int(rng.integers(10, 40))):
        size = height * (0.04 + 0.34 * abs(column - gap) ** 1.2) * rng.uniform(0.6, 1.2)
        conifer(rng, shapes, column * width, float(line[int(column * width)]) + size * 0.06, size)
    paint_over(scene, shapes.mask(), light("#03050a") * 0.5)
    tent = rng.random() < _TENT_SHARE
    if tent:
        _tent(rng, scene, gap * width, float(line[int(gap * width)]))
    return bool(tent)


def _tent(rng: np.random.Generator, scene: Pixels, x: float, ground: float) -> None:
    _, height, width = scene.shape
    size = width * rng.uniform(0.03, 0.055)
    foot = ground + size * 0.3
    tent = Shapes(height, width)
    tent.polygon(np.array([[x - size, foot], [x - size * 0.1, foot - size * 0.95], [x + size * 0.95, foot]]))
    rows = np.arange(height, dtype=np.float32)[:, None]
    inside = light("#ffb45a") * (0.35 + 0.9 * np.clip((rows - foot + size) / size, 0, 1))
    paint_over(scene, tent.mask(), inside)
    add_glow(scene, x, foot - size * 0.2, size * 1.7, light("#ffa850") * 0.16)


def _aurora(rng: np.random.Generator, scene: Pixels, horizon: float) -> None:
    """Add two or three curtains of light, in place: a sharp lower edge, rays upwards, green fading to violet."""
    _, height, width = scene.shape
    low, high = (light(colour) for colour in _AURORAS[rng.integers(len(_AURORAS))])
    y, x = np.mgrid[0:height:4, 0:width:4].astype(np.float32)
    curtains = np.zeros((3, *x.shape), dtype=np.float32)
    for _ in range(int(rng.integers(2, 4))):
        swing = ridge_line(rng, width, rng.uniform(1, 2.5), 3, 0.45)[::4][: x.shape[1]]
        foot = horizon * (rng.uniform(0.4, 0.85) + 0.16 * swing)
        rays = look_up(fractal_tile(1, 1.55), x * rng.uniform(0.9, 2.2) + foot * 0.8, y * 0.02 + rng.uniform(0, 1024))
        fade = look_up(fractal_tile(1, 1.55), x * 0.12 + rng.uniform(0, 1024), 0 * y + 200)
        up = (foot - y) / (horizon * rng.uniform(0.3, 0.55))
        profile = np.where(up > 0, np.exp(-up * 2.2), np.exp(np.minimum(up, 0) * 26))
        strength = profile * np.clip(rays * 2.4 - 0.5, 0, 1.4) * np.clip(fade * 2 - 0.3, 0, 1.3) * rng.uniform(0.5, 1.0)
        curtains += mix(low, high, np.clip(up * 0.9, 0, 1)) * strength
    scene += enlarge(curtains, height, width)
