"""The pictures of the demo world: painted scenes, packaged photographs, or the user's own files."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from simulation.pictures.camera import shoot
from simulation.pictures.captions import choose_tags, write_caption
from simulation.pictures.painter import SCENES, paint
from simulation.pictures.photographs import PHOTOGRAPHS, take

PHOTOGRAPH_SHARE = 0.25

_YEAR_OF_PICTURES = datetime(2025, 1, 1, tzinfo=UTC)
_HOURS = {"night": (21, 28), "sunset": (18, 21)}  # hours from midnight, may run into the next day
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
    """A file for upload with its metadata. The first tag is the topic."""

    data: bytes
    media_type: str
    topic: str
    caption: str
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
        rng = np.random.default_rng((seed, number))
        if number < len(files):
            yield _user_picture(rng, files[number], user_folder or files[number].parent)
        else:
            yield _generated_picture(rng)


def _generated_picture(rng: np.random.Generator) -> Picture:
    if rng.random() < PHOTOGRAPH_SHARE:
        photograph = PHOTOGRAPHS[rng.integers(len(PHOTOGRAPHS))]
        topic, image = photograph.topic, take(rng, photograph)
    else:
        topic = str(rng.choice(tuple(SCENES)))
        image = paint(topic, int(rng.integers(2**32)))
    shot = shoot(rng, image, _moment(rng, topic))
    return Picture(shot.data, shot.media_type, topic, write_caption(rng, topic), choose_tags(rng, topic))


def _moment(rng: np.random.Generator, topic: str) -> datetime:
    day = _YEAR_OF_PICTURES + timedelta(days=int(rng.integers(300)))
    return day + timedelta(seconds=int(3600 * rng.uniform(*_HOURS.get(topic, (7, 20)))))


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
        caption=write_caption(rng, topic),
        tags=choose_tags(rng, topic),
    )
