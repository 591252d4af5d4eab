"""The pictures of the demo world: painted scenes, packaged photographs, or the user's own files."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from simulation.pictures.camera import shoot
from simulation.pictures.captions import choose_tags, write_captions
from simulation.pictures.painter import LARGE_SCENES, SCENES, paint
from simulation.pictures.photographs import PHOTOGRAPHS, take

PHOTOGRAPH_EVERY = 12  # each packaged photograph is used once: early on, one among that many pictures

_YEAR_OF_PICTURES = datetime(2025, 1, 1, tzinfo=UTC)
# hours from midnight, may run into the next day
_HOURS = {
    "dawn": (5, 7),
    "morning": (7, 11),
    "mist": (6, 10),
    "day": (10, 16),
    "golden": (17, 19),
    "sunset": (18, 20),
    "evening": (18, 22),
    "dusk": (19, 21),
    "night": (21, 28),
}
_DAYS = {"snow": (0, 70), "flowers": (95, 250), "autumn": (270, 325)}  # of the year, by topic or fact
_MEDIA_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".heic": "image/heic",
    ".heif": "image/heic",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A file for upload with its metadata. The first tag is the topic.

    `captions` all fit the picture, the best first; the uploader takes the first that is unused.
    """

    data: bytes
    media_type: str
    topic: str
    captions: tuple[str, ...]
    tags: tuple[str, ...]


def topics() -> tuple[str, ...]:
    """All topics of painted scenes and packaged photographs."""
    return tuple(dict.fromkeys((*SCENES, *(photograph.topic for photograph in PHOTOGRAPHS))))


def pictures(seed: int, count: int, user_folder: Path | None = None) -> Iterator[Picture]:
    """Yield `count` pictures, made on demand. The same seed gives the same pictures.

    Files of `user_folder` come first, once each, in random order. Their topic is the name of their sub-folder, or
    "photo".

    Raises:
        ValueError: `user_folder` has no picture.
    """
    files = _user_files(user_folder, seed) if user_folder else []
    for number in range(count):
        if number < len(files):
            yield _user_picture(_generator(seed, number), files[number], user_folder or files[number].parent)
        else:
            yield picture(seed, number)


def picture(seed: int, number: int, *, large: bool = False) -> Picture:
    """Picture `number`: one of the packaged photographs, each of which has one number, or else painted."""
    turn, place = divmod(number, PHOTOGRAPH_EVERY)
    if place == PHOTOGRAPH_EVERY // 2 and turn < len(PHOTOGRAPHS):
        photograph, rng = PHOTOGRAPHS[turn], _generator(seed, number)
        shot = shoot(rng, take(rng, photograph), _moment(rng, photograph.topic, ()))
        tags = choose_tags(rng, photograph.topic)
        return Picture(shot.data, shot.media_type, photograph.topic, photograph.captions, tags)
    return painted(seed, number, large=large)


def painted(seed: int, number: int, *, large: bool = False) -> Picture:
    """Painted picture `number` of a random topic. A large one has the size of a camera's picture."""
    rng = _generator(seed, number)
    topic = str(rng.choice(LARGE_SCENES if large else tuple(SCENES)))
    painting = paint(topic, int(rng.integers(2**32)), large=large)
    shot = shoot(rng, painting.image, _moment(rng, topic, painting.facts))
    captions = write_captions(rng, topic, painting.facts)
    return Picture(shot.data, shot.media_type, topic, captions, choose_tags(rng, topic, painting.facts))


def _generator(seed: int, number: int) -> np.random.Generator:
    return np.random.default_rng((seed, number))


def _moment(rng: np.random.Generator, topic: str, facts: Collection[str]) -> datetime:
    """A time of year and day at which the picture can have been taken."""
    days = next((_DAYS[word] for word in (topic, *sorted(facts)) if word in _DAYS), (0, 300))
    hours = next((_HOURS[word] for word in sorted(facts) if word in _HOURS), (7, 20))
    day = _YEAR_OF_PICTURES + timedelta(days=int(rng.integers(*days)))
    return day + timedelta(seconds=int(3600 * rng.uniform(*hours)))


def _user_files(folder: Path, seed: int) -> list[Path]:
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _MEDIA_TYPES and path.is_file())
    if not files:
        raise ValueError(f"{folder} has no JPEG, PNG, WebP or HEIC file")
    return [files[at] for at in np.random.default_rng(seed).permutation(len(files))]


def _user_picture(rng: np.random.Generator, path: Path, folder: Path) -> Picture:
    inside = path.relative_to(folder).parts
    topic = inside[0].lower() if len(inside) > 1 else "photo"
    return Picture(
        data=path.read_bytes(),
        media_type=_MEDIA_TYPES[path.suffix.lower()],
        topic=topic,
        captions=write_captions(rng, topic),
        tags=choose_tags(rng, topic),
    )
