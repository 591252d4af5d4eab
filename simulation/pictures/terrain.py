"""Landscapes in true perspective: a height map seen from a camera.

Each column of the picture looks along one ray over the height map, from near to far; what a ray has not yet seen hidden
behind something nearer is visible (the "voxel space" method). All colouring is done on the samples of the rays,
which are far fewer than pixels times octaves of noise, and only then spread over the pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from simulation.pictures.colour import Pixels, mix
from simulation.pictures.daylight import Daylight
from simulation.pictures.noise import TILE, band, fractal_tile

_COLUMNS = 3  # one ray for so many columns of the picture
_CANDIDATES = 24  # views tried before one is painted


@lru_cache(maxsize=6)
def mountain_tile(kind: int, peak: float) -> Pixels:
    """Height, slope to the right and slope downwards of a seamless mountain range (TILE, TILE, 3), in texels.

    Octaves of ridged noise, each weaker where the ground is already steep (as if eroded) and stronger on high ground, so
    that valleys are smooth and summits are rough.
    """
    rng = np.random.default_rng((kind, 11))
    height = band(rng, 2.3) * 0.9
    frequency, amplitude = 4.6, 0.5
    for _ in range(8):
        across, down = _slopes(height)
        steep = (across**2 + down**2) * (TILE / 40) ** 2
        above = (height - height.mean()) / height.std()
        ridges = 1 - np.sqrt(band(rng, frequency) ** 2 + 0.01)
        height = height + amplitude * ridges * np.clip(0.6 + 0.35 * above, 0.12, 1.6) / (1 + steep)
        frequency, amplitude = frequency * 2, amplitude * 0.5
    height -= np.percentile(height, 1)
    return with_slopes(np.maximum(height, height * 0.2) / height.max() * peak)


@lru_cache(maxsize=4)
def dune_tile(kind: int, peak: float) -> Pixels:
    """Sand dunes, gentle on the side of the wind and steep behind their crests; as `mountain_tile`."""
    rng = np.random.default_rng((kind, 13))
    rows, columns = np.mgrid[0:TILE, 0:TILE].astype(np.float32) / TILE
    height = np.zeros((TILE, TILE), dtype=np.float32)
    for waves, size, bend in ((7, 1.0, 0.9), (16, 0.28, 1.6)):
        phase = (columns + 0.35 * rows.round() + bend / waves * band(rng, 3) * 0.55) * waves % 1
        crest = np.where(
            phase < 0.72, 0.5 - 0.5 * np.cos(np.pi * phase / 0.72), 0.5 + 0.5 * np.cos(np.pi * (phase - 0.72) / 0.28)
        )
        height += size * crest * np.clip(0.75 + 0.4 * band(rng, 3), 0.1, 1.6)
    height += 0.5 * band(rng, 1.6)
    height -= height.min()
    return with_slopes(height / height.max() * peak)


def with_slopes(height: Pixels) -> Pixels:
    """A height map together with its slopes (TILE, TILE, 3)."""
    return np.ascontiguousarray(np.stack([height, *_slopes(height)], axis=-1), dtype=np.float32)


def _slopes(height: Pixels) -> tuple[Pixels, Pixels]:
    across = (np.roll(height, -1, axis=1) - np.roll(height, 1, axis=1)) / 2
    down = (np.roll(height, -1, axis=0) - np.roll(height, 1, axis=0)) / 2
    return across, down


@dataclass(frozen=True, slots=True)
class Camera:
    """Where the picture is taken from: position and height in texels, direction, and the lens.

    `horizon` is the row of the true horizon, `focal` the focal length in pixels, `near` and `far` bound the view.
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
    """What the rays met, all (rays in depth, rays across): distance in texels, height, slopes, position, picture row."""

    distance: Pixels  # (depth, 1)
    height: Pixels
    across: Pixels
    down: Pixels
    x: Pixels
    y: Pixels
    row: Pixels

    def upright(self) -> Pixels:
        """How level the ground is: 1 flat, towards 0 a wall."""
        level: Pixels = 1 / np.sqrt(1 + self.across**2 + self.down**2)
        return level

    def sunlight(self, azimuth: float, elevation: float, roughness: float) -> Pixels:
        """Share of the sun's light each sample receives, 0 to 1; `roughness` adds relief finer than the map's."""
        detail = with_slopes_cached()
        at = (self.y * 4).astype(np.int32) % TILE * TILE + (self.x * 4).astype(np.int32) % TILE
        across = self.across + roughness * detail[at, 0]
        down = self.down + roughness * detail[at, 1]
        to_x, to_y = np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation)
        facing = (np.sin(elevation) - across * to_x - down * to_y) / np.sqrt(1 + across**2 + down**2)
        return np.clip(facing, 0, 1).astype(np.float32)


@lru_cache(maxsize=1)
def with_slopes_cached() -> Pixels:
    """Slopes (TILE * TILE, 2) of fine relief that is laid over every height map."""
    across, down = _slopes(fractal_tile(9, 1.1) * 14)
    return np.stack([across.ravel(), down.ravel()], axis=-1).astype(np.float32)


def look(tile: Pixels, camera: Camera, width: int, *, step: float = 0.0032, columns: int = _COLUMNS) -> Samples:
    """Send rays over `tile`; `step` is their spacing in depth as a share of the distance."""
    count = int(np.log(camera.far / camera.near) / np.log1p(step)) + 1
    distance = (camera.near * (1 + step) ** np.arange(count)).astype(np.float32)[:, None]
    aside = (np.arange(width // columns + 2, dtype=np.float32)[None, :] * columns - width / 2) / camera.focal
    cosine, sine = np.float32(np.cos(camera.direction)), np.float32(np.sin(camera.direction))
    x = np.float32(camera.x) + distance * (cosine - sine * aside)
    y = np.float32(camera.y) + distance * (sine + cosine * aside)
    column, row = np.rint(x), np.rint(y)
    ground = tile.reshape(-1, 3)[row.astype(np.int32) % TILE * TILE + column.astype(np.int32) % TILE]
    # nearest texel plus its slopes: as smooth as bilinear, at a quarter of the look-ups
    height = ground[..., 0] + ground[..., 1] * (x - column) + ground[..., 2] * (y - row)
    return Samples(
        distance,
        height,
        ground[..., 1],
        ground[..., 2],
        x,
        y,
        camera.horizon - (height - camera.height) / distance * camera.focal,
    )


def compose(
    rng: np.random.Generator,
    tile: Pixels,
    width: int,
    height: int,
    *,
    focal: float,
    near: float,
    far: float,
    skyline: tuple[float, float],
    above: float,
    clear_from: float,
) -> Camera:
    """A camera with a good view: of a few tried, the one whose skyline is liveliest within `skyline`.

    `skyline` bounds its mean row as shares of the picture's height; `above` is how far above the ground, as a share of
    the highest peak, the camera floats. Nothing nearer than `near` may reach above the row `clear_from`, also a share.
    """
    peak = float(tile[..., 0].max())
    best, best_score = None, -np.inf
    for _ in range(_CANDIDATES):
        x, y = rng.uniform(0, TILE, 2)
        ground = float(tile[int(y) % TILE, int(x) % TILE, 0])
        camera = Camera(
            x=float(x),
            y=float(y),
            height=ground + above * peak * float(rng.uniform(0.8, 1.4)),
            direction=float(rng.uniform(0, 2 * np.pi)),
            horizon=height * float(rng.uniform(*skyline)) + 0.06 * height,
            focal=width * focal,
            near=near,
            far=far,
        )
        rows = look(tile, camera, width, step=0.03, columns=40).row
        tops = rows.min(axis=0) / height
        nearest = float(rows[0].min()) / height
        outside = max(0.0, skyline[0] - float(tops.mean())) + max(0.0, float(tops.mean()) - skyline[1])
        score = (
            float(tops.std())
            - 3 * outside
            - 4 * max(0.0, 0.12 - float(tops.min()))
            - 4 * max(0.0, clear_from - nearest)
        )
        if score > best_score:
            best, best_score = camera, score
    if best is None:
        raise AssertionError("at least one view is tried")
    return best


def hazy(colour: Pixels, samples: Samples, moment: Daylight, *, clear: float, mist: float, peak: float) -> Pixels:
    """`colour` (depth, across, 3) seen through air: `clear` is the distance at which a third remains.

    `mist` thickens the air near the ground, `peak` is the height at which it is gone.
    """
    away = np.maximum(samples.distance - samples.distance[0] * 1.5, 0)
    thickness = away / clear * (1 + mist * np.exp(-np.maximum(samples.height, 0) / peak * 5))
    share = 1 - np.exp(-thickness)
    return mix(colour, mix(moment.haze, moment.horizon, 0.35), share[..., None])


def spread(samples: Samples, colour: Pixels, behind: Pixels, columns: int = _COLUMNS) -> NDArray[np.bool_]:
    """Paint `colour` of the samples over the pixels of `behind`, in place; returns what was covered."""
    height, width = behind.shape[:2]
    widen = _widener(width, columns)
    row = widen(samples.row)
    depth = row.shape[0]
    seen = np.minimum.accumulate(row, axis=0)
    visible = np.ones_like(row, dtype=bool)
    visible[1:] = row[1:] < seen[:-1]
    first = np.full((height + 1, width), depth, dtype=np.int32)
    far_to_near = tuple(index[::-1] for index in np.nonzero(visible))
    top = np.clip(np.ceil(row[far_to_near]), 0, height).astype(np.int32)
    first[top, far_to_near[1]] = far_to_near[0]  # of several samples in one pixel the nearest is written last
    first = np.minimum.accumulate(first, axis=0)[:height]
    covered = first < depth
    start = int(np.argmax(covered.any(axis=1)))
    here = np.minimum(first[start:], depth - 1)
    before = np.maximum(here - 1, 0)
    flat_here, flat_before = here * width + np.arange(width), before * width + np.arange(width)
    row_here, row_before = row.ravel()[flat_here], row.ravel()[flat_before]
    rows = np.arange(start, height, dtype=np.float32)[:, None]
    share = np.clip((rows - row_before) / (row_here - row_before - 1e-6), 0, 1)
    # where the sample before was hidden, this one is the top of a ridge and nothing lies between them
    share[~visible.ravel()[flat_before]] = 1
    colours = np.stack([widen(colour[..., channel]) for channel in range(3)], axis=-1).reshape(-1, 3)
    painted = colours[flat_before]
    painted += (colours[flat_here] - painted) * share[..., None]
    edge = np.clip(rows - seen[-1][None, :], 0, 1) * covered[start:]
    behind[start:] += (painted - behind[start:]) * edge[..., None]
    return covered


def _widener(width: int, columns: int) -> Callable[[Pixels], Pixels]:
    """From rays to columns of the picture, linear."""
    at = np.arange(width) / columns
    left = at.astype(np.int32)
    share = (at - left).astype(np.float32)

    def widen(values: Pixels) -> Pixels:
        start = values[:, left]
        return start + (values[:, left + 1] - start) * share

    return widen
