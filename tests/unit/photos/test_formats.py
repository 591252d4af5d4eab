from collections.abc import Callable

import pytest
from PIL import Image

from ingestion.photos.formats import PhotoFormat, foreign_name, sniff

Encode = Callable[..., bytes]


@pytest.mark.parametrize("photo_format", list(PhotoFormat))
def test_every_format_is_recognised_by_its_content(
    picture: Image.Image, encode: Encode, photo_format: PhotoFormat
) -> None:
    assert sniff(encode(picture.resize((64, 48)), photo_format.value)) is photo_format


def test_phones_heif_files_with_a_general_major_brand_are_recognised() -> None:
    boxes = b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic"
    assert sniff(boxes) is PhotoFormat.HEIF
    assert sniff(boxes.replace(b"heic", b"avif")) is PhotoFormat.AVIF


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"%PDF-1.7\n", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"II*\x00\x08\x00\x00\x00", "TIFF or raw"),
        (b"\x00\x00\x00\x18ftypqt  \x00\x00\x00\x00qt  ", "video"),
    ],
)
def test_what_is_not_read_is_called_by_its_name(data: bytes, name: str) -> None:
    assert sniff(data) is None
    assert foreign_name(data) == name


@pytest.mark.parametrize("data", [b"", b"\x00", b"ftyp", b"hello", b"RIFF\x00\x00\x00\x00WAVE", bytes(100)])
def test_anything_else_is_nothing(data: bytes) -> None:
    assert sniff(data) is None
    assert foreign_name(data) is None


def test_bmp_is_a_picture_but_not_one_that_is_read(encode: Encode) -> None:
    assert foreign_name(encode(Image.new("RGB", (2, 2)), "BMP")) == "BMP"
