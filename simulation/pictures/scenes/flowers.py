"""Flowers close up, sharp in front of a blurred meadow."""

import math
from dataclasses import dataclass

import numpy as np

from simulation.pictures.colour import Pixels, light, mix, smoothstep
from simulation.pictures.daylight import Daylight, daylight
from simulation.pictures.depiction import Depiction, depict
from simulation.pictures.noise import blur, enlarge, fractal_tile, look_up
from simulation.pictures.sky import add_glow
from simulation.pictures.trees import Shapes, paint_over

_SOFT_GRID = 4  # blurred flowers are painted at a quarter of the size


@dataclass(frozen=True, slots=True)
class Bloom:
    """A kind of flower: `whorls` of petals around an eye. `slender` is 0.4 (broad petals) to 1 (pointed petals)."""

    name: str
    petals: int
    whorls: int
    step: float  # decrease in size from each whorl to the next inner one
    slender: float
    eye: float
    base: str
    tip: str
    eye_colour: str


_BLOOMS = (
    Bloom("daisy", 21, 2, 0.14, 0.9, 0.24, "#f2ecdc", "#ffffff", "#e8b21e"),
    Bloom("poppy", 5, 2, 0.14, 0.4, 0.16, "#5a0a10", "#e2301f", "#1c1420"),
    Bloom("cosmos", 8, 1, 0.0, 0.55, 0.16, "#b02a7a", "#f2a3cf", "#eab93a"),
    Bloom("sunflower", 30, 2, 0.14, 0.9, 0.36, "#e08a10", "#ffd02a", "#3a1f10"),
    Bloom("dahlia", 14, 6, 0.137, 0.6, 0.05, "#c2402a", "#ffb277", "#a8341f"),
    Bloom("dahlia", 16, 6, 0.137, 0.6, 0.05, "#7a1f6a", "#e58fd6", "#5a1450"),
    Bloom("cornflower", 13, 2, 0.14, 0.8, 0.2, "#27379c", "#7d9bf0", "#2a1f52"),
    Bloom("anemone", 6, 1, 0.0, 0.45, 0.12, "#f3d9b0", "#fff6e6", "#d9a52a"),
)
_LEAVES = ("#3f5f2a", "#4c6b34", "#2f5540", "#5f6d2e")


@dataclass(frozen=True, slots=True)
class Disc:
    """A flower head or blurred point in the picture: centre, radius and blur radius `soft`, all in pixels."""

    x: float
    y: float
    radius: float
    soft: float


def paint(rng: np.random.Generator, height: int, width: int) -> Depiction:
    """One to three flowers in focus, and more of them blurred behind."""
    moment = daylight(rng, "day", "golden", "golden", "dawn", "mist")
    leaf = light(str(rng.choice(_LEAVES)))
    bloom = _BLOOMS[rng.integers(len(_BLOOMS))]
    lit = moment.ambient * 0.55 + moment.sun * 0.5
    scene = _meadow(rng, (height, width), moment, leaf, bloom)
    size = min(height, width)
    behind = [
        Disc(rng.uniform(0, width), height * rng.uniform(0.3, 1), size * rng.uniform(0.05, 0.12), size * 0.014)
        for _ in range(int(rng.integers(4, 10)))
    ]
    front = [Disc(width * rng.uniform(0.35, 0.65), height * rng.uniform(0.33, 0.5), size * rng.uniform(0.22, 0.32), 0)]
    for side in rng.choice([0.2, 0.8], size=int(rng.integers(0, 3)), replace=False):
        x, y = width * (side + rng.uniform(-0.1, 0.1)), height * rng.uniform(0.4, 0.6)
        front.insert(0, Disc(x, y, size * rng.uniform(0.12, 0.18), 0))
    for heads in (behind, front):
        _stems(rng, scene, heads, leaf * 0.8 * lit)
        for head in heads:
            _flower(rng, scene, bloom, head, lit)
    return depict(scene, moment.name, bloom.name)


def _meadow(rng: np.random.Generator, size: tuple[int, int], moment: Daylight, leaf: Pixels, bloom: Bloom) -> Pixels:
    """The blurred background: sky above, green below, discs of light."""
    height, width = size
    y, x = np.mgrid[0:height:16, 0:width:16].astype(np.float32)
    patches = look_up(fractal_tile(1, 2.2), x * 0.6 + rng.uniform(0, 1024), y * 0.6 + rng.uniform(0, 1024))
    low = smoothstep(-0.2, 0.55, y / height + (patches - 0.5) * 0.8)
    green = leaf * (0.55 + 1.1 * patches) * (moment.ambient * 0.6 + moment.sun * 0.45)
    scene = enlarge(mix(mix(moment.horizon, moment.glow, 0.3) * 0.7, green, 0.25 + 0.75 * low), height, width)
    tints = (light(bloom.tip) * 0.5, moment.glow * 0.45, leaf * 1.6)
    for _ in range(int(rng.integers(25, 60))):
        disc = Disc(rng.uniform(0, width), rng.uniform(0, height), width * rng.uniform(0.012, 0.05), 0)
        _bokeh(scene, disc, tints[rng.integers(len(tints))] * rng.uniform(0.1, 0.5))
    add_glow(scene, moment.sun_x * width, -0.05 * height, width * 0.4, moment.glow * 0.5)
    return scene


def _bokeh(scene: Pixels, disc: Disc, colour: Pixels) -> None:
    """Add the image of a bright point out of focus, in place: a disc with a bright rim."""
    _, height, width = scene.shape
    top, bottom = max(0, int(disc.y - disc.radius)), min(height, int(disc.y + disc.radius) + 2)
    left, right = max(0, int(disc.x - disc.radius)), min(width, int(disc.x + disc.radius) + 2)
    rows, columns = np.mgrid[top:bottom, left:right].astype(np.float32)
    far = np.hypot(columns - disc.x, rows - disc.y) / disc.radius
    scene[:, top:bottom, left:right] += colour * (np.clip((1 - far) * disc.radius / 3, 0, 1) * (0.65 + 0.35 * far**4))


def _stems(rng: np.random.Generator, scene: Pixels, heads: list[Disc], colour: Pixels) -> None:
    """Paint bent stems from the flower heads down to the edge of the picture, in head."""
    _, height, width = scene.shape
    stems = Shapes(height, width)
    along = np.linspace(0, 1, 12)
    for head in heads:
        bend = rng.normal(0, 0.75) * head.radius
        points = np.stack([head.x + bend * along**2, head.y + along * (height - head.y + 20)], axis=-1)
        stems.line(points, head.radius * 0.07)
    soft = heads[0].soft
    paint_over(scene, blur(stems.mask(), soft) if soft else stems.mask(), colour)


def _flower(rng: np.random.Generator, scene: Pixels, bloom: Bloom, head: Disc, lit: Pixels) -> None:
    """Paint a flower head, in head."""
    _, height, width = scene.shape
    grid = _SOFT_GRID if head.soft else 1
    reach = int(head.radius * 1.1 + head.soft * 3) // grid * grid
    top, left = int(head.y) - reach, int(head.x) - reach
    rows, columns = np.mgrid[-reach : reach + 1 : grid, -reach : reach + 1 : grid].astype(np.float32)
    colour, cover = _head(rng, bloom, columns / head.radius, rows / head.radius, head.radius / grid)
    if head.soft:
        edge = 2 * reach + 1
        colour, cover = (enlarge(blur(part, head.soft / grid), edge, edge) for part in (colour, cover))
    inside_rows = slice(max(0, -top), max(0, min(2 * reach + 1, height - top)))
    inside_columns = slice(max(0, -left), max(0, min(2 * reach + 1, width - left)))
    part = scene[:, max(0, top) : max(0, top + 2 * reach + 1), max(0, left) : max(0, left + 2 * reach + 1)]
    part *= 1 - cover[inside_rows, inside_columns]
    part += colour[:, inside_rows, inside_columns] * lit


def _head(rng: np.random.Generator, bloom: Bloom, x: Pixels, y: Pixels, radius: float) -> tuple[Pixels, Pixels]:
    """A flower head of radius 1, tilted slightly: colour times coverage (3, h, w), and coverage (h, w)."""
    turn, squash = rng.uniform(0, np.pi), rng.uniform(0.72, 0.98)
    cosine, sine = math.cos(turn), math.sin(turn)
    across, along = x * cosine + y * sine, (y * cosine - x * sine) / squash
    far, angle = np.hypot(across, along), np.arctan2(along, across)
    base, tip = light(bloom.base), light(bloom.tip)
    blend = np.zeros_like(x)  # from base to tip
    shade = np.ones_like(x)
    cover = np.zeros_like(x)
    for whorl in range(bloom.whorls):
        phase = angle * bloom.petals / 2 + whorl * np.pi / 2 + rng.uniform(0, 0.4)
        uneven = rng.uniform(0.86, 1.0, bloom.petals).astype(np.float32)
        length = uneven[np.floor(phase / np.pi).astype(np.int64) % bloom.petals]
        middle = np.abs(np.sin(phase))  # 1 along a petal's middle, 0 between two
        edge = (1 - bloom.step * whorl) * length * middle ** (bloom.slender * 0.5)
        inside = np.clip((edge - far) * radius, 0, 1)
        out = np.clip(far / np.maximum(edge, 0.05), 0, 1)
        veins = 0.94 + 0.06 * np.sin(angle * bloom.petals * 7 + far * 3)
        fold = 0.72 + 0.28 * middle**0.7 - 0.1 * np.exp(-(((middle - 1) / 0.02) ** 2))
        blend = mix(blend, out**1.3, inside)
        shade = mix(shade, fold * veins * (0.55 + 0.45 * out**0.6) * length, inside)
        cover = np.maximum(cover, inside)
    eye = np.clip((bloom.eye - far) * radius * 0.6, 0, 1)
    seeds = 0.55 + 0.45 * np.sin(far * 70 + 3 * np.sin(angle * 13)) * np.sin(angle * 34 + far * 40)
    button = light(bloom.eye_colour) * (seeds * np.clip(1.15 - 0.5 * (far / bloom.eye) ** 2, 0.2, 1.2))
    cover = np.maximum(cover, eye)
    return mix(mix(base, tip, blend) * shade, button, eye) * cover, cover
