from concurrent.futures import Future
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from simulation.errors import SimulationError
from simulation.painting import CHUNK, Paintings, check_folder
from simulation.pictures.catalogue import Picture
from simulation.scale import DEMO, SMOKE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(4):
        picture = BytesIO()
        Image.new("RGB", (8, 8), (60 * number, 0, 0)).save(picture, "PNG")
        (tmp_path / f"{number}.png").write_bytes(picture.getvalue())
    return tmp_path


def test_photos_of_the_users_folder_are_posted(folder: Path) -> None:
    pictures = dict(Paintings(seed=1, count=4, folder=folder).missing(()))

    assert {picture.data for picture in pictures.values()} == {file.read_bytes() for file in folder.iterdir()}


def test_missing_photos_keep_their_numbers(folder: Path) -> None:
    paintings = Paintings(seed=1, count=4, folder=folder)
    everything = dict(paintings.missing(()))

    assert dict(paintings.missing({0, 2})) == {1: everything[1], 3: everything[3]}


def test_missing_painted_pictures_keep_their_numbers() -> None:
    paintings = Paintings(seed=1, count=CHUNK + 1)
    everything = dict(paintings.missing(()))

    assert list(everything) == list(range(CHUNK + 1))
    assert len({picture.data for picture in everything.values()}) == CHUNK + 1
    assert dict(paintings.missing(range(CHUNK))) == {CHUNK: everything[CHUNK]}
    assert dict(Paintings(seed=1, count=2).missing({0})) == {1: everything[1]}


def test_large_pictures_are_those_of_these_numbers() -> None:
    pictures = dict(Paintings(seed=1, count=2, large=frozenset({1})).missing(()))
    sizes = [max(Image.open(BytesIO(pictures[number].data)).size) for number in (0, 1)]
    assert sizes[0] < 2000 < sizes[1] == 3840


def test_the_demo_has_large_pictures_after_the_first_ones() -> None:
    numbers = DEMO.large_numbers()
    assert len(numbers) == DEMO.large_photos > 0
    assert DEMO.first_photos <= min(numbers) <= max(numbers) < DEMO.photos
    assert SMOKE.large_numbers() == frozenset()


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="has no JPEG, PNG, WebP or HEIC file"):
        check_folder(tmp_path)


def test_later_pictures_are_painted_when_the_first_ones_were_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    painted: list[int] = []

    def paint(_: Paintings, __: Any, chunk: range) -> Future[list[Picture]]:
        painted.extend(chunk)
        future: Future[list[Picture]] = Future()
        future.set_result([Picture(b"", "image/jpeg", "sea", (), ())] * len(chunk))
        return future

    monkeypatch.setattr(Paintings, "_paint_in", paint)
    with Paintings(seed=1, count=5 * CHUNK, first=2 * CHUNK).ahead(()) as numbered:
        assert painted == list(range(2 * CHUNK))
        first = list(islice(numbered, 2 * CHUNK))
        assert painted == list(range(2 * CHUNK))
        others = list(numbered)
    assert [number for number, _ in first + others] == painted == list(range(5 * CHUNK))
