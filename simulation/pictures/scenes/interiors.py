"""Rooms: a wall with a window, what stands in front of it, and the light that falls in or comes from a lamp."""

from dataclasses import dataclass

import numpy as np

from simulation.pictures.colour import Pixels, light, mix, smoothstep
from simulation.pictures.daylight import Daylight, daylight
from simulation.pictures.depiction import Depiction, depict
from simulation.pictures.figures import Place, cat
from simulation.pictures.noise import blur, enlarge, fractal_tile, grain_of, look_up
from simulation.pictures.ridges import Ranges, paint_ridges
from simulation.pictures.sky import add_glow, paint_sky
from simulation.pictures.trees import Shapes, broadleaf, paint_over

_WALLS = ("#d9cdb8", "#b9c0b4", "#c9b0a0", "#a8b2ba", "#cdbb98", "#8f9c90", "#c79a86", "#e0dccf")
_FLOORS = ("#9a6b42", "#7a5234", "#b58a5c", "#5c4030")
_CLOTHS = ("#3f5a5c", "#9a4a34", "#c29a4a", "#5a6a48", "#6a4a5c", "#34465f", "#a8795a")
_BOOKS = ("#8a3a30", "#2f4f5f", "#c0a060", "#4a5a3a", "#d8cdb8", "#3a3440", "#a86a3a", "#6a7f8a")
_COARSE = 4


@dataclass(frozen=True, slots=True)
class Room:
    """A room while it is painted. `floor` is the row where wall and floor meet.

    `window` is its left, top, right and bottom edge.
    """

    rng: np.random.Generator
    scene: Pixels
    moment: Daylight
    floor: float
    window: tuple[float, float, float, float]
    shine: Pixels  # light on something white in the room
    lamp_on: bool

    def fill(self, shapes: Shapes, colour: Pixels, *, shadow: float = 0.0) -> None:
        """Paint shapes, lit like the room, rounder towards the window; with a soft shadow on what is behind."""
        mask = shapes.mask()
        scene, (height, width) = self.scene, mask.shape
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(rows):
            return
        around = int(3 * shadow) + 2
        top, bottom = max(0, rows[0] - around), min(height, rows[-1] + around + 1)
        left, right = max(0, columns[0] - around), min(width, columns[-1] + around + 1)
        mask = mask[top:bottom, left:right]
        part = scene[:, top:bottom, left:right]
        middle = (left + right) / 2
        side = -1 if (self.window[0] + self.window[2]) / 2 < middle else 1
        if shadow:
            soft = blur(mask, shadow)
            part *= 1 - 0.5 * np.roll(soft, (int(shadow * 0.6), int(-side * shadow)), (0, 1))
        y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
        across, down = 2 * (x - left) / (right - left) - 1, 2 * (y - top) / (bottom - top) - 1
        weave = grain_of(self.rng, fractal_tile(6, 0.7), *mask.shape)
        paint_over(part, mask, colour * self.shine * ((0.92 + 0.3 * side * across - 0.2 * down) * (0.85 + 0.3 * weave)))


def paint(rng: np.random.Generator, height: int, width: int) -> Depiction:
    """A room by day, or in the evening by the light of a lamp."""
    moment = daylight(rng, "day", "golden", "golden", "dawn", "mist", "dusk", "night")
    dark = moment.name in ("dusk", "night")
    floor = height * float(rng.uniform(0.74, 0.82))
    view = _view(rng, (height, width), moment)
    wide, tall = width * float(rng.uniform(0.3, 0.42)), height * float(rng.uniform(0.36, 0.46))
    left = width * float(rng.choice([0.1, 0.29, 0.48])) + width * float(rng.uniform(0, 0.08))
    top = floor - tall - height * float(rng.uniform(0.17, 0.24))
    window = (left, max(top, height * 0.04), min(left + wide, width * 0.96), max(top, height * 0.04) + tall)
    shine = moment.ambient * (0.62 if not dark else 0.16) + moment.sun * (0.13 if not dark else 0.02) + 0.03
    if dark:
        shine = shine + light("#ffe0b8") * 0.17
    scene = _wall_and_floor(rng, (height, width), floor)
    scene *= shine
    room = Room(rng, scene, moment, floor, window, shine, dark)
    _daylight_inside(room)
    _window(room, view)
    seat = _furnish(room)
    lamp = _lamp(room) if dark or rng.random() < 0.5 else ""  # noqa: PLR2004
    plant = _plant(room) if rng.random() < 0.75 else ""  # noqa: PLR2004
    pet = _cat(room) if rng.random() < 0.3 else ""  # noqa: PLR2004
    return depict(scene, moment.name, seat, lamp, plant, pet)


def _view(rng: np.random.Generator, size: tuple[int, int], moment: Daylight) -> Pixels:
    """The view from the window: sky, hills and a tree, slightly out of focus."""
    height, width = size
    small = (height // 2, width // 2)
    view = paint_sky(rng, small, small[0] * 0.62, moment, clouds=float(rng.uniform(0.1, 0.8)))
    far, near = mix(moment.haze, moment.horizon, 0.4), light("#33452c") * (0.15 + moment.ambient)
    line = paint_ridges(rng, view, Ranges(3, 0.5, 0.66, far, near))
    shapes = Shapes(*small)
    for _ in range(int(rng.integers(1, 4))):
        x = small[1] * float(rng.uniform(0.1, 0.9))
        broadleaf(rng, shapes, x, float(line[int(x)]) + small[0] * 0.1, small[0] * float(rng.uniform(0.3, 0.5)))
    paint_over(view, blur(shapes.mask(), 1.5), near * 0.7)
    return view


def _wall_and_floor(rng: np.random.Generator, size: tuple[int, int], floor: float) -> Pixels:
    height, width = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    coarse = (slice(None, None, _COARSE), slice(None, None, _COARSE))
    plaster = look_up(fractal_tile(1, 1.55), x[coarse] * 0.5 + rng.uniform(0, 1024), y[coarse] * 0.5)
    plaster = enlarge(plaster, height, width)
    grain = grain_of(rng, fractal_tile(6, 0.7), height, width)
    scene = light(str(rng.choice(_WALLS))) * (0.9 + 0.12 * plaster + 0.1 * (grain - 0.5))
    if rng.random() < 0.3:  # noqa: PLR2004  panelling on the lower part of the wall
        rail = floor - height * 0.17
        low = np.clip(y - rail, 0, 1)
        groove = np.mod(x / (width * 0.035), 1)
        scene = mix(scene, light("#e4e0d6") * (1 - 0.25 * np.exp(-((groove - 0.5) ** 2) / 0.002)), low)
        scene *= 1 - 0.3 * np.exp(-(((y - rail - 3) / 2.5) ** 2))
    top = int(floor)
    below, aside_of = y[top:], x[top:] - np.float32(width / 2)
    depth = np.maximum(below - floor, 0.5) / (height - floor)
    near = 0.42 + 0.58 * depth
    aside = aside_of / near
    board = np.floor(aside / (width * 0.09))
    fibre = look_up(fractal_tile(6, 0.7), aside * 0.9 + board * 40, 24 / near + board * 170)
    gap = np.clip(np.abs(aside / (width * 0.09) - np.rint(aside / (width * 0.09))) / 0.012, 0.3, 1)
    planks = light(str(rng.choice(_FLOORS))) * ((0.7 + 0.5 * (fibre - 0.5) + 0.18 * np.mod(board * 0.618, 1)) * gap)
    scene[:, top:] = mix(scene[:, top:], planks, np.clip(below - floor + 0.5, 0, 1))
    skirting = np.clip(y - floor + height * 0.022, 0, 1) * np.clip(floor - y, 0, 1)
    scene = mix(scene, light("#ece8de"), skirting)
    scene *= 1 - 0.35 * np.exp(-np.abs(y - floor) / (height * 0.012))
    return scene


def _daylight_inside(room: Room) -> None:
    """Add the falloff of light from the window, and by day the patch of sun that comes through it; in place."""
    _, height, width = room.scene.shape
    scene, (left, top, right, bottom) = room.scene, room.window
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    middle, half = (left + right) / 2, (right - left) / 2
    far = np.hypot((x - middle) / (half * 2.6), (y - (top + bottom) / 2) / (height * 0.55))
    corner = 1 - 0.35 * smoothstep(0.5, 1.6, np.hypot(x / width - 0.5, y / height - 0.5) * 2)
    scene *= (0.62 + 0.75 * np.exp(-(far**2))) * corner
    if room.moment.name in ("golden", "dawn", "day"):
        lean = float(room.rng.uniform(0.35, 0.8)) * float(room.rng.choice([-1, 1]))
        down = height * float(room.rng.uniform(0.3, 0.42))
        rise = y - down
        on_floor = np.maximum(y - room.floor, 0)
        across = x - lean * (down + on_floor * 0.9)
        pane_x, pane_y = (across - left) / (right - left), (rise - on_floor * 0.35 - top) / (bottom - top)
        soft = 0.02
        patch = smoothstep(0, soft, pane_x) * smoothstep(1, 1 - soft, pane_x)
        patch = patch * smoothstep(0, soft, pane_y) * smoothstep(1, 1 - soft, pane_y)
        for bar in (1 / 3, 2 / 3):
            patch = patch * (1 - 0.85 * np.exp(-(((pane_x - bar) / 0.018) ** 2)))
        patch = patch * (1 - 0.85 * np.exp(-(((pane_y - 0.5) / 0.018) ** 2)))
        soft_grid = (slice(None, None, _COARSE), slice(None, None, _COARSE))
        leaves = look_up(fractal_tile(7, 1.7), across[soft_grid] * 0.55, (rise * 0.55 + 0 * x)[soft_grid])
        leaves = enlarge(leaves, height, width)
        patch = patch * (0.55 + 0.45 * smoothstep(0.35, 0.6, leaves))
        scene *= 1 + room.moment.sun * (1.15 * patch)


def _window(room: Room, view: Pixels) -> None:
    """Paint the window: frame, panes with the view behind them, sill and curtains; in place."""
    scene, (left, top, right, bottom) = room.scene, room.window
    width = scene.shape[2]
    frame = max(4.0, width * 0.014)
    _rectangle(room, (left - frame, top - frame, right + frame, bottom + frame), "#efece4", 1.15)
    rows = slice(int(top), int(bottom))
    columns = slice(int(left), int(right))
    tall, wide = rows.stop - rows.start, columns.stop - columns.start
    from_top, from_left = (view.shape[1] - tall) * 2 // 3, (view.shape[2] - wide) // 2
    if from_top < 0 or from_left < 0:
        at = (
            np.linspace(0, view.shape[1] - 1, tall).astype(int)[:, None],
            np.linspace(0, view.shape[2] - 1, wide).astype(int),
        )
        scene[:, rows, columns] = view[:, at[0], at[1]]
    else:
        scene[:, rows, columns] = view[:, from_top : from_top + tall, from_left : from_left + wide]
    if not room.lamp_on:
        scene[:, rows, columns] *= 1.25
    for share in (1 / 3, 2 / 3):
        x = left + (right - left) * share
        _rectangle(room, (x - frame * 0.3, top, x + frame * 0.3, bottom), "#e6e2d8", 0.8)
    y = (top + bottom) / 2
    _rectangle(room, (left, y - frame * 0.3, right, y + frame * 0.3), "#e6e2d8", 0.8)
    _rectangle(room, (left - frame * 2.4, bottom + frame, right + frame * 2.4, bottom + frame * 2.4), "#f2efe8", 1.4)
    if room.rng.random() < 0.65:  # noqa: PLR2004
        _curtains(room)


def _rectangle(room: Room, box: tuple[float, float, float, float], colour: str, bright: float) -> None:
    left, top, right, bottom = (round(value) for value in box)
    rows, columns = slice(max(0, top), max(0, bottom)), slice(max(0, left), max(0, right))
    room.scene[:, rows, columns] = light(colour) * room.shine * bright


def _curtains(room: Room) -> None:
    """Paint a curtain at each side of the window, with folds, in place."""
    scene, (left, top, right, _) = room.scene, room.window
    _, height, width = scene.shape
    cloth = light(str(room.rng.choice(["#e9e2d4", "#cfd4cc", "#b98a6a", "#8a9aa0", "#d8b8a0"])))
    wide = (right - left) * 0.2
    rail = max(2.0, top - height * 0.045)
    bottom = room.floor - height * 0.01
    y = np.linspace(0, 1, 40)
    for side, edge in ((-1, left), (1, right)):
        inner = edge - side * wide * (0.75 - 0.3 * np.sin(np.pi * np.clip(y * 1.2, 0, 1)) * 0.6)
        outer = edge + side * wide * (0.55 + 0.08 * y)
        rows = rail + (bottom - rail) * y
        outline = np.concatenate([np.stack([inner, rows], axis=-1), np.stack([outer, rows], axis=-1)[::-1]])
        shapes = Shapes(height, width)
        shapes.polygon(outline)
        x = np.arange(width, dtype=np.float32)[None, :]
        down = np.arange(height, dtype=np.float32)[:, None] / height
        folds = 0.5 + 0.5 * np.sin((x - edge) / wide * 21 + 1.3 * np.sin(down * 5) + 2 * np.sin((x - edge) / wide * 5))
        through = np.clip(1.1 - np.abs(x - edge) / (wide * 1.2), 0.2, 1)
        shade = cloth * room.shine * (0.55 + 0.75 * folds) * (0.7 + 0.6 * through)
        paint_over(scene, shapes.mask() * 0.97, shade)
    rod = Shapes(height, width)
    rod.line(np.array([[left - wide, rail], [right + wide, rail]]), max(2.0, height * 0.007))
    room.fill(rod, light("#4a3a2c"))


def _furnish(room: Room) -> str:
    """Paint the main piece of furniture, in place; returns its name."""
    what = str(room.rng.choice(["sofa", "armchair", "desk", "bookshelf"]))
    {"sofa": _sofa, "armchair": _sofa, "desk": _desk, "bookshelf": _bookshelf}[what](room, what)
    return what


def _rounded(shapes: Shapes, box: tuple[float, float, float, float], radius: float) -> None:
    """Draw a rectangle with round corners: left, top, right, bottom."""
    left, top, right, bottom = box
    radius = min(radius, (right - left) / 2, (bottom - top) / 2)
    for inner in ((left + radius, top, right - radius, bottom), (left, top + radius, right, bottom - radius)):
        x0, y0, x1, y1 = inner
        shapes.polygon(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]))
    for x in (left + radius, right - radius):
        for y in (top + radius, bottom - radius):
            shapes.disc(x, y, radius)


def _block(
    room: Room, box: tuple[float, float, float, float], radius: float, colour: Pixels, shadow: float = 0.0
) -> None:
    shapes = Shapes(*room.scene.shape[1:])
    _rounded(shapes, box, radius)
    room.fill(shapes, colour, shadow=shadow)


def _sofa(room: Room, what: str) -> None:
    _, height, width = room.scene.shape
    cloth = light(str(room.rng.choice(_CLOTHS)))
    wide = width * (0.64 if what == "sofa" else 0.4) * float(room.rng.uniform(0.9, 1.1))
    middle = width * float(room.rng.uniform(0.38, 0.62))
    left, right = middle - wide / 2, middle + wide / 2
    foot = room.floor + (height - room.floor) * 0.45
    tall = min(height * 0.27, wide * 0.78)
    arm = wide * (0.09 if what == "sofa" else 0.16)
    seat = foot - tall * 0.46
    for x in (left + arm, right - arm):
        _block(room, (x - 5, foot - tall * 0.12, x + 5, foot), 2, light("#3a281c"))
    _block(
        room,
        (left + arm * 0.4, foot - tall, right - arm * 0.4, foot - tall * 0.1),
        tall * 0.14,
        cloth * 0.8,
        tall * 0.12,
    )
    cushions = 2 if what == "sofa" else 1
    step = (right - left - 2 * arm) / cushions
    for number in range(cushions):
        x = left + arm + number * step
        _block(
            room, (x + 1, foot - tall * 0.9, x + step - 1, seat + tall * 0.1), tall * 0.12, cloth * 0.95, tall * 0.03
        )
        _block(room, (x + 1, seat, x + step - 1, foot - tall * 0.18), tall * 0.09, cloth * 1.08, tall * 0.03)
    for start in (left, right - arm):
        _block(
            room, (start, foot - tall * 0.66, start + arm, foot - tall * 0.08), arm * 0.45, cloth * 0.98, tall * 0.04
        )
    for _ in range(int(room.rng.integers(1, 4 if what == "sofa" else 2))):
        size = tall * float(room.rng.uniform(0.34, 0.42))
        x = float(room.rng.uniform(left + arm, right - arm - size))
        pillow = Shapes(height, width)
        turn = float(room.rng.normal(0, 0.14))
        angle = np.linspace(0, 2 * np.pi, 60)
        bulge = np.stack(
            [
                np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.55,
                np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** 0.55,
            ],
            axis=-1,
        )
        rotated = bulge @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        pillow.polygon(rotated * size / 2 + [x + size / 2, seat - size * 0.42])
        room.fill(pillow, light(str(room.rng.choice(_CLOTHS))) * 1.3, shadow=tall * 0.04)


def _desk(room: Room, _: str) -> None:
    _, height, width = room.scene.shape
    wood = light(str(room.rng.choice(_FLOORS))) * 1.3
    wide, middle = width * float(room.rng.uniform(0.46, 0.6)), width * float(room.rng.uniform(0.4, 0.6))
    left, right = middle - wide / 2, middle + wide / 2
    foot = room.floor + (height - room.floor) * 0.4
    top = foot - height * 0.23
    thick = height * 0.018
    for x in (left + thick, right - 2 * thick):
        _block(room, (x, top, x + thick, foot), 1, wood * 0.8, thick)
    _block(room, (left, top, right, top + thick), 2, wood, thick * 1.5)
    x = left + wide * 0.08
    while x < left + wide * 0.42:
        thickness, tall = wide * float(room.rng.uniform(0.018, 0.04)), height * float(room.rng.uniform(0.07, 0.115))
        _block(room, (x, top - tall, x + thickness, top), 1, light(str(room.rng.choice(_BOOKS))) * 1.2, thick * 0.3)
        x += thickness + 1
    cup = left + wide * 0.62
    _block(room, (cup, top - height * 0.04, cup + height * 0.038, top), 5, light("#e9e4da"), thick * 0.5)
    pages = left + wide * 0.72
    _block(room, (pages, top - height * 0.014, pages + wide * 0.2, top), 2, light("#f1ede2"), thick * 0.4)


def _bookshelf(room: Room, _: str) -> None:
    _, height, width = room.scene.shape
    left_of_window = (room.window[0] + room.window[2]) / 2 > width / 2
    wide = width * 0.3
    left = width * 0.05 if left_of_window else width * 0.65
    foot, tall, board = room.floor + height * 0.035, height * 0.56, height * 0.014
    wood = light(str(room.rng.choice(_FLOORS)))
    _block(room, (left, foot - tall, left + wide, foot), 2, wood * 0.55, board * 2)
    shelves = 4
    for shelf in range(shelves):
        bottom = foot - board - shelf * tall / shelves
        x = left + board
        limit = left + wide - board
        while x < limit - 4:
            thickness = wide * float(room.rng.uniform(0.035, 0.085))
            high = tall / shelves * float(room.rng.uniform(0.5, 0.82))
            if room.rng.random() < 0.12:  # noqa: PLR2004  a gap between the books
                x += thickness * 2
                continue
            book = light(str(room.rng.choice(_BOOKS)))
            _block(room, (x, bottom - high, min(x + thickness, limit), bottom), 1, book * 1.1)
            x += thickness + 1
        _block(room, (left, bottom, left + wide, bottom + board), 1, wood)
    for x in (left, left + wide - board):
        _block(room, (x, foot - tall, x + board, foot), 1, wood)
    _block(room, (left, foot - tall, left + wide, foot - tall + board), 1, wood)


def _lamp(room: Room) -> str:
    """Paint a floor lamp, switched on in the evening, in place."""
    _, height, width = room.scene.shape
    x = width * (0.9 if (room.window[0] + room.window[2]) / 2 < width / 2 else 0.1)
    foot, top = room.floor + height * 0.07, height * float(room.rng.uniform(0.36, 0.44))
    size = width * 0.075
    stand, shade = Shapes(height, width), Shapes(height, width)
    stand.line(np.array([[x, foot], [x, top]]), max(2.0, width * 0.006))
    stand.line(np.array([[x - size * 0.5, foot], [x + size * 0.5, foot]]), max(3.0, width * 0.009))
    room.fill(stand, light("#2c2620"), shadow=3)
    outline = np.array(
        [[x - size * 0.5, top - size], [x + size * 0.5, top - size], [x + size * 0.82, top], [x - size * 0.82, top]]
    )
    shade.polygon(outline)
    if not room.lamp_on:
        room.fill(shade, light("#e8dcc4"), shadow=4)
        return "lamp"
    warm = light("#ffe2b8")
    glow = np.zeros_like(room.scene)
    add_glow(glow, x, top - size * 0.4, width * 0.34, warm * 1.0)
    scene = room.scene
    scene *= 1 + 1.9 * glow
    scene += glow * 0.05
    rows = np.arange(height, dtype=np.float32)[:, None]
    paint_over(scene, shade.mask(), light("#ffdca0") * (0.75 + 0.6 * np.clip((rows - top + size) / size, 0, 1)))
    return "lamp light"


def _plant(room: Room) -> str:
    """Paint a plant in a pot on the floor, in place."""
    _, height, width = room.scene.shape
    left = (room.window[0] + room.window[2]) / 2 > width / 2
    x, foot = width * (0.14 if left else 0.86), room.floor + (height - room.floor) * 0.55
    size = width * float(room.rng.uniform(0.055, 0.08))
    green = light(str(room.rng.choice(["#3f6a38", "#4f7a4a", "#2f5a40"])))
    pot = Shapes(height, width)
    top = foot - size * 1.5
    pot.polygon(
        np.array([[x - size * 0.8, top], [x + size * 0.8, top], [x + size * 0.58, foot], [x - size * 0.58, foot]])
    )
    stems = []
    for _ in range(int(room.rng.integers(9, 15))):
        lean, long = float(room.rng.normal(0, 0.6)), size * float(room.rng.uniform(2.0, 4.4))
        stems.append((lean, long))
    for number, (lean, long) in enumerate(sorted(stems, key=lambda stem: -stem[1])):
        leaf, stem = Shapes(height, width), Shapes(height, width)
        tip = np.array([x + lean * long * 0.85, top - long * (1 - 0.25 * abs(lean))])
        along = np.linspace(0, 1, 14)
        bend = np.stack([x + (tip[0] - x) * along**1.6, top + (tip[1] - top) * along], axis=-1)
        stem.line(bend, max(1.5, size * 0.06))
        room.fill(stem, green * 0.7)
        direction = (bend[-1] - bend[-3]) / np.hypot(*(bend[-1] - bend[-3]))
        normal = np.array([-direction[1], direction[0]])
        blade, broad = size * float(room.rng.uniform(1.0, 1.5)), size * 0.42
        share = np.linspace(0, 1, 22)[:, None]
        swell = np.sin(np.pi * share**0.8) * broad
        middle = bend[-1] + direction * blade * (share - 0.25)
        leaf.polygon(np.concatenate([middle + normal * swell, (middle - normal * swell)[::-1]]))
        room.fill(leaf, green * (0.7 + 0.06 * number), shadow=size * 0.12)
        vein = Shapes(height, width)
        vein.line(middle, max(1.0, size * 0.03))
        room.fill(vein, green * 1.7)
    room.fill(pot, light(str(room.rng.choice(["#b0674a", "#d8d2c6", "#4a5458", "#c9a06a"]))), shadow=size * 0.3)
    return "plant"


def _cat(room: Room) -> str:
    """Paint a cat that sits on the window sill, in place."""
    _, height, width = room.scene.shape
    left, _, right, bottom = room.window
    shapes = Shapes(height, width)
    size = (right - left) * float(room.rng.uniform(0.24, 0.3))
    x = left + (right - left) * float(room.rng.uniform(0.3, 0.7))
    cat(shapes, Place(x, bottom + width * 0.014, size, int(room.rng.choice([-1, 1]))))
    room.fill(shapes, light(str(room.rng.choice(["#2a2624", "#8a5a34", "#4a4440"]))) * 0.7)
    return "cat"
