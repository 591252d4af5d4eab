"""Ranges of hills behind each other, paler with distance."""

from dataclasses import dataclass

import numpy as np

from simulation.pictures.colour import Pixels, mix
from simulation.pictures.noise import ridge_line


@dataclass(frozen=True, slots=True)
class Ranges:
    """`count` ridges between the rows `first` and `last` (shares of the height), in colours from `far` to `near`."""

    count: int
    first: float
    last: float
    far: Pixels
    near: Pixels


def paint_ridges(rng: np.random.Generator, scene: Pixels, ranges: Ranges) -> Pixels:
    """Paint the ridges into `scene` and return the line of the nearest ridge: its row in each column.

    Each ridge gets paler downwards, because of the mist in front of the next one.
    """
    _, height, width = scene.shape
    line = np.full(width, height * ranges.first, dtype=np.float32)
    rows = np.arange(height, dtype=np.float32)[:, None]
    for number in range(ranges.count):
        share = number / max(1, ranges.count - 1)
        base = ranges.first + (ranges.last - ranges.first) * share**1.2
        swing = height * (0.035 + 0.045 * share) * rng.uniform(0.6, 1.4)
        roughness = 0.42 + 0.08 * (1 - share)
        line = np.float32(base * height) + np.float32(swing) * ridge_line(
            rng, width, rng.uniform(1.5, 3.5), gain=roughness
        )
        top = max(0, int(line.min()) - 1)
        colour = mix(ranges.far, ranges.near, share**0.8)
        # the mist follows the mean of the line, so that it needs only one value per row
        pale = np.clip((rows[top:] - line.mean()) / (height * 0.22), 0, 1) * (0.45 * (1 - share))
        shade = mix(colour, ranges.far, pale)
        edge = np.clip(rows[top:] - line + 0.5, 0, 1)
        for channel in range(3):
            plane = scene[channel, top:]
            plane += (shade[channel] - plane) * edge
    return line
