import io
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from simulation.pictures.camera import PHONES, Shot, shoot

TAKEN_AT = datetime(2025, 6, 7, 8, 9, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    """Red to the right, green downwards: every turn shows."""
    y, x = np.mgrid[0:120, 0:160]
    return Image.fromarray(np.stack([x * 255 / 159, y * 255 / 119, 0 * x], axis=-1).astype(np.uint8))


@pytest.fixture(scope="module")
def shots(picture: Image.Image) -> list[Shot]:
    return [shoot(np.random.default_rng(seed), picture, TAKEN_AT) for seed in range(80)]


def opened(shot: Shot) -> Image.Image:
    return Image.open(io.BytesIO(shot.data))


def test_phones_send_jpeg_and_heic(shots: list[Shot]) -> None:
    formats = {shot.media_type: opened(shot).format for shot in shots}
    assert formats == {"image/jpeg": "JPEG", "image/heic": "HEIF"}


def test_every_shot_is_upright_to_who_obeys_its_orientation(shots: list[Shot], picture: Image.Image) -> None:
    turned = 0
    for shot in shots:
        image = opened(shot)
        turned += image.format == "JPEG" and image.getexif().get(ExifTags.Base.Orientation, 1) != 1
        upright = ImageOps.exif_transpose(image).convert("RGB")
        assert upright.size == picture.size
        assert np.abs(np.asarray(upright, dtype=int) - np.asarray(picture, dtype=int)).mean() < 8
    assert turned > 10


def test_some_shots_tell_the_place_so_that_stripping_it_can_be_shown(shots: list[Shot]) -> None:
    places = [opened(shot).getexif().get_ifd(ExifTags.IFD.GPSInfo) for shot in shots]
    with_place = [place for place in places if place]
    assert 20 < len(with_place) < 60
    for place in with_place:
        degrees, minutes, seconds = place[ExifTags.GPS.GPSLatitude]
        assert degrees <= 90
        assert minutes < 60
        assert seconds < 60


def test_camera_facts_are_those_of_an_invented_phone(shots: list[Shot]) -> None:
    exif = opened(shots[0]).getexif()
    assert exif[ExifTags.Base.Model] in {phone.model for phone in PHONES}
    assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] == "2025:06:07 08:09:10"
