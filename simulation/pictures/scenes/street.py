"""Streets in perspective: rows of houses, shops and lamps, dry or wet from rain, with people on their way.

Each pixel left and right of the vanishing point sees one point of a wall, each one below it a point of the pavement.
Edges are smoothed by the size that a pixel has on the wall, so that nothing flickers in the distance.
"""

from dataclasses import dataclass

import numpy as np

from simulation.pictures.colour import Pixels, light, mix, smoothstep
from simulation.pictures.daylight import Daylight, daylight
from simulation.pictures.depiction import Depiction, depict
from simulation.pictures.figures import Place, cyclist, person, umbrella
from simulation.pictures.noise import fractal_tile, look_up
from simulation.pictures.sky import add_glow, paint_sky
from simulation.pictures.trees import Shapes, paint_over

_PLASTER = (
    "#c9a27a", "#b98a6b", "#d8c3a0", "#a9b0a4", "#c7a08e", "#8f9aa8", "#d0b070", "#a8705a", "#b9b3a8", "#7f8f86",
)  # fmt: skip
_AWNINGS = ("#8c2f2b", "#2f5d50", "#2f4a73", "#b0792b", "#6b2f4a")
_LAMPS = ("#ffd394", "#ffc070", "#ffe2b0")
_EYE = 1.65  # metres: everything here is in metres
_STOREY, _SHOP = 3.1, 3.6
_LIT = {"night": 0.5, "dusk": 0.45, "mist": 0.2, "dawn": 0.12, "golden": 0.06, "day": 0.0}
_WET_SHARE = {"dusk": 0.75, "night": 0.75, "mist": 0.75}
_WET_BY_DAY, _GARLAND_SHARE = 0.15, 0.4


@dataclass(frozen=True, slots=True)
class Street:
    """The view along a street: vanishing point, focal length in pixels, and half the street's width."""

    x: float
    y: float
    focal: float
    half: float

    def row(self, height: float, distance: float) -> float:
        """The row of a point at this height above the ground."""
        return self.y + (_EYE - height) * self.focal / distance

    def column(self, aside: float, distance: float) -> float:
        """The column of a point this far beside the middle."""
        return self.x + aside * self.focal / distance


def paint(rng: np.random.Generator, height: int, width: int) -> Depiction:
    """A street with people, by day or in the evening."""
    moment = daylight(rng, "day", "golden", "dusk", "dusk", "night", "mist", "dawn")
    view = Street(
        x=width * float(rng.uniform(0.35, 0.65)),
        y=height * float(rng.uniform(0.52, 0.62)),
        focal=0.62 * max(width, height) * float(rng.uniform(0.85, 1.2)),
        half=float(rng.uniform(3.2, 5.2)),
    )
    scene = paint_sky(rng, (height, width), view.y, moment, clouds=float(rng.uniform(0, 0.8)))
    wet = bool(rng.random() < _WET_SHARE.get(moment.name, _WET_BY_DAY))
    for side in (-1, 1):
        _houses(rng, scene, view, side, moment)
    _pavement(rng, scene, view, moment, wet=1.0 if wet else 0.0)
    if moment.name in ("dusk", "night") and rng.random() < _GARLAND_SHARE:
        _garlands(rng, scene, view)
        lights = "garlands"
    else:
        lights = ""
    who = _people(rng, scene, view, moment, wet=wet)
    return depict(scene, moment.name, "rain" if wet else "dry", lights, who)


def _houses(rng: np.random.Generator, scene: Pixels, view: Street, side: int, moment: Daylight) -> None:
    """Paint the houses of one side of the street, in place."""
    _, height, width = scene.shape
    edge = int(np.clip(view.x, 0, width))
    columns = slice(edge, width) if side > 0 else slice(0, edge)
    x = np.arange(width, dtype=np.float32)[columns]
    if not len(x):
        return
    rows = np.arange(height, dtype=np.float32)[:, None]
    distance = view.half * view.focal / np.maximum(np.abs(x + 0.5 - view.x), 0.5)
    up = _EYE - (rows + 0.5 - view.y) * distance / view.focal
    grain_up = distance / view.focal  # size of a pixel on the wall
    grain_along = distance**2 / (view.focal * view.half)
    ends = np.cumsum(rng.uniform(5, 11, 40)) + 1.0
    house = np.minimum(np.searchsorted(ends, distance), len(ends) - 1)
    storeys = rng.integers(3, 6, len(ends))
    roof = (_SHOP + _STOREY * storeys + rng.uniform(0, 0.8, len(ends))).astype(np.float32)[house]
    cover = np.clip((roof - up) / grain_up + 0.5, 0, 1) * np.clip(up / grain_up + 0.5, 0, 1)
    shade = _front(rng, (up, distance), (grain_up, grain_along), (house, ends, roof), side, moment)
    air = 1 - np.exp(-np.maximum(distance - 12, 0) / (45 if moment.name == "mist" else 150))
    shade = mix(shade, mix(moment.haze, moment.horizon, 0.5), air)
    for channel in range(3):
        plane = scene[channel, :, columns]
        plane += (shade[channel] - plane) * cover


def _front(
    rng: np.random.Generator,
    point: tuple[Pixels, Pixels],
    grain: tuple[Pixels, Pixels],
    houses: tuple[Pixels, Pixels, Pixels],
    side: int,
    moment: Daylight,
) -> Pixels:
    """The colours of the house fronts: plaster, cornices, windows with frames, and shops below."""
    up, distance = point
    grain_up, grain_along = grain
    house, ends, roof = houses
    count = len(ends)
    palette = np.concatenate([light(colour) for colour in _PLASTER], axis=1)[
        :, rng.integers(0, len(_PLASTER), count), 0
    ]
    walls = (palette * rng.uniform(0.6, 0.95, count)).astype(np.float32)[:, house][:, None, :]
    patches = look_up(fractal_tile(5, 1.4), distance * 30 + 0 * up, up * 30)
    sunny = 0.75 if side * (0.5 - moment.sun_x) > 0 else 0.12
    facing = moment.sun * (sunny * smoothstep(1.0, 7.0, up))
    open_sky = 0.45 + 0.55 * smoothstep(0, 12, up)
    wall: Pixels = walls * (0.8 + 0.4 * patches) * (moment.ambient * open_sky * 1.25 + facing * 0.7 + 0.03)
    cornice = _stripes(up - _SHOP, _STOREY, (-0.12, 0.06), grain_up) + _band(up, roof - 0.35, roof, grain_up)
    wall = wall * (1 + 0.35 * cornice)
    start = np.concatenate([[1.0], ends[:-1]]).astype(np.float32)[house]
    bays = rng.integers(2, 5, count)[house]
    bay = ((ends.astype(np.float32)[house] - start) / bays).astype(np.float32)
    across = distance - start
    floor = np.floor((up - _SHOP) / _STOREY)
    above = np.clip((up - _SHOP) / grain_up + 0.5, 0, 1)
    pane = _stripes(across, bay, (0.3, 0.7), grain_along / bay, relative=True)
    pane = pane * _stripes(up - _SHOP, _STOREY, (0.28, 0.82), grain_up / _STOREY, relative=True) * above
    frame = _stripes(across, bay, (0.26, 0.74), grain_along / bay, relative=True)
    frame = frame * _stripes(up - _SHOP, _STOREY, (0.24, 0.86), grain_up / _STOREY, relative=True) * above
    wall = mix(wall, light("#d9d4c8") * (moment.ambient * open_sky * 0.8 + facing * 0.5 + 0.01), frame * 0.75)
    key = (house * 97 + np.floor(across / bay).astype(np.int64) * 31)[None, :] + floor.astype(np.int64) * 7
    chance = rng.random(4096).astype(np.float32).take(key % 4096)
    warm = rng.random(4096).astype(np.float32).take((key * 13 + 5) % 4096)
    lit = (chance < _LIT[moment.name]).astype(np.float32)
    glass = mix(moment.zenith, moment.horizon, 0.35) * (0.18 + 0.25 * warm)
    lamp = mix(light(_LAMPS[0]), light(_LAMPS[1]), warm) * (0.5 + 0.7 * warm)
    cross = _stripes(across, bay, (0.485, 0.515), grain_along / bay, relative=True)
    pane_light = mix(glass, lamp, lit) * (1 - 0.6 * cross)
    wall = mix(wall, pane_light, pane)
    return _shops(rng, wall, (up, across, bay), (grain_up, grain_along), house, count, moment)


def _shops(
    rng: np.random.Generator,
    wall: Pixels,
    point: tuple[Pixels, Pixels, Pixels],
    grain: tuple[Pixels, Pixels],
    house: Pixels,
    count: int,
    moment: Daylight,
) -> Pixels:
    """The ground floors: shop windows, most of them lit, below awnings."""
    up, across, bay = point
    grain_up, grain_along = grain
    awnings = np.concatenate([light(colour) for colour in _AWNINGS], axis=1)[
        :, rng.integers(0, len(_AWNINGS), count), 0
    ]
    awning = awnings.astype(np.float32)[:, house][:, None, :]
    has_shop = (rng.random(count) < 0.7).astype(np.float32)[house]  # noqa: PLR2004
    window = _stripes(across, bay, (0.1, 0.9), grain_along / bay, relative=True) * _band(up, 0.55, 2.5, grain_up)
    dark = moment.name in ("dusk", "night", "mist")
    key = np.floor(across * 3.1).astype(np.int64) * 17 + house * 211 + np.floor(up * 2.6).astype(np.int64) * 59
    goods = rng.random(4096).astype(np.float32).take(key % 4096)
    goods = goods * _stripes(across, 1 / 3.1, (0.12, 0.88), grain_along * 3.1, relative=True)
    goods = goods * _stripes(up, 1 / 2.6, (0.0, 0.8), grain_up * 2.6, relative=True)
    inside = light("#ffc98a") * (0.35 + 1.1 * smoothstep(0.3, 2.4, up)) * (1 - 0.55 * goods)
    sky = mix(moment.zenith, moment.horizon, 0.35) * (0.16 + 0.2 * smoothstep(0.5, 2.6, up))
    inside = inside * (1.2 if dark else 0.1) + sky * (0.2 if dark else 1.0)
    wall = mix(wall, wall * 0.35 + awning * moment.ambient * 0.2, _band(up, 0.0, _SHOP - 0.45, grain_up) * has_shop)
    wall = mix(wall, inside, window * has_shop)
    stripes = 0.5 + 0.5 * _stripes(across, 0.5, (0.0, 0.5), grain_along / 0.5, relative=True)
    cloth = mix(light("#e9e2d2"), awning * 1.2, stripes) * (moment.ambient * 0.7 + moment.sun * 0.12 + 0.02)
    cloth = cloth * (0.65 + 0.45 * np.clip((up - 2.4) / 0.7, 0, 1))
    return mix(wall, cloth, _band(up, 2.4, 3.1, grain_up) * has_shop)


def _band(values: Pixels, low: Pixels | float, high: Pixels | float, grain: Pixels) -> Pixels:
    """Coverage of low..high by pixels of size `grain`."""
    covered: Pixels = np.clip((values - low) / grain + 0.5, 0, 1) * np.clip((high - values) / grain + 0.5, 0, 1)
    return covered


def _stripes(
    values: Pixels, period: Pixels | float, inside: tuple[float, float], grain: Pixels, *, relative: bool = False
) -> Pixels:
    """Coverage of a pattern that repeats after `period`. `inside` and `grain` are shares of it if `relative`."""
    share = values / period
    low, high = inside if relative else (inside[0] / period, inside[1] / period)
    size = grain if relative else grain / period
    place = share - np.floor(share)
    size = np.maximum(size, 1e-4)
    covered: Pixels = np.zeros_like(place)
    for turn in (-1, 0, 1):
        covered += np.clip((place + turn - low) / size + 0.5, 0, 1) * np.clip((high - place - turn) / size + 0.5, 0, 1)
    far = np.clip(size * 1.6 - 0.6, 0, 1)  # the pattern is finer than a pixel: its mean
    mixed: Pixels = np.clip(covered, 0, 1) * (1 - far) + (high - low) * far
    return mixed


def _pavement(rng: np.random.Generator, scene: Pixels, view: Street, moment: Daylight, *, wet: float) -> None:
    """Paint the road and, in its middle, what it mirrors; in place. `wet` is 0 (dry) or 1."""
    _, height, width = scene.shape
    x = np.arange(width, dtype=np.float32)[None, :] + 0.5 - view.x
    top = int(view.y) + 1
    rows = np.arange(top, height, dtype=np.float32)[:, None] + 0.5
    foot = view.y + _EYE / view.half * np.abs(x)  # where the wall meets the ground, in each column
    distance = _EYE * view.focal / (rows - view.y)
    aside = x * distance / view.focal
    stones = look_up(fractal_tile(6, 0.7), aside * 60, distance * 34 + 0 * x)
    patches = look_up(fractal_tile(7, 1.7), aside * 26 + rng.uniform(0, 1024), distance * 13 + 0 * x)
    fine = np.exp(-distance / 14)
    kerb = _band(np.abs(aside), view.half - 1.5, view.half - 1.35, distance / view.focal)
    walk = smoothstep(view.half - 1.5, view.half - 1.4, np.abs(aside))
    ground = mix(light("#5c5a5a"), light("#85807a"), walk) * (1 + (stones - 0.5) * 0.9 * fine + (patches - 0.5) * 0.5)
    ground = ground * (1 + 0.5 * kerb) * (moment.ambient * 0.8 + moment.sun * 0.14 + 0.02) * (1 - 0.45 * wet)
    shine = wet * (0.35 + 0.6 * smoothstep(0.42, 0.62, patches)) * (1 - 0.25 * walk) + 0.04 * smoothstep(
        6, 30, distance
    )
    ripple = (stones - 0.5) * (6 + 26 * (1 - smoothstep(0.42, 0.62, patches))) * (height / 1000)
    mirrored = np.clip(2 * foot - rows + ripple, 0, height - 1).astype(np.int64)
    sideways = np.clip(np.arange(width)[None, :] + ripple * 0.25, 0, width - 1).astype(np.int64)
    seen = mirrored * width + sideways
    cover = np.clip(rows - foot + 0.5, 0, 1)
    air = 1 - np.exp(-np.maximum(distance - 12, 0) / (45 if moment.name == "mist" else 150))
    far = mix(moment.haze, moment.horizon, 0.5)
    for channel in range(3):
        plane = scene[channel, top:]
        road = mix(ground[channel], scene[channel].take(seen) * 0.85, shine)
        road = mix(road, far[channel], air)
        plane += (road - plane) * cover


def _garlands(rng: np.random.Generator, scene: Pixels, view: Street) -> None:
    """Paint strings of lights across the street, in place."""
    colour = light(str(rng.choice(_LAMPS)))
    for distance in np.arange(26.0, 4.5, -3.4):
        high = 5.2 + float(rng.normal(0, 0.15))
        for share in np.linspace(0, 1, 13):
            sag = 0.9 * 4 * share * (1 - share)
            x = view.column((2 * share - 1) * view.half, distance)
            y = view.row(high - sag, distance)
            if 0 <= x < scene.shape[2] and 0 <= y < scene.shape[1]:
                size = max(1.2, 0.055 * view.focal / distance)
                add_glow(scene, x, y, size, colour * 2.4)
                add_glow(scene, x, y, size * 4.5, colour * 0.1)


def _people(rng: np.random.Generator, scene: Pixels, view: Street, moment: Daylight, *, wet: bool) -> str:
    """Paint people from far to near, with their reflection or shadow, in place; returns what the nearest one is."""
    _, height, width = scene.shape
    shade = light("#22242c") * (0.12 + 0.55 * moment.ambient)
    count = int(rng.integers(3, 9))
    near = float(rng.uniform(7, 11))
    nearest = "cyclist" if rng.random() < 0.25 else "umbrella" if wet and rng.random() < 0.75 else "walker"  # noqa: PLR2004
    for distance in sorted([near, *rng.uniform(near + 3, 45, count)], reverse=True):
        aside = float(rng.uniform(-0.72, 0.72)) * view.half
        foot, size = view.row(0.0, distance), 1.74 * view.focal / distance
        x = view.column(aside * (0.45 if distance == near else 1), distance)
        shapes = Shapes(height, width)
        place = Place(x, foot, size, int(rng.choice([-1, 1])))
        kind = nearest if distance == near else "umbrella" if wet and rng.random() < 0.4 else "walker"  # noqa: PLR2004
        if kind == "cyclist":
            cyclist(rng, shapes, Place(x, foot, size * 1.05, place.facing))
        else:
            person(rng, shapes, place, walking=True)
        if kind == "umbrella":
            umbrella(shapes, place)
        mask = shapes.mask()
        base = int(np.clip(foot, 0, height - 1))
        below = height - base
        reflection = np.zeros_like(mask)
        source = mask[max(0, base - below) : base][::-1]
        reflection[base : base + len(source)] = source * (0.5 if wet else 0.12)
        paint_over(scene, reflection, shade * 0.6)
        air = 1 - np.exp(-max(distance - 12, 0) / (45 if moment.name == "mist" else 150))
        paint_over(scene, mask, mix(shade, mix(moment.haze, moment.horizon, 0.5), float(air)))
    return nearest
