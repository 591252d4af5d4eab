"""Winter: white mountains, or a wood under fresh snow, sometimes while it falls."""

import numpy as np

from simulation.pictures.colour import Pixels, light, mix
from simulation.pictures.daylight import Daylight, daylight
from simulation.pictures.noise import blur, fractal_tile, look_up, ridge_line
from simulation.pictures.scenes.mountains import PEAK, lit_ground
from simulation.pictures.sky import paint_sky
from simulation.pictures.terrain import compose, hazy, look, mountain_tile, spread
from simulation.pictures.trees import Shapes, conifer, paint_over


def paint(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Snow on everything."""
    moment = daylight(rng, "dawn", "day", "day", "golden", "mist", "dusk")
    tile = mountain_tile(int(rng.integers(3)), PEAK)
    camera = compose(
        rng, tile, width, height, focal=1.5, near=150, far=1700, skyline=(0.24, 0.42), above=0.15, clear_from=0.8
    )
    samples = look(tile, camera, width)
    scene = paint_sky(rng, height, width, camera.horizon, moment, clouds=rng.uniform(0, 0.8))
    steep = 1 - samples.upright()
    patches = look_up(fractal_tile(5, 1.4), samples.x * 3, samples.y * 3)
    bare = np.clip(steep * 6 - 2.4 + (patches - 0.5) * 2, 0, 1)
    wood = np.clip((0.3 - samples.height / PEAK) * 6 + (patches - 0.5) * 5, 0, 0.75)
    white = light("#f3f6fb") + 0 * steep[..., None]
    ground = mix(mix(white, light("#5c5f66"), bare), light("#3c4a4a"), wood)
    lit = lit_ground(rng, ground, samples, moment, camera.direction, roughness=0.25)
    spread(samples, hazy(lit, samples, moment, clear=float(rng.uniform(700, 1500)), mist=1.5, peak=PEAK), scene)
    _snowy_wood(rng, scene, moment)
    if moment.name == "mist" or rng.random() < 0.3:  # noqa: PLR2004
        _snowfall(rng, scene)
    return scene


def _snowy_wood(rng: np.random.Generator, scene: Pixels, moment: Daylight) -> None:
    """A white slope in front with firs that carry snow on one side."""
    height, width = scene.shape[:2]
    tilt = rng.uniform(-0.12, 0.12)
    line = height * (
        rng.uniform(0.78, 0.9) + tilt * np.linspace(-0.5, 0.5, width) + 0.03 * ridge_line(rng, width, 2, 4, 0.4)
    )
    line = line.astype(np.float32)
    trees, crowns = Shapes(height, width), Shapes(height, width)
    for column in np.sort(rng.uniform(0, width, int(rng.integers(8, 30)))):
        size = height * rng.uniform(0.08, 0.3)
        foot = float(line[int(column)]) + size * 0.05
        state = rng.bit_generator.state
        conifer(rng, trees, float(column), foot, size)
        rng.bit_generator.state = state  # the same tree again, a little smaller and higher: what lies on its branches
        conifer(rng, crowns, float(column) - size * 0.012, foot - size * 0.035, size * 0.96)
    dark = light("#26332f") * (0.25 + moment.ambient)
    snow = light("#f3f6fb") * (moment.ambient * 0.75 + moment.sun * 0.22)
    firs = trees.mask()
    texture = np.random.default_rng(rng.integers(2**32)).random((height // 3 + 1, width // 3 + 1), dtype=np.float32)
    clumps = np.kron(texture, np.ones((3, 3), dtype=np.float32))[:height, :width]
    paint_over(scene, firs, dark)
    paint_over(scene, crowns.mask() * np.clip(blur(clumps, 4) * 3 - 1.05, 0, 0.95), snow)
    ground = Shapes(height, width)
    ground.ground(line)
    rows = np.arange(height, dtype=np.float32)[:, None]
    drifts = look_up(fractal_tile(7, 1.7), np.arange(width)[None, :] * 0.35 + 0 * rows, rows * 1.3 + 0.5 * line)
    shade = np.clip(0.72 + (drifts - 0.5) * 0.9, 0.4, 1.1)
    paint_over(scene, ground.mask(), mix(snow * 0.75, snow * 1.25, np.clip(shade, 0, 1)) * np.float32(1))


def _snowfall(rng: np.random.Generator, scene: Pixels) -> None:
    """Flakes: many small and far, a few large and out of focus."""
    height, width = scene.shape[:2]
    for count, radius, strength in ((900, 1.2, 0.55), (160, 3.0, 0.4), (26, 9.0, 0.22)):
        shapes = Shapes(height, width)
        for _ in range(count):
            shapes.disc(rng.uniform(0, width), rng.uniform(0, height), radius * rng.uniform(0.6, 1.4))
        mask = shapes.mask()
        paint_over(scene, (blur(mask, 3) if radius > 2 else mask) * strength, light("#f5f8fc"))  # noqa: PLR2004
