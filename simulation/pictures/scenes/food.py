"""Food from above on a table by a window: coffee, soup, pizza, pancakes, fruit, biscuits and sushi.

A dish is a stack of round layers. Each has a height profile, from which light from one side gives it its shape, and
casts a soft shadow.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulation.pictures.colour import Pixels, light, mix, smoothstep
from simulation.pictures.depiction import Depiction, depict
from simulation.pictures.noise import blur, fractal_tile, grain_of, look_up
from simulation.pictures.trees import Shapes, paint_over

_WOODS = ("#8a5a36", "#6b452c", "#a8764a", "#4a3226", "#c09a6c")
_CLOTHS = ("#c9c2b4", "#5d6f7a", "#7a8a78", "#b8a090", "#3c4450")
_CHEESES = ("#f0d8a0", "#f3e2b8", "#e2b468")
_CHINA = ("#f1ede4", "#dfe3e2", "#3f4a52", "#c8d0c4", "#e8d8c8")
_WITHOUT_SPOON = ("sushi", "pizza", "biscuits", "citrus")


@dataclass(frozen=True, slots=True)
class Table:
    """The picture while it is laid: pixels, the direction to the light, and its colour."""

    rng: np.random.Generator
    scene: Pixels
    to_light: tuple[float, float]
    sun: Pixels
    ambient: Pixels

    def part(self, x: float, y: float, reach: float) -> tuple[slice, slice, Pixels, Pixels]:
        """The pixels within `reach` of a point: slices, and their distances across and down from it."""
        _, height, width = self.scene.shape
        rows = slice(max(0, int(y - reach)), max(0, min(height, int(y + reach) + 2)))
        columns = slice(max(0, int(x - reach)), max(0, min(width, int(x + reach) + 2)))
        down, across = np.mgrid[rows, columns].astype(np.float32)
        return rows, columns, across - np.float32(x), down - np.float32(y)

    def shadow(self, x: float, y: float, radius: float, high: float) -> None:
        """Darken what lies around a disc that is `high` pixels above the table."""
        x, y = x - self.to_light[0] * high, y - self.to_light[1] * high
        reach = radius + high * 2.5 + 8
        rows, columns, across, down = self.part(x, y, reach)
        if across.size:
            far = np.hypot(across, down)
            depth = smoothstep(radius + high * 1.1 + 2, radius - high * 0.9 - 2, far)
            self.scene[:, rows, columns] *= 1 - 0.62 * depth

    def dome(
        self,
        x: float,
        y: float,
        radius: float,
        colour: Pixels,
        *,
        bulge: float = 0.6,
        gloss: float = 0.1,
        uneven: float = 0.0,
        squash: float = 1.0,
        turn: float = 0.0,
    ) -> None:
        """Paint a round thing: `bulge` is 0 (flat) to 1 (a sphere), `uneven` the waviness of its edge."""
        rows, columns, across, down = self.part(x, y, radius * 1.25 + 2)
        if not across.size:
            return
        cosine, sine = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        along, aside = across * cosine + down * sine, (down * cosine - across * sine) / np.float32(squash)
        far = np.hypot(along, aside) / np.float32(radius)
        if uneven:
            angle = np.arctan2(aside, along)
            phases = self.rng.uniform(0, 2 * np.pi, 3)
            far = far / (1 + uneven * sum(np.sin(angle * n + p) / n for n, p in zip((3, 5, 8), phases, strict=True)))
        cover = np.clip((1 - far) * radius + 0.5, 0, 1).astype(np.float32)
        inside = np.minimum(far, 0.995)
        steep = bulge * inside / np.sqrt(1 - (bulge * inside) ** 2 + 1e-3)
        outwards = steep / np.maximum(np.hypot(across, down), np.float32(1e-6))
        facing = (1 + outwards * (across * self.to_light[0] + down * self.to_light[1])) / np.sqrt(1 + steep**2)
        shine = gloss * np.clip(facing - 1.12, 0, 1) ** 2 * 26 if gloss else 0.0
        lit = (
            colour * (self.ambient * (1 - 0.35 * inside**4 * bulge) + self.sun * np.clip(facing, 0, None))
            + self.sun * shine
        )
        part = self.scene[:, rows, columns]
        part += (lit - part) * cover


def paint(rng: np.random.Generator, height: int, width: int) -> Depiction:
    """One dish in the middle of the table, with something beside it."""
    angle = float(rng.uniform(0, 2 * np.pi))
    evening = rng.random() < 0.3  # noqa: PLR2004
    sun = light("#ffdfb8" if evening else "#fff4e2") * float(
        rng.uniform(0.55, 0.75) if evening else rng.uniform(0.6, 0.85)
    )
    ambient = light("#a3968c" if evening else "#b9c4d2") * float(rng.uniform(0.28, 0.42))
    scene, surface = _table(rng, (height, width))
    table = Table(rng, scene, (float(np.cos(angle)), float(np.sin(angle))), sun, ambient)
    scene *= ambient + sun
    _window_light(table)
    size = min(height, width)
    name = str(rng.choice(tuple(DISHES)))
    x, y = width * float(rng.uniform(0.42, 0.58)), height * float(rng.uniform(0.43, 0.57))
    radius = size * float(rng.uniform(0.34, 0.42))
    beside = _beside(table, name, (x, y), radius)
    DISHES[name](table, x, y, radius)
    return depict(scene, name, surface, beside, "evening" if evening else "morning")


def _table(rng: np.random.Generator, size: tuple[int, int]) -> tuple[Pixels, str]:
    """The surface: boards of wood, woven cloth, or stone."""
    height, width = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    kind = str(rng.choice(["wood", "wood", "linen", "marble"]))
    shift = rng.uniform(0, 1024, 2).astype(np.float32)
    if kind == "wood":
        across = y / (height * rng.uniform(0.17, 0.28)) + shift[0]
        board = np.floor(across)
        warp = look_up(fractal_tile(5, 1.4), x * 0.12 + board * 170, y * 0.9 + shift[1])
        fibre = look_up(fractal_tile(6, 0.7), x * 0.07 + board * 310, y * 1.1 + shift[0])
        rings = 0.5 + 0.5 * np.sin(warp * 42 + board)
        shade = 0.72 + 0.22 * rings + 0.28 * (fibre - 0.5) + 0.12 * np.mod(board * 0.618, 1)
        gap = np.clip(np.abs(across - np.rint(across)) / 0.008, 0.25, 1)
        return light(str(rng.choice(_WOODS))) * (shade * gap), "wood"
    if kind == "linen":
        weave = 0.5 + 0.25 * (np.sin(x * 1.9) + np.sin(y * 1.9))
        folds = look_up(fractal_tile(7, 1.7), x * 0.25 + shift[0], y * 0.25 + shift[1])
        thread = grain_of(rng, fractal_tile(6, 0.7), height, width)
        return light(str(rng.choice(_CLOTHS))) * (
            0.62 + 0.16 * weave + 0.35 * (folds - 0.5) + 0.25 * (thread - 0.5) + 0.1
        ), "linen"
    cloudy = look_up(fractal_tile(1, 1.55), x * 0.3 + shift[0], y * 0.3 + shift[1])
    bent = look_up(fractal_tile(5, 1.4), x * 0.25 + shift[1], y * 0.25 + shift[0])
    vein = np.exp(-((np.abs(np.sin(bent * 11 + x * 0.004)) / 0.06) ** 1.2))
    return light("#e6e4e0") * (0.72 + 0.26 * cloudy) * (1 - 0.32 * vein * np.clip(cloudy * 1.6 - 0.3, 0, 1)), "marble"


def _window_light(table: Table) -> None:
    """Brighten the side of the table that is near the window, in place."""
    _, height, width = table.scene.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    toward = ((x / width - 0.5) * table.to_light[0] + (y / height - 0.5) * table.to_light[1]).astype(np.float32)
    scene = table.scene
    scene *= 0.85 + 0.55 * toward


def _plate(table: Table, x: float, y: float, radius: float, colour: str) -> None:
    """Paint a plate: a flat rim around a shallow hollow."""
    china = light(colour)
    table.shadow(x, y, radius, radius * 0.07)
    table.dome(x, y, radius, china * 0.92, bulge=0.3, gloss=0.05)
    table.dome(x, y, radius * 0.965, china, bulge=-0.22, gloss=0.0)
    table.dome(x, y, radius * 0.7, china * 0.86, bulge=-0.5, gloss=0.0)
    table.dome(x, y, radius * 0.665, china * 0.97, bulge=-0.08, gloss=0.0)


def _bowl(table: Table, x: float, y: float, radius: float, colour: str) -> None:
    """Paint a bowl: a rim, and its shaded inner wall."""
    china = light(colour)
    table.shadow(x, y, radius, radius * 0.22)
    table.dome(x, y, radius, china * 0.95, bulge=0.5, gloss=0.08)
    table.dome(x, y, radius * 0.94, china * 0.8, bulge=-0.85, gloss=0.0)


def _any_china(table: Table) -> str:
    return str(table.rng.choice(_CHINA))


def _coffee(table: Table, x: float, y: float, radius: float) -> None:
    china = _any_china(table)
    _plate(table, x, y, radius, china)
    cup = radius * 0.62
    handle = float(table.rng.uniform(0, 2 * np.pi))
    for share in np.linspace(0.9, 1.32, 7):
        table.dome(
            x + np.cos(handle) * cup * share,
            y + np.sin(handle) * cup * share,
            cup * 0.11,
            light(china) * 0.95,
            bulge=0.7,
        )
    _bowl(table, x, y, cup, china)
    table.dome(x, y, cup * 0.87, light("#7a4a26"), bulge=0.05, gloss=0.0)
    rows, columns, across, down = table.part(x, y, cup * 0.87)
    turn = float(table.rng.uniform(0, 2 * np.pi))
    u = (across * np.cos(turn) + down * np.sin(turn)) / (cup * 0.87)
    v = (down * np.cos(turn) - across * np.sin(turn)) / (cup * 0.87)
    far = np.hypot(u, v)
    leaf = np.clip(1 - (np.abs(v) / (0.62 * np.sqrt(np.clip(1 - ((u + 0.05) / 0.78) ** 2, 0, 1)) + 1e-3)) ** 3, 0, 1)
    layers = smoothstep(-0.25, 0.35, np.sin((u + 0.55 * np.abs(v) ** 0.8) * float(table.rng.uniform(17, 25))))
    stem = np.exp(-((v / 0.025) ** 2)) * (u < 0.7)  # noqa: PLR2004
    milk = np.clip(leaf * layers * (1 - stem), 0, 1) * smoothstep(0.92, 0.8, far)
    crema = smoothstep(0.75, 1.0, far) * 0.4
    part = table.scene[:, rows, columns]
    inside = np.clip((1 - far) * cup * 0.87, 0, 1)
    lit = mix(part, light("#f4e6d0") * (table.ambient + table.sun), milk * 0.95)
    lit = mix(lit, light("#8f5a2c") * (table.ambient + table.sun), crema)
    part += (lit - part) * inside


def _soup(table: Table, x: float, y: float, radius: float) -> None:
    soups = ("#d0762a", "#a83a22", "#7f8a3a", "#d8b878")
    _bowl(table, x, y, radius, _any_china(table))
    soup = light(str(table.rng.choice(soups)))
    table.dome(x, y, radius * 0.86, soup, bulge=0.05, gloss=0.0)
    _mottle(table, x, y, radius * 0.85, 0.35)
    angle = np.linspace(0.2, 3.6 * np.pi, 110)
    swirl = radius * (0.08 + 0.5 * angle / angle[-1])
    turn = float(table.rng.uniform(0, 6))
    shapes = Shapes(*table.scene.shape[1:])
    points = np.stack([x + swirl * np.cos(angle + turn), y + swirl * np.sin(angle + turn)], axis=-1)
    shapes.line(points, radius * 0.035)
    cream = np.minimum(blur(shapes.mask(), radius * 0.012) * 1.1, 1)
    paint_over(table.scene, cream, light("#f6ead6") * (table.ambient + table.sun))
    for _ in range(int(table.rng.integers(5, 10))):
        _scattered(table, (x, y), radius * 0.55, radius * 0.055, "#c98f4a", bulge=0.75, uneven=0.12)
    _herbs(table, (x, y), radius * 0.62, radius * 0.05, 14)


def _pizza(table: Table, x: float, y: float, radius: float) -> None:
    radius *= 1.12
    table.shadow(x, y, radius, radius * 0.06)
    table.dome(x, y, radius, light("#c98a48"), bulge=0.8, uneven=0.03)
    for _ in range(70):
        angle = float(table.rng.uniform(0, 2 * np.pi))
        at = (x + np.cos(angle) * radius * 0.93, y + np.sin(angle) * radius * 0.93)
        colour = light(str(table.rng.choice(["#d8a05c", "#b5763a", "#6f4424", "#e0b070"])))
        table.dome(*at, radius * float(table.rng.uniform(0.03, 0.085)), colour, bulge=0.6, uneven=0.15)
    table.dome(x, y, radius * 0.86, light("#b5391f"), bulge=0.1, uneven=0.04)
    _mottle(table, x, y, radius * 0.84, 0.5)
    for _ in range(90):
        size = radius * float(table.rng.uniform(0.04, 0.11))
        _scattered(
            table, (x, y), radius * 0.78, size, str(table.rng.choice(_CHEESES)), bulge=0.22, gloss=0.0, uneven=0.3
        )
    for _ in range(int(table.rng.integers(8, 13))):
        _scattered(table, (x, y), radius * 0.7, radius * 0.115, "#a03a28", bulge=0.35, gloss=0.05)
    _herbs(table, (x, y), radius * 0.7, radius * 0.085, 11)


def _pancakes(table: Table, x: float, y: float, radius: float) -> None:
    _plate(table, x, y, radius, _any_china(table))
    for number in range(4):
        aside, down = table.rng.normal(0, radius * 0.03, 2)
        at = (x + aside - number * table.to_light[0] * -radius * 0.012, y + down)
        cake = radius * (0.6 - 0.015 * number)
        table.shadow(*at, cake, radius * 0.06)
        table.dome(*at, cake, light("#e2b06a"), bulge=0.75, uneven=0.02)
        table.dome(*at, cake * 0.93, light("#b06f34"), bulge=0.25, uneven=0.03)
    table.dome(x, y, radius * 0.3, light("#7a3a12"), bulge=0.35, gloss=0.35, uneven=0.3)
    table.dome(x + radius * 0.05, y, radius * 0.13, light("#f6e6a8"), bulge=0.6, squash=0.85, uneven=0.05)
    for colour, count in (("#28305c", 9), ("#a8203a", 6)):
        for _ in range(count):
            _scattered(table, (x, y), radius * 0.5, radius * 0.062, colour, bulge=0.95, gloss=0.25)


def _berries(table: Table, x: float, y: float, radius: float) -> None:
    _bowl(table, x, y, radius, _any_china(table))
    table.dome(x, y, radius * 0.86, light("#efe9df"), bulge=0.1)
    kinds = [("#28305c", 0.085), ("#3a2050", 0.08), ("#b01f34", 0.105), ("#c8304a", 0.09)]
    for _ in range(95):
        colour, share = kinds[int(table.rng.integers(len(kinds)))]
        _scattered(table, (x, y), radius * 0.76, radius * share, colour, bulge=0.95, gloss=0.22, uneven=0.02)
    _herbs(table, (x, y), radius * 0.4, radius * 0.13, 4)


def _citrus(table: Table, x: float, y: float, radius: float) -> None:
    """Slices of oranges, lemons and grapefruit, in a ring."""
    kinds = (("#e8831a", "#f5a83a"), ("#e0bf1e", "#f2de6a"), ("#d8552f", "#ee8a6a"), ("#6f9a2a", "#b9cf6a"))
    _plate(table, x, y, radius, _any_china(table))
    spots = [(0.0, 0.0), *((0.52 * np.cos(a), 0.52 * np.sin(a)) for a in np.arange(6) * np.pi / 3 + table.rng.random())]
    for aside, down in spots:
        rind, flesh = kinds[int(table.rng.integers(len(kinds)))]
        _slice(table, x + aside * radius, y + down * radius, radius * float(table.rng.uniform(0.25, 0.29)), rind, flesh)
    _herbs(table, (x, y), radius * 0.6, radius * 0.1, 5)


def _slice(table: Table, x: float, y: float, radius: float, rind: str, flesh: str) -> None:
    table.shadow(x, y, radius, radius * 0.1)
    table.dome(x, y, radius, light(rind), bulge=0.6, gloss=0.05)
    table.dome(x, y, radius * 0.93, light("#f6ecd0"), bulge=0.1)
    rows, columns, across, down = table.part(x, y, radius)
    far, angle = np.hypot(across, down) / radius, np.arctan2(down, across) + float(table.rng.uniform(0, 3))
    middle = np.abs(np.mod(angle / (2 * np.pi) * 10, 1) - 0.5) * 2 * np.pi / 10 * far
    segment = (
        smoothstep(0.0, 0.035, np.pi / 10 * far - middle - 0.012)
        * smoothstep(0.86, 0.83, far)
        * smoothstep(0.08, 0.13, far)
    )
    drops = look_up(fractal_tile(6, 0.7), far * 120 + 0 * angle, angle * 160)
    juice = light(flesh) * (0.7 + 0.7 * drops) * (table.ambient + table.sun)
    part = table.scene[:, rows, columns]
    part += (juice - part) * segment


def _biscuits(table: Table, x: float, y: float, radius: float) -> None:
    _plate(table, x, y, radius, _any_china(table))
    for _ in range(9):
        angle, out = float(table.rng.uniform(0, 6.3)), radius * 0.55 * float(table.rng.random()) ** 0.5
        at = (x + np.cos(angle) * out, y + np.sin(angle) * out)
        size = radius * float(table.rng.uniform(0.21, 0.26))
        table.shadow(*at, size, size * 0.22)
        table.dome(*at, size, light(str(table.rng.choice(["#c68d4c", "#b87a3c", "#d09c5e"]))), bulge=0.75, uneven=0.05)
        for _ in range(11):
            _scattered(
                table,
                at,
                size * 0.78,
                size * float(table.rng.uniform(0.06, 0.12)),
                "#3a2016",
                bulge=0.7,
                gloss=0.08,
                uneven=0.15,
            )


def _sushi(table: Table, x: float, y: float, radius: float) -> None:
    long, wide = radius * 1.15, radius * 0.78
    board = Shapes(*table.scene.shape[1:])
    board.polygon(np.array([[x - long, y - wide], [x + long, y - wide], [x + long, y + wide], [x - long, y + wide]]))
    mask = board.mask()
    offset = (-np.array(table.to_light) * radius * 0.06).astype(int)
    scene = table.scene
    scene *= 1 - 0.55 * np.roll(blur(mask, radius * 0.03), (offset[1], offset[0]), (0, 1))
    _, height, width = table.scene.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    grain = look_up(fractal_tile(6, 0.7), columns * 1.1, rows * 0.09)
    slate = light(str(table.rng.choice(["#33373c", "#2b2a2a", "#6a4a34"]))) * (0.8 + 0.4 * grain)
    paint_over(table.scene, mask, slate * (table.ambient + table.sun))
    fillings = ("#e8743a", "#d8483a", "#7fa03a", "#f0d060", "#e89a5a")
    size = radius * 0.19
    for row in (-1, 0, 1):
        filling = str(table.rng.choice(fillings))
        for column in range(-2, 3):
            at = (
                x + column * size * 2.25 + float(table.rng.normal(0, 2)),
                y + row * size * 2.4 + float(table.rng.normal(0, 2)),
            )
            table.shadow(*at, size, size * 0.4)
            table.dome(*at, size, light("#1d2a22"), bulge=0.5, gloss=0.04)
            table.dome(*at, size * 0.9, light("#efeae0"), bulge=0.3)
            for _ in range(26):
                _scattered(table, at, size * 0.8, size * 0.1, "#f6f2ea", bulge=0.8, squash=0.6)
            table.dome(*at, size * 0.38, light(filling), bulge=0.5, gloss=0.1, uneven=0.1)


DISHES: dict[str, Callable[[Table, float, float, float], None]] = {
    "coffee": _coffee,
    "soup": _soup,
    "pizza": _pizza,
    "pancakes": _pancakes,
    "berries": _berries,
    "citrus": _citrus,
    "biscuits": _biscuits,
    "sushi": _sushi,
}


def _mottle(table: Table, x: float, y: float, radius: float, strength: float) -> None:
    """Vary the brightness of a disc, as of something cooked, with a faint shine towards the light."""
    rows, columns, across, down = table.part(x, y, radius)
    patches = look_up(fractal_tile(5, 1.4), across * 1.4 + radius, down * 1.4)
    fine = look_up(fractal_tile(6, 0.7), across * 0.9, down * 0.9)
    far = np.hypot(across, down) / np.float32(radius)
    toward = (across * table.to_light[0] + down * table.to_light[1]) / np.float32(radius)
    shine = np.exp(-(((far - 0.86) / 0.07) ** 2)) * np.clip(toward, 0, 1) ** 3 * 0.5
    inside = np.clip((1 - far) * radius / 2, 0, 1)
    part = table.scene[:, rows, columns]
    part *= 1 + inside * (strength * (patches - 0.5) * 1.4 + strength * 0.6 * (fine - 0.5))
    part += table.sun * (shine * inside * strength)


def _scattered(
    table: Table, middle: tuple[float, float], reach: float, radius: float, colour: str, **looks: float
) -> None:
    """Paint a small thing somewhere within `reach` of a point."""
    angle, out = float(table.rng.uniform(0, 2 * np.pi)), reach * float(table.rng.random()) ** 0.5
    x, y = middle[0] + np.cos(angle) * out, middle[1] + np.sin(angle) * out
    table.shadow(x, y, radius, radius * 0.35)
    tint = light(colour) * float(table.rng.uniform(0.8, 1.2))
    table.dome(x, y, radius * float(table.rng.uniform(0.85, 1.12)), tint, turn=float(table.rng.uniform(0, 3)), **looks)


def _herbs(table: Table, middle: tuple[float, float], reach: float, length: float, count: int) -> None:
    """Paint green leaves, each with a vein."""
    for _ in range(count):
        angle, out = float(table.rng.uniform(0, 2 * np.pi)), reach * float(table.rng.random()) ** 0.5
        at = (middle[0] + np.cos(angle) * out, middle[1] + np.sin(angle) * out)
        turn = float(table.rng.uniform(0, np.pi))
        table.shadow(*at, length * 0.6, length * 0.2)
        green = light(str(table.rng.choice(["#3f7a2c", "#4f8f38", "#2f6a34"])))
        table.dome(*at, length, green, bulge=0.55, squash=0.5, turn=turn, gloss=0.05)
        table.dome(*at, length * 0.85, green * 1.5, bulge=0.2, squash=0.07, turn=turn)


def _beside(table: Table, dish: str, middle: tuple[float, float], radius: float) -> str:
    """Lay something next to the dish: cutlery, a cup, or nothing; returns its name."""
    _, height, width = table.scene.shape
    what = str(table.rng.choice(["cup", ""] if dish in _WITHOUT_SPOON else ["spoon", "cup", ""]))
    if what == "cup" and dish != "coffee":
        x = width * (0.06 if middle[0] > width / 2 else 0.94)
        y = height * (0.1 if middle[1] > height / 2 else 0.9)
        size = radius * 0.5
        _plate(table, x, y, size * 1.35, "#e9e4da")
        _bowl(table, x, y, size, "#e9e4da")
        table.dome(x, y, size * 0.86, light("#4a2a18"), bulge=0.08, gloss=0.0)
        return "cup"
    if what == "spoon":
        side = 1 if middle[0] < width / 2 else -1
        x, y = middle[0] + side * radius * 1.28, middle[1]
        steel = light("#aeb4b8")
        for share in np.linspace(-0.25, 1, 90):
            table.dome(x, y + share * radius, radius * (0.03 + 0.018 * max(share, 0)), steel, bulge=0.8, gloss=0.1)
        table.shadow(x, y - radius * 0.45, radius * 0.11, radius * 0.04)
        table.dome(x, y - radius * 0.45, radius * 0.2, steel, bulge=-0.7, gloss=0.0, squash=0.62, turn=np.pi / 2)
        return "spoon"
    return ""
