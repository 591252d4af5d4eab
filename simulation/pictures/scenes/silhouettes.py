"""People and animals against a bright sky: on a beach, on a hill, or on a pier."""

import numpy as np

from simulation.pictures.colour import Pixels, light, mix
from simulation.pictures.daylight import Daylight, daylight
from simulation.pictures.depiction import Depiction, depict
from simulation.pictures.figures import Place, angler, cat, cyclist, dog, kite, person, photographer
from simulation.pictures.noise import fractal_tile, look_up, ridge_line
from simulation.pictures.ridges import Ranges, paint_ridges
from simulation.pictures.sky import paint_sky
from simulation.pictures.trees import Shapes, grass, paint_over
from simulation.pictures.water import paint_sea

_STAGES = ("beach", "hill", "pier")
_SUBJECTS = {
    "beach": ("walker and dog", "couple", "kite", "angler", "dog", "friends"),
    "hill": ("cyclist", "photographer", "walker and dog", "couple", "kite", "friends"),
    "pier": ("angler", "couple", "photographer", "cat", "friends"),
}


def paint(rng: np.random.Generator, height: int, width: int) -> Depiction:
    """One subject, dark against the light behind it."""
    moment = daylight(rng, "sunset", "sunset", "golden", "dusk", "dawn")
    stage = str(rng.choice(_STAGES))
    subject = str(rng.choice(_SUBJECTS[stage]))
    horizon = round(height * rng.uniform(0.6, 0.72))
    scene = paint_sky(rng, (height, width), horizon, moment, clouds=float(rng.uniform(0.2, 0.85)))
    dark = moment.ambient * 0.035 + light("#0b0a10") * 0.3
    shapes = Shapes(height, width)
    if stage == "hill":
        line = _hill(rng, scene, shapes, horizon, moment, dark)
    else:
        paint_sea(rng, scene, horizon, moment, deep="#2a2a3a", swell=float(rng.uniform(0.35, 0.8)))
        line = _pier(rng, shapes, scene) if stage == "pier" else _sand(rng, scene, moment)
    size = height * rng.uniform(0.24, 0.34)
    column = int(width * rng.uniform(0.3, 0.62))
    facing = 1 if column < width / 2 else -1
    room = (width - column if facing > 0 else column) - 0.06 * width
    _draw(rng, shapes, subject, Place(column, float(line[column]) + size * 0.012, size, facing), room)
    mask = shapes.mask()
    if stage == "beach":
        _mirror(scene, mask, int(line[column]), dark)
    paint_over(scene, mask, dark)
    return depict(scene, moment.name, stage, subject)


def _draw(rng: np.random.Generator, shapes: Shapes, subject: str, place: Place, room: float) -> None:
    """Draw a subject; `room` is the width of the picture ahead of it."""
    beside = Place(place.x + place.facing * place.size * 0.62, place.foot, place.size * 0.3, place.facing)
    match subject:
        case "walker and dog":
            person(rng, shapes, place, walking=True)
            dog(rng, shapes, beside)
            hand, collar = place.at([(0.17, 0.47)])[0], beside.at([(0.5, 1.0)])[0]
            shapes.line(np.stack([hand, (hand + collar) / 2 + [0, place.size * 0.05], collar]), 0.9)
        case "dog":
            dog(rng, shapes, Place(place.x, place.foot, place.size * 0.42, place.facing))
        case "couple":
            person(rng, shapes, place, walking=False)
            other = Place(place.x + place.size * 0.27, place.foot, place.size * float(rng.uniform(0.88, 1)), -1)
            person(rng, shapes, other, walking=False)
        case "friends":
            for number in range(int(rng.integers(3, 5))):
                at = place.x + place.facing * place.size * 0.36 * number
                tall = place.size * float(rng.uniform(0.84, 1))
                person(rng, shapes, Place(at, place.foot, tall, int(rng.choice([-1, 1]))), walking=number % 2 == 0)
        case "cat":
            cat(shapes, Place(place.x, place.foot, place.size * 0.6, place.facing))
        case "cyclist":
            cyclist(rng, shapes, place)
        case "kite":
            kite(rng, shapes, Place(place.x, place.foot, place.size * 0.85, place.facing), room)
        case "photographer":
            photographer(rng, shapes, place)
        case _:
            angler(rng, shapes, place)


def _hill(
    rng: np.random.Generator, scene: Pixels, shapes: Shapes, horizon: int, moment: Daylight, dark: Pixels
) -> Pixels:
    """Paint distant ridges, and draw a hill with grass on it; returns its line."""
    _, height, width = scene.shape
    far = mix(moment.haze, moment.horizon, 0.5)
    paint_ridges(rng, scene, Ranges(int(rng.integers(2, 5)), horizon / height - 0.02, 0.86, far, dark * 4))
    slope = rng.uniform(-0.08, 0.08) * np.linspace(-0.5, 0.5, width)
    line: Pixels = height * (0.84 + slope + 0.012 * ridge_line(rng, width, 1.5, 3))
    shapes.ground(line)
    grass(rng, shapes, line, int(rng.integers(300, 700)), height * 0.03)
    return line


def _pier(rng: np.random.Generator, shapes: Shapes, scene: Pixels) -> Pixels:
    """Draw a wooden pier that comes in from one side; returns its deck."""
    _, height, width = scene.shape
    deck, thick = height * rng.uniform(0.8, 0.85), height * 0.018
    shapes.polygon(np.array([[-2, deck], [width + 2, deck], [width + 2, deck + thick], [-2, deck + thick]]))
    step = width * rng.uniform(0.11, 0.16)
    for x in np.arange(-step * rng.random(), width + step, step):
        post = height * 0.008
        shapes.polygon(np.array([[x - post, deck], [x + post, deck], [x + post, height + 2], [x - post, height + 2]]))
    return np.full(width, deck)


def _sand(rng: np.random.Generator, scene: Pixels, moment: Daylight) -> Pixels:
    """Paint wet sand that mirrors the sky, below a line of foam, in place; returns the row on which people stand."""
    _, height, width = scene.shape
    shore = height * (0.8 + 0.012 * ridge_line(rng, width, 2, 4)) + np.linspace(-1, 1, width) * height * 0.02
    top = int(shore.min()) - 2
    rows = np.arange(top, height, dtype=np.float32)[:, None]
    mirror = np.clip(2 * shore.mean() - rows, 0, height - 1).astype(np.int64)
    x = np.arange(width)[None, :]
    patches = look_up(fractal_tile(7, 1.7), x * 0.4 + 0 * rows, rows * 2.2 + 0 * x)
    wet = np.clip(1.15 - (rows - shore) / (height * 0.16) + (patches - 0.5) * 1.1, 0.12, 1) * 0.75
    sand = light("#8a7560") * (0.25 * moment.ambient + 0.1 * moment.sun) * (0.8 + 0.4 * patches)
    cover = np.clip(rows - shore, 0, 1)
    foam = np.exp(-(((rows - shore) / (height * 0.004)) ** 2)) * (0.35 + 0.5 * patches)
    for channel in range(3):
        plane = scene[channel, top:]
        sky = scene[channel].take(mirror * width + x)
        plane += (mix(sand[channel], sky * 0.85, wet) - plane) * cover
        plane += (moment.cloud[channel] * 0.7 - plane) * foam
    return np.full(width, height * 0.9)


def _mirror(scene: Pixels, mask: Pixels, foot: int, dark: Pixels) -> None:
    """Paint the faint reflection of the shapes in `mask` below the row `foot`, in place."""
    below = scene.shape[1] - foot
    reflection = np.zeros_like(mask)
    reflection[foot:] = mask[max(0, foot - below) : foot][::-1][:below] * 0.55
    paint_over(scene, reflection, dark * 2)
