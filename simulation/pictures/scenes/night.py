"""Clear nights: Milky Way, moon or aurora over something dark."""

import numpy as np

from simulation.pictures.colour import Pixels, light, mix
from simulation.pictures.daylight import daylight
from simulation.pictures.noise import enlarge, fractal_tile, look_up, ridge_line
from simulation.pictures.ridges import paint_ridges
from simulation.pictures.sky import add_glow, add_milky_way, add_moon, add_stars, paint_sky
from simulation.pictures.trees import Shapes, conifer, paint_over
from simulation.pictures.water import paint_lake

_AURORA = (("#3fe08a", "#7a4fd0"), ("#48d6b0", "#b04fb8"), ("#7be06a", "#3f6fd0"))


def paint(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """A starry sky and a silhouette, perhaps a lit tent or a lake."""
    moment = daylight(rng, "night")
    horizon = height * rng.uniform(0.72, 0.85)
    scene = paint_sky(rng, height, width, horizon, moment, clouds=0.0) * rng.uniform(0.5, 1.0)
    scene = scene.astype(np.float32)
    kind = rng.choice(["milky way", "milky way", "aurora", "moon"])
    if kind == "milky way":
        add_milky_way(rng, scene, horizon)
        add_glow(
            scene, width * rng.uniform(0.1, 0.9), horizon, width * 0.35, light("#d08a4a") * rng.uniform(0.05, 0.35)
        )
    add_stars(rng, scene, horizon, int(rng.integers(700, 2200)) if kind != "moon" else 350)
    if kind == "aurora":
        _aurora(rng, scene, horizon)
    if kind == "moon":
        radius = width * rng.uniform(0.025, 0.07)
        add_moon(rng, scene, width * rng.uniform(0.2, 0.8), horizon * rng.uniform(0.2, 0.6), radius)
    far = mix(moment.horizon, moment.ambient, 0.4) * 0.5
    lake = rng.random() < 0.35  # noqa: PLR2004
    last = horizon / height + (0.01 if lake else 0.1)
    line = paint_ridges(
        rng, scene, first=horizon / height - 0.06, last=last, count=3, far=far, near=light("#04070d") * 0.6
    )
    if lake:
        paint_lake(rng, scene, round(horizon + height * 0.03), moment, calm=float(rng.uniform(0.7, 1)))
    else:
        _wood(rng, scene, line)
    return scene


def _wood(rng: np.random.Generator, scene: Pixels, line: Pixels) -> None:
    """Firs at the sides and, at times, a glowing tent between them."""
    height, width = scene.shape[:2]
    shapes = Shapes(height, width)
    shapes.ground(line)
    gap = rng.uniform(0.3, 0.7)
    for column in rng.uniform(0, 1, int(rng.integers(10, 40))):
        away = abs(column - gap)
        size = height * (0.04 + 0.34 * away**1.2) * rng.uniform(0.6, 1.2)
        conifer(rng, shapes, column * width, float(line[int(column * (width - 1))]) + size * 0.06, size)
    paint_over(scene, shapes.mask(), light("#03050a") * 0.5)
    if rng.random() < 0.5:  # noqa: PLR2004
        x, size = gap * width, width * rng.uniform(0.03, 0.06)
        foot = float(line[int(x)]) + size * 0.3
        tent = Shapes(height, width)
        tent.polygon(np.array([[x - size, foot], [x - size * 0.1, foot - size * 0.95], [x + size * 0.95, foot]]))
        rows = np.arange(height, dtype=np.float32)[:, None, None]
        inside = light("#ffb45a") * (0.35 + 0.9 * np.clip((rows - foot + size) / size, 0, 1))
        paint_over(scene, tent.mask(), np.broadcast_to(inside, scene.shape))
        add_glow(scene, x, foot - size * 0.2, size * 2.2, light("#ffa850") * 0.3)


def _aurora(rng: np.random.Generator, scene: Pixels, horizon: float) -> None:
    """Two or three curtains: a sharp lower edge, rays upwards, green fading to violet."""
    height, width = scene.shape[:2]
    low, high = (light(colour) for colour in _AURORA[rng.integers(len(_AURORA))])
    y, x = np.mgrid[0:height:2, 0:width:4].astype(np.float32)
    column = x[0].astype(np.intp)
    for _ in range(int(rng.integers(2, 4))):
        foot = horizon * (rng.uniform(0.4, 0.85) + 0.16 * ridge_line(rng, width, rng.uniform(1, 2.5), 3, 0.45)[column])
        rays = look_up(fractal_tile(6, 0.9), x * rng.uniform(0.5, 1.1) + foot * 0.3, 0 * y + rng.uniform(0, 1024))
        fade = look_up(fractal_tile(1, 1.55), x * 0.12 + rng.uniform(0, 1024), 0 * y + 200)
        up = (foot - y) / (horizon * rng.uniform(0.3, 0.55))
        curtain = (
            np.where(up > 0, np.exp(-up * 2.2), np.exp(up * 26))
            * np.clip(rays * 1.9 - 0.35, 0, 1.4)
            * np.clip(fade * 2 - 0.3, 0, 1.3)
        )
        colour = mix(low + 0 * y[..., None], high, np.clip(up * 0.9, 0, 1))
        scene += enlarge(colour * (curtain * rng.uniform(0.5, 1.0))[..., None], height, width)
