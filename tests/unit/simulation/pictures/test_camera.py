import io
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from simulation.pictures.camera import PHONES, Shot, shoot

TAKEN_AT = datetime(2025, 6, 7, 8, 9, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    """Red to the right, green downwards, so that every rotation is visible."""
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


def test_every_shot_is_upright_after_applying_its_orientation(shots: list[Shot], picture: Image.Image) -> None:
    rotated = 0
    for shot in shots:
        image = opened(shot)
        rotated += image.format == "JPEG" and image.getexif().get(ExifTags.Base.Orientation, 1) != 1
        upright = ImageOps.exif_transpose(image).convert("RGB")
        assert upright.size == picture.size
        assert np.abs(np.asarray(upright, dtype=int) - np.asarray(picture, dtype=int)).mean() < 8
    assert rotated > 10


def test_about_half_of_the_shots_have_gps_coordinates(shots: list[Shot]) -> None:
    coordinates = [gps for shot in shots if (gps := opened(shot).getexif().get_ifd(ExifTags.IFD.GPSInfo))]
    assert 20 < len(coordinates) < 60
    for gps in coordinates:
        degrees, minutes, seconds = gps[ExifTags.GPS.GPSLatitude]
        assert degrees <= 90
        assert minutes < 60
        assert seconds < 60


def test_exif_has_the_phone_and_the_date(shots: list[Shot]) -> None:
    exif = opened(shots[0]).getexif()
    assert exif[ExifTags.Base.Model] in {phone.model for phone in PHONES}
    assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] == "2025:06:07 08:09:10"
