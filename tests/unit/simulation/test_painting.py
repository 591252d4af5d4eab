from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from simulation.errors import SimulationError
from simulation.painting import Paintings, check_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(4):
        picture = BytesIO()
        Image.new("RGB", (8, 8), (60 * number, 0, 0)).save(picture, "PNG")
        (tmp_path / f"{number}.png").write_bytes(picture.getvalue())
    return tmp_path


def test_the_users_own_photos_are_what_is_posted(folder: Path) -> None:
    pictures = dict(Paintings(seed=1, count=4, folder=folder).missing(()))

    assert {picture.data for picture in pictures.values()} == {file.read_bytes() for file in folder.iterdir()}


def test_after_an_interruption_only_what_is_missing_comes_under_its_old_number(folder: Path) -> None:
    paintings = Paintings(seed=1, count=4, folder=folder)
    everything = dict(paintings.missing(()))

    assert dict(paintings.missing({0, 2})) == {1: everything[1], 3: everything[3]}


def test_painted_pictures_are_the_same_after_an_interruption() -> None:
    paintings = Paintings(seed=1, count=2)
    everything = dict(paintings.missing(()))

    assert everything[0].data != everything[1].data
    assert dict(paintings.missing({0})) == {1: everything[1]}


def test_a_folder_without_photos_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="holds no"):
        check_folder(tmp_path)
