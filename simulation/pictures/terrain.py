"""Landscapes in perspective: a height map seen from a camera.

Each ray follows one column of the picture over the height map, from near to far. A sample is visible if no nearer
sample is above it (the "voxel space" method). Colours are computed for the samples, which are far fewer than the
pixels, and then interpolated over the picture.
"""

import math
from dataclasses import dataclass

import numpy as np

from simulation.pictures.colour import Pixels, mix
from simulation.pictures.daylight import Daylight
from simulation.pictures.heights import fine_relief
from simulation.pictures.noise import TILE, fractal_tile, grain_of, look_up, mix_of

COLUMNS = 3  # columns of the picture per ray


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera: position and height in texels, direction in radians, and the lens.

    `horizon` is the row of the true horizon, `focal` the focal length in pixels. `near` and `far` bound the view in
    texels.
    """

    x: float
    y: float
    height: float
    direction: float
    horizon: float
    focal: float
    near: float
    far: float


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples along the rays: distance and height in texels, slopes, position on the map, row in the picture.

    All arrays are (samples in depth, rays across).
    """

    distance: Pixels  # (depth, 1)
    height: Pixels
    across: Pixels
    down: Pixels
    x: Pixels
    y: Pixels
    row: Pixels

    def upright(self) -> Pixels:
        """The vertical part of the ground's normal: 1 on flat ground, 0 on a wall."""
        level: Pixels = 1 / np.sqrt(1 + self.across**2 + self.down**2)
        return level

    def sunlight(self, azimuth: float, elevation: float, roughness: float) -> Pixels:
        """Share of the sun's light that each sample receives, 0 to 1. `roughness` is the strength of fine relief."""
        at = (self.y * 4).astype(np.int64) % TILE * TILE + (self.x * 4).astype(np.int64) % TILE
        fine_across, fine_down = fine_relief()
        across, down = self.across + roughness * fine_across.take(at), self.down + roughness * fine_down.take(at)
        # Python floats, because numpy scalars would promote the arrays to double precision
        to_x, to_y = math.cos(azimuth) * math.cos(elevation), math.sin(azimuth) * math.cos(elevation)
        facing = (math.sin(elevation) - across * to_x - down * to_y) / np.sqrt(1 + across**2 + down**2)
        shares: Pixels = np.clip(facing, 0, 1).astype(np.float32)
        return shares


def look(tile: Pixels, camera: Camera, width: int, *, step: float = 0.0034, columns: int = COLUMNS) -> Samples:
    """Cast rays over the height map `tile`. `step` is the spacing of samples as a share of their distance."""
    count = int(np.log(camera.far / camera.near) / np.log1p(step)) + 1
    distance = (camera.near * (1 + step) ** np.arange(count)).astype(np.float32)[:, None]
    aside = (np.arange(width // columns + 2, dtype=np.float32)[None, :] * columns - width / 2) / camera.focal
    cosine, sine = np.float32(np.cos(camera.direction)), np.float32(np.sin(camera.direction))
    x = np.float32(camera.x) + distance * (cosine - sine * aside)
    y = np.float32(camera.y) + distance * (sine + cosine * aside)
    nearest = np.rint(y).astype(np.int64) % TILE * TILE + np.rint(x).astype(np.int64) % TILE
    height = look_up(tile[0], x, y)
    row = camera.horizon - (height - camera.height) / distance * camera.focal
    return Samples(distance, height, tile[1].take(nearest), tile[2].take(nearest), x, y, row)


def hazy(colour: Pixels, samples: Samples, moment: Daylight, *, clear: float, mist: float, peak: float) -> Pixels:
    """`colour` (3, depth, across) seen through air. `clear` is the distance at which a third of it remains.

    `mist` is the additional density of the air at the ground. It falls with height and is gone at `peak`.
    """
    away = np.maximum(samples.distance - samples.distance[0] * 1.5, 0)
    thickness = away / clear * (1 + mist * np.exp(np.maximum(samples.height, 0) * (-5 / peak)))
    return mix(colour, mix(moment.haze, moment.horizon, 0.35), 1 - np.exp(-thickness))


def spread(rng: np.random.Generator, samples: Samples, colour: Pixels, behind: Pixels, *, texture: float) -> None:
    """Paint the samples in `colour` (3, depth, across) over the pixels of `behind`, in place.

    `texture` is the strength of the fine structure of near ground between the samples.
    """
    _, height, width = behind.shape
    row = _widen(samples.row, width)
    seen = np.minimum.accumulate(row, axis=0)
    visible = np.ones(row.shape, dtype=bool)
    visible[1:] = row[1:] < seen[:-1]
    depth = len(row)
    first = np.full((height + 1, width), depth, dtype=np.int32)
    ray, column = (index[::-1] for index in np.nonzero(visible))
    # if several samples fall into one pixel, the nearest one is written last
    first[np.clip(np.ceil(row[ray, column]), 0, height).astype(np.int64), column] = ray
    first = np.minimum.accumulate(first, axis=0)[:height]
    start = int(np.argmax((first < depth).any(axis=1)))
    covered = first[start:] < depth
    here = np.minimum(first[start:], depth - 1).astype(np.int64)
    at = here * width + np.arange(width)
    before = np.maximum(at - width, at % width)
    row_here, row_before = row.take(at), row.take(before)
    rows = np.arange(start, height, dtype=np.float32)[:, None]
    share = np.clip((rows - row_before) / (row_here - row_before - 1e-6), 0, 1)
    # if the previous sample was hidden, this one is the top of a ridge: do not interpolate
    share[~visible.take(before)] = 1
    near = np.exp(-(samples.distance[:, 0] - samples.distance[0]) / 500)
    fine = 1 + texture * (grain_of(rng, fractal_tile(6, 0.7), *here.shape) - 0.5) * near.take(here)
    top = np.clip(np.ceil(seen[-1]), 1, height - 1).astype(np.int64)
    part = np.clip(top - seen[-1], 0, 1)  # share of land in the pixel at the skyline, for a smooth edge
    across = np.arange(width)
    for channel in range(3):
        plane = behind[channel]
        ground = mix_of(_widen(colour[channel], width).ravel(), before, at, share)
        ground *= fine
        np.copyto(plane[start:], ground, where=covered)
        plane[top - 1, across] += (plane[top, across] - plane[top - 1, across]) * part


def _widen(values: Pixels, width: int) -> Pixels:
    """Interpolate linearly from rays to columns of the picture."""
    steps = np.diff(values, axis=1)
    wide = np.empty((*steps.shape, COLUMNS), dtype=np.float32)
    for column in range(COLUMNS):
        wide[..., column] = values[:, :-1] + steps * np.float32(column / COLUMNS)
    return np.ascontiguousarray(wide.reshape(len(values), -1)[:, :width])
