"""Winter: white mountains behind a slope with firs, sometimes with falling snow."""

import numpy as np

from simulation.pictures.colour import Pixels, light, mix
from simulation.pictures.composition import View, compose
from simulation.pictures.daylight import Daylight, daylight
from simulation.pictures.depiction import Depiction, depict
from simulation.pictures.heights import mountain_tile
from simulation.pictures.noise import enlarge, fractal_tile, look_up, ridge_line
from simulation.pictures.scenes.mountains import KINDS, PEAK, lit_ground
from simulation.pictures.sky import paint_sky
from simulation.pictures.terrain import hazy, look, spread
from simulation.pictures.trees import Shapes, conifer, paint_over

_VIEW = View(skyline=(0.24, 0.42), focal=1.4, near=230, far=1700, clear_from=0.8, above=0.15)
_SNOWFALL_SHARE = 0.3


def paint(rng: np.random.Generator, height: int, width: int) -> Depiction:
    """Snowy mountains and firs."""
    moment = daylight(rng, "dawn", "day", "day", "golden", "mist", "dusk")
    tile = mountain_tile(int(rng.integers(KINDS)), PEAK)
    camera = compose(rng, tile, (height, width), _VIEW)
    samples = look(tile, camera, width)
    scene = paint_sky(rng, (height, width), camera.horizon, moment, clouds=rng.uniform(0, 0.8))
    steep = 1 - samples.upright()
    patches = look_up(fractal_tile(5, 1.4), samples.x * 3 + samples.height * 2, samples.y * 3 + samples.height)
    bare = np.clip(steep * 5 - 2.5 + (patches - 0.5) * 1.2, 0, 0.9)
    wood = np.clip((0.3 - samples.height / PEAK) * 6 + (patches - 0.5) * 5, 0, 0.75)
    ground = mix(mix(light("#f3f6fb"), light("#5c5f66"), bare), light("#3c4a4a"), wood)
    lit = lit_ground(rng, ground, samples, moment, camera.direction)
    spread(
        rng,
        samples,
        hazy(lit, samples, moment, clear=float(rng.uniform(700, 1500)), mist=1.5, peak=PEAK),
        scene,
        texture=0.35,
    )
    _slope(rng, scene, moment)
    falling = moment.name == "mist" or rng.random() < _SNOWFALL_SHARE
    if falling:
        _snowfall(rng, scene)
    return depict(scene, moment.name, "snowfall" if falling else "clear")


def _slope(rng: np.random.Generator, scene: Pixels, moment: Daylight) -> None:
    """Paint a white slope with snow-covered firs in the foreground, in place."""
    _, height, width = scene.shape
    tilt = rng.uniform(-0.12, 0.12) * np.linspace(-0.5, 0.5, width) + 0.03 * ridge_line(rng, width, 2, 4, 0.4)
    line = height * (rng.uniform(0.78, 0.9) + tilt)
    trees, crowns = Shapes(height, width), Shapes(height, width)
    for column in rng.uniform(0, width, int(rng.integers(8, 30))):
        size = height * rng.uniform(0.08, 0.3)
        foot = float(line[int(column)]) + size * 0.05
        seed = int(rng.integers(2**32))
        conifer(np.random.default_rng(seed), trees, column, foot, size)
        # the same tree again, slightly smaller and higher, for the snow on its branches
        conifer(np.random.default_rng(seed), crowns, column - size * 0.012, foot - size * 0.035, size * 0.96)
    snow = light("#f3f6fb") * (moment.ambient * 0.75 + moment.sun * 0.22)
    clumps = enlarge(rng.random((height // 5, width // 5), dtype=np.float32), height, width)
    paint_over(scene, trees.mask(), light("#26332f") * (0.25 + moment.ambient))
    paint_over(scene, crowns.mask() * np.clip(clumps * 3 - 1.05, 0, 0.95), snow)
    ground = Shapes(height, width)
    ground.ground(line)
    top = int(line.min())
    y, x = np.mgrid[top:height:4, 0:width:4].astype(np.float32)
    drifts = look_up(fractal_tile(7, 1.7), x * 0.35, y * 1.3 + 0.5 * line[::4])
    shade = np.zeros((height, width), dtype=np.float32)
    shade[top:] = enlarge(np.clip(0.72 + (drifts - 0.5) * 0.9, 0.4, 1), height - top, width)
    paint_over(scene, ground.mask(), snow * (0.75 + 0.5 * shade))


def _snowfall(rng: np.random.Generator, scene: Pixels) -> None:
    """Paint snowflakes in place: many small distant ones, and a few large blurred ones."""
    _, height, width = scene.shape
    flakes = np.zeros((height, width), dtype=np.float32)
    for count, radius, strength in ((900, 1.2, 0.55), (160, 3.0, 0.4), (26, 9.0, 0.22)):
        shapes = Shapes(height, width)
        for x, y, size in rng.random((count, 3)):
            shapes.disc(x * width, y * height, radius * (0.6 + 0.8 * size))
        flakes += shapes.mask() * strength
    paint_over(scene, np.minimum(flakes, 0.9), light("#f5f8fc"))
