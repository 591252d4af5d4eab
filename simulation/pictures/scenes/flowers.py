"""Flowers close up, sharp against a soft meadow."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from simulation.pictures.colour import Pixels, light, mix, smoothstep
from simulation.pictures.daylight import Daylight, daylight
from simulation.pictures.noise import blur, enlarge, fractal_tile, look_up
from simulation.pictures.sky import add_glow
from simulation.pictures.trees import Shapes, paint_over


@dataclass(frozen=True, slots=True)
class Bloom:
    """A kind of flower: whorls of petals around an eye. `slender` petals are narrow at 3, round at 0.5."""

    petals: int
    whorls: int
    slender: float
    eye: float
    base: str
    tip: str
    eye_colour: str


_BLOOMS = (
    Bloom(21, 2, 0.9, 0.24, "#f2ecdc", "#ffffff", "#e8b21e"),  # daisy
    Bloom(5, 2, 0.4, 0.16, "#5a0a10", "#e2301f", "#1c1420"),  # poppy
    Bloom(8, 1, 0.55, 0.16, "#b02a7a", "#f2a3cf", "#eab93a"),  # cosmos
    Bloom(30, 2, 0.9, 0.36, "#e08a10", "#ffd02a", "#3a1f10"),  # sunflower
    Bloom(14, 6, 0.6, 0.05, "#c2402a", "#ffb277", "#a8341f"),  # dahlia
    Bloom(16, 6, 0.6, 0.05, "#7a1f6a", "#e58fd6", "#5a1450"),  # violet dahlia
    Bloom(13, 2, 0.8, 0.2, "#27379c", "#7d9bf0", "#2a1f52"),  # cornflower
    Bloom(6, 1, 0.45, 0.12, "#f3d9b0", "#fff6e6", "#d9a52a"),  # anemone
)
_LEAVES = ("#3f5f2a", "#4c6b34", "#2f5540", "#5f6d2e")


def paint(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """One to three flowers in focus, more of them before and behind."""
    moment = daylight(rng, "day", "golden", "golden", "dawn", "mist")
    leaf = light(str(rng.choice(_LEAVES)))
    bloom = _BLOOMS[rng.integers(len(_BLOOMS))]
    scene = _meadow(rng, height, width, moment, leaf, bloom)
    size = min(height, width)
    for _ in range(int(rng.integers(4, 10))):
        _flower(
            rng,
            scene,
            bloom,
            rng.uniform(0, width),
            height * rng.uniform(0.3, 1),
            size * rng.uniform(0.05, 0.12),
            moment,
            leaf,
            soft=size * 0.014,
        )
    for number in range(int(rng.integers(1, 4))):
        radius = size * (rng.uniform(0.22, 0.32) if number == 0 else rng.uniform(0.12, 0.18))
        x = width * (
            rng.uniform(0.35, 0.65) if number == 0 else rng.choice([rng.uniform(0.1, 0.3), rng.uniform(0.7, 0.9)])
        )
        _flower(
            rng,
            scene,
            bloom,
            x,
            height * rng.uniform(0.33, 0.55),
            radius,
            moment,
            leaf,
            soft=0.0 if number == 0 else size * 0.004,
        )
    return scene


def _meadow(rng: np.random.Generator, height: int, width: int, moment: Daylight, leaf: Pixels, bloom: Bloom) -> Pixels:
    """What is far out of focus: sky above, green below, discs of light."""
    y, x = np.mgrid[0:height:8, 0:width:8].astype(np.float32)
    patches = look_up(fractal_tile(1, 1.75), x * 0.5 + rng.uniform(0, 1024), y * 0.5 + rng.uniform(0, 1024))
    low = smoothstep(-0.2, 0.55, y / height + (patches - 0.5) * 0.8)
    green = leaf * (0.55 + 1.1 * patches)[..., None] * (moment.ambient * 0.6 + moment.sun * 0.45)
    scene = enlarge(
        mix(mix(moment.horizon, moment.glow, 0.3) * 0.7 + 0 * y[..., None], green, 0.25 + 0.75 * low), height, width
    )
    tints = (light(bloom.tip) * 0.5, moment.glow * 0.45, leaf * 1.6)
    for _ in range(int(rng.integers(25, 60))):
        _bokeh(
            scene,
            rng.uniform(0, width),
            rng.uniform(0, height),
            width * rng.uniform(0.012, 0.05),
            tints[rng.integers(3)] * rng.uniform(0.1, 0.5),
        )
    add_glow(scene, moment.sun_x * width, -0.05 * height, width * 0.4, moment.glow * 0.5)
    return scene


def _bokeh(scene: Pixels, x: float, y: float, radius: float, colour: Pixels) -> None:
    """A disc of light with a bright rim."""
    top, bottom = max(0, int(y - radius)), min(scene.shape[0], int(y + radius) + 2)
    left, right = max(0, int(x - radius)), min(scene.shape[1], int(x + radius) + 2)
    rows, columns = np.mgrid[top:bottom, left:right].astype(np.float32)
    far = np.hypot(columns - x, rows - y) / radius
    scene[top:bottom, left:right] += (np.clip((1 - far) * radius / 3, 0, 1) * (0.65 + 0.35 * far**4))[
        ..., None
    ] * colour


def _flower(
    rng: np.random.Generator,
    scene: Pixels,
    bloom: Bloom,
    x: float,
    y: float,
    radius: float,
    moment: Daylight,
    leaf: Pixels,
    soft: float,
) -> None:
    """A stem and a flower head, softened by `soft` pixels."""
    height, width = scene.shape[:2]
    stem = Shapes(height, width)
    bend = rng.normal(0, 0.25) * radius
    curve = np.linspace(0, 1, 12)
    points = np.stack([x + bend * curve**2 * 3, y + curve * (height - y + 20)], axis=-1)
    stem.line(points, radius * 0.07)
    lit = moment.ambient * 0.55 + moment.sun * 0.5
    stem_mask = stem.mask()
    paint_over(scene, blur(stem_mask, soft) if soft >= 2 else stem_mask, leaf * 0.8 * lit)  # noqa: PLR2004
    reach = int(radius * 1.15 + soft * 3)
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    colour, cover = _head(rng, bloom, columns / radius, rows / radius, radius)
    if soft:
        colour, cover = _soften(colour, cover, soft)
    top, left = int(y) - reach, int(x) - reach
    inside = (
        slice(max(0, -top), max(0, min(2 * reach + 1, height - top))),
        slice(max(0, -left), max(0, min(2 * reach + 1, width - left))),
    )
    part = scene[max(0, top) : max(0, top + 2 * reach + 1), max(0, left) : max(0, left + 2 * reach + 1)]
    part += (colour[inside] * lit - part) * cover[inside][..., None]


def _head(rng: np.random.Generator, bloom: Bloom, x: Pixels, y: Pixels, radius: float) -> tuple[Pixels, Pixels]:
    """Colour and coverage of a flower head of radius 1, seen a little from the side."""
    turn, squash = rng.uniform(0, np.pi), rng.uniform(0.72, 0.98)
    across, along = x * np.cos(turn) + y * np.sin(turn), (-x * np.sin(turn) + y * np.cos(turn)) / squash
    far, angle = np.hypot(across, along), np.arctan2(along, across)
    base, tip = light(bloom.base), light(bloom.tip)
    colour = np.zeros((*x.shape, 3), dtype=np.float32) + base
    cover = np.zeros_like(x)
    for whorl in range(bloom.whorls):
        reach = 1 - 0.82 * whorl / bloom.whorls if bloom.whorls > 2 else 1 - 0.14 * whorl  # noqa: PLR2004
        phase = angle * bloom.petals / 2 + whorl * np.pi / 2 + rng.uniform(0, 0.4)
        number = np.floor(phase / np.pi).astype(np.int32) % bloom.petals
        uneven = rng.uniform(0.86, 1.0, bloom.petals).astype(np.float32)
        middle = np.abs(np.sin(phase))  # 1 along a petal's middle, 0 between two
        edge = reach * uneven[number] * middle ** (bloom.slender * 0.5)
        inside = np.clip((edge - far) * radius, 0, 1)
        out = np.clip(far / np.maximum(edge, 0.05), 0, 1)
        fold = 0.72 + 0.28 * middle**0.7 - 0.1 * np.exp(-(((middle - 1) / 0.02) ** 2))
        veins = 0.94 + 0.06 * np.sin(angle * bloom.petals * 7 + far * 3)
        depth = 0.55 + 0.45 * out**0.6
        petal = (
            mix(base + 0 * colour, tip, np.clip(out**1.3, 0, 1)) * (fold * veins * depth * uneven[number])[..., None]
        )
        colour = mix(colour, petal, inside)
        cover = np.maximum(cover, inside)
    eye = np.clip((bloom.eye - far) * radius * 0.6, 0, 1)
    seeds = 0.55 + 0.45 * np.sin(far * 70 + 3 * np.sin(angle * 13)) * np.sin(angle * 34 + far * 40)
    button = light(bloom.eye_colour) * (seeds * (1.15 - 0.5 * (far / bloom.eye) ** 2).clip(0.2, 1.2))[..., None]
    return mix(colour, button, eye), np.maximum(cover, eye)


def _soften(colour: Pixels, cover: Pixels, radius: float) -> tuple[Pixels, Pixels]:
    """Out of focus: colour weighted by coverage, so that nothing dark bleeds in."""
    weighted = [Image.fromarray((colour[..., channel] * cover).astype(np.float32)) for channel in range(3)]
    spread = [np.asarray(_gaussian(np.asarray(part), radius)) for part in weighted]
    soft = np.asarray(_gaussian(cover, radius))
    return np.stack(spread, axis=-1) / np.maximum(soft, 1e-3)[..., None], soft


def _gaussian(values: Pixels, radius: float) -> Pixels:
    low, high = float(values.min()), float(values.max()) + 1e-6
    scaled = Image.fromarray(((values - low) / (high - low) * 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(radius)
    )
    return np.asarray(scaled, dtype=np.float32) / 255 * (high - low) + low
