"""People and animals as shapes for silhouettes. Each has its feet at `foot`, and faces right if `facing` is 1."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from simulation.pictures.colour import Pixels
from simulation.pictures.trees import Shapes

_ROUND = np.linspace(0, 2 * np.pi, 48)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a figure stands, and its size in pixels. Its own coordinates are in sizes: x forwards, y upwards."""

    x: float
    foot: float
    size: float
    facing: int = 1

    def at(self, points: object) -> Pixels:
        """Points (n, 2) of the figure as pixels of the picture."""
        own = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        placed: Pixels = own * [self.facing * self.size, -self.size] + [self.x, self.foot]
        return placed


Points = list[tuple[float, float]]


def limb(shapes: Shapes, place: Place, points: Points, widths: list[float]) -> None:
    """Draw a bent limb: tapered between joints of the given diameters, and round at each."""
    pixels = place.at(points)
    halves = np.array(widths) * place.size / 2
    for (start, end), (wide, narrow) in zip(pairwise(pixels), pairwise(halves), strict=True):
        along = end - start
        normal = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-6)
        corners = (start + normal * wide, end + normal * narrow, end - normal * narrow, start - normal * wide)
        shapes.polygon(np.stack(corners))
    for (x, y), half in zip(pixels, halves, strict=True):
        shapes.disc(float(x), float(y), float(half))


def person(
    rng: np.random.Generator, shapes: Shapes, place: Place, *, walking: bool, arms: tuple[int, ...] = (1, -1)
) -> None:
    """Draw a person in trousers, a coat or a dress, standing or walking. `arms` are the sides whose arm hangs down."""
    build = float(rng.uniform(0.88, 1.1))
    _legs(shapes, place, build, walking=walking)
    _torso(rng, shapes, place, build)
    swing = float(rng.uniform(0.06, 0.12)) if walking else 0.02
    for side in arms:
        elbow, hand = (side * 0.11 * build, 0.62), (side * (0.08 + swing), 0.47)
        limb(shapes, place, [(side * 0.075 * build, 0.785), elbow, hand], [0.07 * build, 0.052, 0.036])
    limb(shapes, place, [(0.0, 0.8), (0.006, 0.88)], [0.075, 0.06])
    head = place.at([(0.01, 0.925)])[0]
    for rise, wide in ((0.0, 0.06), (0.024, 0.056)):
        shapes.disc(float(head[0]), float(head[1] - rise * place.size), wide * place.size)
    if rng.random() < 0.35:  # noqa: PLR2004  a bun of hair
        limb(shapes, place, [(-0.04, 0.975)], [0.05])


def _legs(shapes: Shapes, place: Place, build: float, *, walking: bool) -> None:
    if walking:
        legs: tuple[Points, Points] = (
            [(0.02, 0.5), (0.09, 0.27), (0.12, 0.035)],
            [(-0.02, 0.5), (-0.05, 0.27), (-0.17, 0.075)],
        )
    else:
        legs = ([(0.045, 0.5), (0.05, 0.27), (0.055, 0.03)], [(-0.045, 0.5), (-0.052, 0.27), (-0.06, 0.03)])
    for hip, knee, ankle in legs:
        limb(shapes, place, [hip, knee, ankle], [0.11 * build, 0.075 * build, 0.045])
        limb(shapes, place, [ankle, (ankle[0] + 0.055, ankle[1] - 0.015)], [0.044, 0.028])


def _torso(rng: np.random.Generator, shapes: Shapes, place: Place, build: float) -> None:
    hem = float(rng.choice([0.46, 0.46, 0.38, 0.3]))
    flare = 0.1 + 0.16 * (0.5 - hem) * float(rng.uniform(0.6, 1.6))
    right = np.array([[0.03, 0.83], [0.095, 0.8], [0.105, 0.72], [0.078, 0.6], [0.09, 0.5], [flare, hem]])
    outline = np.concatenate([right, right[::-1] * [-1, 1]]) * [build, 1]
    shapes.polygon(place.at(outline))
    limb(shapes, place, [(0.085 * build, 0.782), (-0.085 * build, 0.782)], [0.07, 0.07])


def umbrella(shapes: Shapes, place: Place) -> None:
    """Draw an open umbrella above a person."""
    angle = np.linspace(0, np.pi, 24)
    canopy = np.stack([0.36 * np.cos(angle) + 0.05, 1.0 + 0.2 * np.sin(angle) ** 0.8], axis=-1)
    edge = np.linspace(-0.31, 0.41, 41)
    scallops = np.stack([edge, 1.0 + 0.022 * np.abs(np.sin((edge + 0.31) / 0.72 * 4 * np.pi))], axis=-1)
    shapes.polygon(place.at(np.concatenate([canopy, scallops])))
    limb(shapes, place, [(0.05, 1.22), (0.05, 0.6)], [0.014, 0.014])
    limb(shapes, place, [(0.09, 0.78), (0.12, 0.66), (0.05, 0.66)], [0.06, 0.05, 0.04])


def dog(rng: np.random.Generator, shapes: Shapes, place: Place) -> None:
    """Draw a dog on its feet; its size is the height of its back."""
    stance = float(rng.uniform(-0.06, 0.06))
    for foot, top in ((-0.62, -0.5), (-0.48, -0.48), (0.38, 0.38), (0.54, 0.44)):
        limb(
            shapes,
            place,
            [
                (top, 0.75),
                (top + (0.07 if foot < 0 else -0.01), 0.36),
                (foot + stance, 0.05),
                (foot + stance + 0.06, 0.03),
            ],
            [0.26, 0.13, 0.085, 0.07],
        )
    limb(shapes, place, [(-0.5, 0.84), (0.0, 0.8), (0.44, 0.82)], [0.34, 0.34, 0.42])
    limb(shapes, place, [(0.46, 0.9), (0.66, 1.22)], [0.34, 0.22])
    limb(shapes, place, [(0.68, 1.28), (0.82, 1.24), (1.02, 1.17)], [0.27, 0.21, 0.11])
    limb(shapes, place, [(0.6, 1.36), (0.52, 1.2), (0.53, 1.1)], [0.1, 0.13, 0.06])
    limb(shapes, place, [(-0.62, 0.94), (-0.84, 1.1), (-0.93, 1.32)], [0.13, 0.09, 0.04])


def cat(shapes: Shapes, place: Place) -> None:
    """Draw a sitting cat; its size is its height without the ears."""
    limb(shapes, place, [(-0.1, 0.25), (-0.04, 0.4), (0.08, 0.68)], [0.5, 0.46, 0.28])
    limb(shapes, place, [(0.12, 0.6), (0.17, 0.3), (0.18, 0.04), (0.23, 0.03)], [0.2, 0.13, 0.1, 0.08])
    limb(shapes, place, [(-0.1, 0.13), (0.1, 0.06)], [0.26, 0.12])
    limb(shapes, place, [(0.13, 0.84), (0.17, 0.85)], [0.31, 0.29])
    shapes.polygon(place.at([(0.0, 0.92), (0.0, 1.1), (0.13, 0.98)]))
    shapes.polygon(place.at([(0.18, 0.98), (0.29, 1.1), (0.3, 0.9)]))
    tail = [(-0.3, 0.1), (-0.5, 0.06), (-0.66, 0.1), (-0.72, 0.24), (-0.64, 0.34)]
    limb(shapes, place, tail, [0.11, 0.09, 0.08, 0.07, 0.05])


def cyclist(rng: np.random.Generator, shapes: Shapes, place: Place) -> None:
    """Draw a person on a bicycle."""
    hub, radius = 0.21, 0.2
    rear, front, crank, saddle, bars = (-0.32, hub), (0.32, hub), (-0.04, 0.22), (-0.13, 0.55), (0.24, 0.6)
    turn = float(rng.uniform(0, np.pi))
    for wheel in (rear, front):
        ring = np.stack([np.cos(_ROUND), np.sin(_ROUND)], axis=-1) * radius + wheel
        shapes.line(place.at(ring), 0.02 * place.size)
        for spoke in turn + np.arange(8) * np.pi / 8:
            ends = np.array([[np.cos(spoke), np.sin(spoke)], [-np.cos(spoke), -np.sin(spoke)]]) * radius + wheel
            shapes.line(place.at(ends), 0.003 * place.size)
    for tube in ([rear, crank, bars], [rear, saddle, crank], [saddle, (0.22, 0.52)], [front, (0.22, 0.52), bars]):
        shapes.line(place.at(tube), 0.02 * place.size)
    limb(shapes, place, [saddle, (-0.2, 0.56)], [0.045, 0.04])
    limb(shapes, place, [bars, (0.3, 0.62)], [0.025, 0.025])
    for foot in ((0.02, 0.13), (-0.1, 0.31)):
        limb(
            shapes,
            place,
            [(-0.12, 0.62), (0.1, 0.45 + 0.4 * (foot[1] - 0.2)), foot, (foot[0] + 0.07, foot[1])],
            [0.13, 0.09, 0.05, 0.035],
        )
    limb(shapes, place, [(-0.12, 0.64), (-0.04, 0.78), (0.05, 0.9)], [0.15, 0.16, 0.15])
    limb(shapes, place, [(0.06, 0.91), (0.17, 0.75), (0.28, 0.64)], [0.075, 0.055, 0.04])
    limb(shapes, place, [(0.06, 0.92), (0.1, 1.0)], [0.07, 0.06])
    limb(shapes, place, [(0.11, 1.03), (0.12, 1.05)], [0.115, 0.11])


def angler(rng: np.random.Generator, shapes: Shapes, place: Place) -> None:
    """Draw a person with a fishing rod."""
    person(rng, shapes, place, walking=False, arms=(-1,))
    limb(shapes, place, [(0.09, 0.78), (0.15, 0.63), (0.27, 0.6)], [0.07, 0.052, 0.04])
    along = np.linspace(0, 1, 24)
    rod = np.stack([0.16 + 1.04 * along, 0.54 + 1.15 * along - 0.45 * along**2.2], axis=-1)
    shapes.line(place.at(rod), max(1.0, 0.011 * place.size))
    shapes.line(place.at([(1.2, 1.24), (1.24, 0.02)]), 0.6)


def photographer(rng: np.random.Generator, shapes: Shapes, place: Place) -> None:
    """Draw a person behind a camera on a tripod."""
    person(rng, shapes, place, walking=False, arms=(-1,))
    limb(shapes, place, [(0.09, 0.78), (0.18, 0.68), (0.33, 0.78)], [0.07, 0.052, 0.04])
    for foot in (0.2, 0.4, 0.58):
        limb(shapes, place, [(0.39, 0.74), (foot, 0.0)], [0.026, 0.016])
    shapes.polygon(place.at([(0.31, 0.76), (0.31, 0.87), (0.45, 0.87), (0.45, 0.76)]))
    limb(shapes, place, [(0.45, 0.815), (0.54, 0.815)], [0.09, 0.09])


def kite(rng: np.random.Generator, shapes: Shapes, place: Place, room: float) -> None:
    """Draw a person who flies a kite, which is at most `room` pixels ahead."""
    person(rng, shapes, place, walking=False, arms=(-1,))
    limb(shapes, place, [(0.08, 0.78), (0.19, 0.8), (0.26, 0.92)], [0.07, 0.052, 0.04])
    x, y = min(float(rng.uniform(1.1, 1.7)), room / place.size), float(rng.uniform(1.9, 2.4))
    shapes.polygon(place.at([(x, y + 0.24), (x + 0.15, y + 0.08), (x + 0.02, y - 0.22), (x - 0.14, y + 0.04)]))
    along = np.linspace(0, 1, 20)
    string = np.stack([0.27 + (x - 0.27) * along, 0.94 + (y - 0.94) * along**1.25], axis=-1)
    shapes.line(place.at(string), 0.7)
    tail = np.stack([x + 0.02 - 0.28 * along, y - 0.22 - 0.36 * along + 0.05 * np.sin(along * 14)], axis=-1)
    shapes.line(place.at(tail), max(1.0, 0.012 * place.size))
