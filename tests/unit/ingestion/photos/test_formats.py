from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ingestion.photos.foreign import recognise_foreign
from ingestion.photos.formats import PhotoFormat, sniff
from ingestion.photos.tiff import raw_name
from tools.photo_cases.made_foreign import tiff

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


@pytest.mark.parametrize("data", [b"", b"\x00", b"ftyp", b"hello", b"RIFF\x00\x00\x00\x00WAVE", bytes(100), b"G" * 100])
def test_other_bytes_have_no_format(data: bytes) -> None:
    assert sniff(data) is None
    assert recognise_foreign(data) is None


@pytest.mark.parametrize(
    ("photo_format", "name"),
    [
        ("BMP", "BMP files"),
        ("TIFF", "TIFF files"),
        ("TGA", "TGA files"),
        ("PPM", "Netpbm files"),
        ("PCX", "PCX files"),
        ("ICO", "Icon files"),
        ("SGI", "SGI files"),
        ("DDS", "DDS files"),
        ("PDF", "PDF files"),
        ("EPS", "PostScript files"),
    ],
)
def test_a_picture_in_a_format_that_is_not_taken_is_named(photo_format: str, name: str, encode: Encode) -> None:
    data = encode(Image.new("RGB", (64, 48)), photo_format)
    assert sniff(data) is None
    foreign = recognise_foreign(data)
    assert foreign
    assert foreign.name == name


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x10RED1", "Camera raw files (RED R3D)"),
        (b"\0\0\0\x10RED2", "Camera raw files (RED R3D)"),
        (b"FORM\0\0\0\x10ILBM", "ILBM files"),
        (b"FORM\0\0\0\x10PBM ", "ILBM files"),
        (b"\0\0\0\x18ftypcrx ", "Camera raw files (Canon CR3)"),
        (b"\0\0\0\x18ftypisom", "Video files (MP4 or QuickTime)"),
        *((b"\0\0\0\x10" + box, "Video files (QuickTime)") for box in (b"wide", b"mdat", b"moov")),
        *((b"\0\0\0\x10" + box, "Video files (QuickTime)") for box in (b"free", b"skip", b"pnot")),
        (b"RIFF\0\0\0\x10AVI ", "Video files (AVI)"),
        (b"RIFX\0\0\0\x10AVI ", "Video files (AVI)"),
        (b"RIFF\0\0\0\x10CDXA", "Video files (MPEG)"),
        (b"<?xml?><svg ", "SVG files"),
        ("<svg ".encode("utf-16"), "SVG files"),
        ((b"G" + bytes(187)) * 2, "Video files (MPEG)"),
        ((bytes(4) + b"G" + bytes(187)) * 2, "Video files (MPEG)"),
        (bytes(100) + b"TRUEVISION-XFILE.\0", "TGA files"),
    ],
)
def test_a_file_is_recognised_by_its_first_boxes_or_packets(head: bytes, name: str) -> None:
    foreign = recognise_foreign(head + bytes(0 if name == "TGA files" else 400))
    assert foreign
    assert foreign.name == name


@pytest.mark.parametrize(
    ("make", "name"),
    [
        ("NIKON CORPORATION", "Nikon NEF"),
        ("SONY", "Sony ARW"),
        ("Canon", "Canon CR2"),
        ("PENTAX", "Pentax PEF"),
        ("RICOH IMAGING", "Pentax PEF"),
        ("SAMSUNG", "Samsung SRW"),
        ("Hasselblad", "Hasselblad 3FR"),
        ("EASTMAN KODAK COMPANY", "Kodak DCR"),
        ("Kodak", "Kodak DCR"),
        ("SEIKO EPSON CORP.", "Epson ERF"),
        ("LEICA CAMERA AG", "Leica RWL"),
        ("Phase One A/S", "Phase One IIQ"),
        ("Mamiya", "Mamiya MEF"),
        ("Leaf", "Leaf MOS"),
        ("OLYMPUS IMAGING CORP.", "Olympus ORF"),
        ("Panasonic", "Panasonic RW2"),
        ("Unheard", "Unheard"),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_raw_file_is_named_by_the_maker_of_its_camera(make: str, name: str, order: str) -> None:
    tags = {259: (3, 1, 1), 271: (2, len(make) + 1, 200), 330: (4, 1, 100)}
    assert raw_name(tiff(tags, make.encode() + b"\0", order)) == name


@pytest.mark.parametrize("value", [32803, 34892, 32767, 32769, 32770, 32772, 34713, 65000, 65535])
def test_sensor_data_and_its_compressions_are_raw(value: int) -> None:
    tag = 262 if value in {32803, 34892} else 259
    assert raw_name(tiff({tag: (3, 1, value)})) == "DNG"
    assert raw_name(tiff({tag: (3, 1, 1)})) is None


@pytest.mark.parametrize("data", [b"\0\0\0\x10RED3", b"FORM\0\0\0\x10AIFF", b"RIFF\0\0\0\x10RMID"])
def test_other_boxes_are_not_recognised(data: bytes) -> None:
    assert recognise_foreign(data + bytes(400)) is None


def test_a_page_with_a_drawing_in_it_is_no_drawing() -> None:
    assert recognise_foreign(b"<html><body><svg/></body></html>") is None


def test_an_endless_start_of_a_drawing_is_read_once() -> None:
    assert recognise_foreign(b" <!-- --><?x?>" * 100_000) is None


@given(st.binary(max_size=400), st.sampled_from([b"II*\x00", b"MM\x00*", b"MM\x00*\x00\x00\x00\x08\x00\x09", b""]))
def test_any_bytes_are_recognised_or_not(data: bytes, head: bytes) -> None:
    foreign = recognise_foreign(head + data)
    assert foreign is None or foreign.name[0].isupper()
