"""Ranges of hills one behind the other, each paler than the one before it."""

import numpy as np

from simulation.pictures.colour import Pixels, mix
from simulation.pictures.noise import ridge_line


def paint_ridges(
    rng: np.random.Generator, scene: Pixels, *, first: float, last: float, count: int, far: Pixels, near: Pixels
) -> Pixels:
    """Paint `count` ridges in place, from the row share `first` down to `last`; returns the line of the nearest.

    Colours run from `far` to `near`, and each ridge pales downwards, where mist lies before the next one.
    """
    height, width = scene.shape[:2]
    line = np.full(width, height * first, dtype=np.float32)
    rows = np.arange(height, dtype=np.float32)[:, None]
    for number in range(count):
        share = number / max(1, count - 1)
        base = first + (last - first) * share**1.2
        swing = height * (0.035 + 0.045 * share) * rng.uniform(0.6, 1.4)
        line = base * height + swing * ridge_line(rng, width, rng.uniform(1.5, 3.5), gain=0.42 + 0.08 * (1 - share))
        top = max(0, int(line.min()) - 1)
        depth = rows[top:] - line
        colour = mix(far, near, share**0.8)
        pale = np.clip(depth / (height * 0.22), 0, 1) * (0.45 * (1 - share))
        scene[top:] = mix(scene[top:], mix(colour + 0 * pale[..., None], far, pale), np.clip(depth + 0.5, 0, 1))
    return line.astype(np.float32)
