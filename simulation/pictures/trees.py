"""Trees and other near things as dark shapes: masks that are painted over a scene."""

import numpy as np
from PIL import Image, ImageDraw

from simulation.pictures.colour import Pixels

_FINE = 2  # shapes are drawn this much larger and shrunk, so that their edges are smooth


class Shapes:
    """A drawing of shapes over a picture of `height` x `width`; coordinates are pixels of the picture."""

    def __init__(self, height: int, width: int) -> None:
        self._size = (width, height)
        self._image = Image.new("L", (width * _FINE, height * _FINE))
        self._draw = ImageDraw.Draw(self._image)

    def polygon(self, points: Pixels) -> None:
        """Fill a polygon (n, 2) of x and y."""
        self._draw.polygon([(float(x), float(y)) for x, y in points * _FINE], fill=255)

    def line(self, points: Pixels, thickness: float) -> None:
        """Draw a line along (n, 2) of x and y."""
        flat = [(float(x), float(y)) for x, y in points * _FINE]
        self._draw.line(flat, fill=255, width=max(1, round(thickness * _FINE)), joint="curve")

    def disc(self, x: float, y: float, radius: float) -> None:
        """Fill a disc."""
        box = ((x - radius) * _FINE, (y - radius) * _FINE, (x + radius) * _FINE, (y + radius) * _FINE)
        self._draw.ellipse(box, fill=255)

    def ground(self, line: Pixels) -> None:
        """Fill everything below `line`, a row for each column."""
        width, height = self._size
        columns = np.arange(0, width + 4, 4).clip(0, width - 1)
        points = np.stack([columns, line[columns]], axis=-1)
        self.polygon(np.concatenate([points, [[width, height + 1], [0, height + 1]]]))

    def mask(self) -> Pixels:
        """Coverage (height, width), 0 to 1."""
        return np.asarray(self._image.reduce(_FINE), dtype=np.float32) / 255


def conifer(rng: np.random.Generator, shapes: Shapes, x: float, foot: float, size: float) -> None:
    """A spruce: whorls of drooping branches that get shorter towards the top."""
    whorls = int(np.clip(size / 7, 7, 26))
    spread = size * rng.uniform(0.16, 0.24)
    level = np.linspace(0.06, 0.93, whorls)
    reach = spread * (1 - level) ** 0.85 * rng.uniform(0.72, 1.12, (2, whorls)) + size * 0.012
    top = foot - size
    sides = []
    for side, sign in ((0, -1), (1, 1)):
        tips = np.stack([x + sign * reach[side], foot - level * size + reach[side] * 0.28], axis=-1)
        notches = np.stack([x + sign * reach[side] * 0.42, foot - (level + 0.5 / whorls) * size], axis=-1)
        sides.append(np.stack([tips, notches], axis=1).reshape(-1, 2))
    shapes.polygon(np.concatenate([sides[0], [[x, top]], sides[1][::-1]]))
    shapes.line(np.array([[x, foot], [x, top + size * 0.1]]), max(1.0, size * 0.022))


def broadleaf(rng: np.random.Generator, shapes: Shapes, x: float, foot: float, size: float) -> None:
    """A round-headed tree: a trunk that forks into limbs, each with a cloud of leaves."""
    shapes.line(np.array([[x, foot], [x + rng.normal(0, size * 0.02), foot - size * 0.45]]), size * 0.045)
    for _ in range(9):
        angle, far = rng.uniform(-1.25, 1.25), rng.uniform(0.25, 0.62)
        tip_x, tip_y = x + np.sin(angle) * far * size * 0.62, foot - size * (0.32 + np.cos(angle) * far * 0.75)
        shapes.line(np.array([[x, foot - size * 0.3], [tip_x, tip_y]]), size * 0.016)
        for _ in range(16):
            offset = rng.normal(0, size * 0.055, 2)
            shapes.disc(tip_x + offset[0], tip_y + offset[1], size * rng.uniform(0.012, 0.042))


def grass(rng: np.random.Generator, shapes: Shapes, line: Pixels, count: int, size: float) -> None:
    """Blades that grow from `line`, bent by the wind."""
    width = len(line)
    wind = rng.normal(0, 0.5)
    for column in rng.integers(0, width, count):
        length = size * rng.uniform(0.3, 1)
        bend = length * (wind + rng.normal(0, 0.3)) * 0.5
        foot = float(line[column]) + 2
        tip = [column + bend, foot - length]
        shapes.polygon(
            np.array(
                [
                    [column - size * 0.02, foot],
                    [column + bend * 0.35, foot - length * 0.6],
                    tip,
                    [column + size * 0.02, foot],
                ]
            )
        )


def paint_over(scene: Pixels, mask: Pixels, colour: Pixels) -> None:
    """Blend `colour` (3,) or (height, width, 3) into `scene` where `mask` covers it, in place."""
    rows = np.flatnonzero(mask.any(axis=1))
    if len(rows):
        part = slice(rows[0], rows[-1] + 1)
        paint = colour[part] if colour.ndim == 3 else colour  # noqa: PLR2004
        scene[part] += (paint - scene[part]) * mask[part, :, None]
