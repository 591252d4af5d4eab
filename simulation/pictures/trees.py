"""Trees and other silhouettes: masks that are painted over a scene."""

import numpy as np
from PIL import Image, ImageDraw

from simulation.pictures.colour import Pixels

_FINE = 2  # supersampling factor, for smooth edges


class Shapes:
    """A mask of shapes for a picture of `height` x `width`. Coordinates are pixels of the picture."""

    def __init__(self, height: int, width: int) -> None:
        self._size = (width, height)
        self._image = Image.new("L", (width * _FINE, height * _FINE))
        self._draw = ImageDraw.Draw(self._image)

    def polygon(self, points: Pixels) -> None:
        """Fill a polygon (n, 2) of x and y."""
        self._draw.polygon((points * _FINE).ravel().tolist(), fill=255)

    def line(self, points: Pixels, thickness: float) -> None:
        """Draw a line along (n, 2) of x and y."""
        self._draw.line(
            (points * _FINE).ravel().tolist(), fill=255, width=max(1, round(thickness * _FINE)), joint="curve"
        )

    def disc(self, x: float, y: float, radius: float) -> None:
        """Fill a disc."""
        box = ((x - radius) * _FINE, (y - radius) * _FINE, (x + radius) * _FINE, (y + radius) * _FINE)
        self._draw.ellipse(box, fill=255)

    def ground(self, line: Pixels) -> None:
        """Fill everything below `line`, which has one row per column."""
        width, height = self._size
        columns = np.arange(0, width + 4, 4).clip(0, width - 1)
        points = np.stack([columns, line[columns]], axis=-1)
        self.polygon(np.concatenate([points, [[width, height + 1], [0, height + 1]]]))

    def mask(self) -> Pixels:
        """Coverage (height, width), 0 to 1."""
        width, height = (edge // _FINE for edge in self._image.size)
        mask = np.zeros((height, width), dtype=np.float32)
        if box := self._image.getbbox():  # most shapes cover a small part of the picture
            left, top, right, bottom = box[0] // _FINE, box[1] // _FINE, -(-box[2] // _FINE), -(-box[3] // _FINE)
            part = self._image.crop((left * _FINE, top * _FINE, right * _FINE, bottom * _FINE)).reduce(_FINE)
            mask[top:bottom, left:right] = np.asarray(part, dtype=np.float32) / 255
        return mask


def conifer(rng: np.random.Generator, shapes: Shapes, x: float, foot: float, size: float) -> None:
    """Draw a spruce: whorls of drooping branches that get shorter towards the top."""
    whorls = int(np.clip(size / 5, 8, 34))
    spread = size * rng.uniform(0.15, 0.22)
    level = np.linspace(0.05, 0.94, whorls)
    reach = spread * (1 - level) ** 0.8 * rng.uniform(0.6, 1.15, (2, whorls)) + size * 0.01
    sides = []
    for sign, length in zip((-1, 1), reach, strict=True):
        rows = foot - (level + rng.normal(0, 0.25 / whorls, whorls)) * size
        tips = np.stack([x + sign * length, rows + length * 0.3], axis=-1)
        notches = np.stack([x + sign * length * rng.uniform(0.45, 0.7, whorls), rows - 0.55 * size / whorls], axis=-1)
        sides.append(np.stack([tips, notches], axis=1).reshape(-1, 2))
    shapes.polygon(np.concatenate([sides[0], [[x, foot - size]], sides[1][::-1]]))
    shapes.line(np.array([[x, foot], [x, foot - size * 0.9]]), max(1.0, size * 0.022))


def broadleaf(rng: np.random.Generator, shapes: Shapes, x: float, foot: float, size: float) -> None:
    """Draw a deciduous tree: branches that fork repeatedly, with small leaves at their ends."""
    leafy = rng.random() < 0.75  # noqa: PLR2004
    limbs = [(x, foot, rng.normal(0, 0.06), size * 0.3, size * 0.034, 0)]
    while limbs:
        at_x, at_y, angle, length, thickness, forks = limbs.pop()
        tip_x, tip_y = at_x + np.sin(angle) * length, at_y - np.cos(angle) * length
        shapes.line(np.array([[at_x, at_y], [tip_x, tip_y]]), thickness)
        if forks >= 3 and leafy:  # noqa: PLR2004
            for aside, up, radius in rng.normal(0, 1, (int(3 + forks), 3)) * size * [0.022, 0.018, 0.005]:
                shapes.disc(tip_x + aside, tip_y + up, abs(radius) + size * 0.004)
        if forks < 7:  # noqa: PLR2004
            for side in (-1, 1):
                turn = angle * 0.95 + side * rng.uniform(0.16, 0.5)
                limbs.append((tip_x, tip_y, turn, length * rng.uniform(0.68, 0.84), thickness * 0.68, forks + 1))


def grass(rng: np.random.Generator, shapes: Shapes, line: Pixels, count: int, size: float) -> None:
    """Draw blades of grass along `line`, bent by the wind."""
    wind = rng.normal(0, 0.5)
    for column in rng.integers(0, len(line), count):
        length = size * rng.uniform(0.3, 1)
        bend = length * (wind + rng.normal(0, 0.3)) * 0.5
        foot, half = float(line[column]) + 2, size * 0.02
        middle = [column + bend * 0.35, foot - length * 0.6]
        shapes.polygon(np.array([[column - half, foot], middle, [column + bend, foot - length], [column + half, foot]]))


def paint_over(scene: Pixels, mask: Pixels, colour: Pixels) -> None:
    """Blend `colour`, (3, 1, 1) or (3, height, width), into `scene` by the coverage `mask`, in place."""
    rows = np.flatnonzero(mask.any(axis=1))
    if len(rows):
        part = slice(rows[0], rows[-1] + 1)
        for plane, paint in zip(scene, colour, strict=True):
            shade = paint if paint.shape[0] == 1 else paint[part]
            plane[part] += (shade - plane[part]) * mask[part]
