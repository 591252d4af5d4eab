"""Chooses a camera: a few random cameras are rendered coarsely, and the one with the best view is kept."""

from dataclasses import dataclass

import numpy as np

from simulation.pictures.colour import Pixels
from simulation.pictures.noise import TILE
from simulation.pictures.terrain import Camera, look

_CANDIDATES = 24


@dataclass(frozen=True, slots=True)
class View:
    """The requirements of a view. Rows are shares of the picture's height.

    `skyline` bounds the mean row of the skyline. `focal` is the focal length in widths of the picture. `near` and `far`
    bound the view in texels. Ground at the distance `near` must stay below the row `clear_from`. `above` is the
    camera's height above the ground as a share of the highest peak.
    """

    skyline: tuple[float, float]
    focal: float
    near: float
    far: float
    clear_from: float
    above: float


def compose(rng: np.random.Generator, tile: Pixels, size: tuple[int, int], view: View) -> Camera:
    """The candidate camera with the most varied skyline within the bounds of `view`."""
    candidates = [_camera(rng, tile, size, view) for _ in range(_CANDIDATES)]
    scores = [_score(tile, size, camera, view) for camera in candidates]
    return candidates[int(np.argmax(scores))]


def _camera(rng: np.random.Generator, tile: Pixels, size: tuple[int, int], view: View) -> Camera:
    height, width = size
    x, y = rng.uniform(0, TILE, 2)
    return Camera(
        x=float(x),
        y=float(y),
        height=float(tile[0, int(y), int(x)] + view.above * tile[0].max() * rng.uniform(0.8, 1.4)),
        direction=float(rng.uniform(0, 2 * np.pi)),
        horizon=height * (float(rng.uniform(*view.skyline)) + 0.06),
        focal=width * view.focal,
        near=view.near,
        far=view.far,
    )


def _score(tile: Pixels, size: tuple[int, int], camera: Camera, view: View) -> float:
    height, width = size
    rows = look(tile, camera, width, step=0.03, columns=40).row / height
    skyline = rows.min(axis=0)
    low, high = view.skyline
    outside = max(0.0, low - float(skyline.mean())) + max(0.0, float(skyline.mean()) - high)
    cut_off = max(0.0, 0.12 - float(skyline.min()))
    blocked = max(0.0, view.clear_from - float(rows[0].min()))
    return float(skyline.std()) - 3 * outside - 4 * cut_off - 4 * blocked
