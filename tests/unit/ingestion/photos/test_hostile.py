"""Broken and hostile files: each is refused with a stable code, or becomes a clean photo."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ingestion.photos.process import process_photo
from ingestion.photos.rejection import PhotoRejected
from ingestion.photos.sandbox import PhotoSandbox
from ingestion.photos.validate import PhotoLimits, validate
from photofeed.settings import Settings
from tests import photographs
from tools.photo_cases import made_heif

Encode = Callable[..., bytes]


def png(width: int, height: int, *, rows: int) -> bytes:
    """A black 1-bit PNG that claims `height` rows and holds `rows`."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((width + 7) // 8 + 1) * rows)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def code_of(data: bytes, limits: PhotoLimits) -> str:
    with pytest.raises(PhotoRejected) as rejected:
        process_photo(data, limits)
    assert rejected.value.message_for_user.endswith(".")
    return rejected.value.code


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"\x00", "not_an_image"),
        (bytes(1000), "not_an_image"),
        (b"just some text", "not_an_image"),
        (b"<html><body>hello</body></html>", "not_an_image"),
        (b"PK\x03\x04" + bytes(50), "not_an_image"),
        (b"%PDF-1.7\n%\xe2\xe3", "unsupported_format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage", "unsupported_format"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "unsupported_format"),
        (b"\xff\xd8\xff", "damaged"),
        (b"\xff\xd8\xff\xe0" + bytes(100), "damaged"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (b"GIF89a", "damaged"),
        (b"RIFF\x08\x00\x00\x00WEBPVP8 ", "damaged"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "truncated"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "truncated"),
        (b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00mif1avif", "truncated"),
    ],
)
def test_a_file_that_is_not_a_photo_is_refused_with_a_reason(data: bytes, code: str, limits: PhotoLimits) -> None:
    assert code_of(data, limits) == code


def test_a_format_that_is_not_accepted_is_refused_by_name(picture: Image.Image, encode: Encode) -> None:
    limits = PhotoLimits.of(Settings(upload_formats=frozenset({"jpeg", "heif"})))
    small = picture.resize((64, 48))
    with PhotoSandbox(limits) as sandbox:
        assert sandbox.process(encode(small, "HEIF")).variants
        with pytest.raises(PhotoRejected, match=r"GIF files are not taken\. .*: JPEG, HEIC\.") as refused:
            sandbox.process(encode(small, "GIF"))
    assert refused.value.code == "unsupported_format"


@pytest.mark.parametrize("photo_format", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF"])
@pytest.mark.parametrize("kept", range(0, 100, 5))
def test_a_truncated_photo_is_never_published_half_grey(
    photo_format: str, kept: int, picture: Image.Image, encode: Encode, limits: PhotoLimits
) -> None:
    data = encode(picture.resize((320, 240)), photo_format)
    cut = data[: len(data) * kept // 100]
    assert code_of(cut, limits) in ("empty", "not_an_image", "truncated", "damaged")


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"save_all": True}])
def test_a_webp_that_lacks_its_last_byte_is_incomplete(
    options: dict[str, bool], picture: Image.Image, encode: Encode, limits: PhotoLimits
) -> None:
    assert code_of(encode(picture, "WEBP", **options)[:-1], limits) == "truncated"


@pytest.mark.parametrize("kept", range(5, 100, 10))
def test_a_truncated_progressive_jpeg_is_refused(
    kept: int, picture: Image.Image, encode: Encode, limits: PhotoLimits
) -> None:
    data = encode(picture.resize((320, 240)), "JPEG", progressive=True)
    assert code_of(data[: len(data) * kept // 100], limits) in ("truncated", "damaged")


@pytest.mark.parametrize("photo_format", ["JPEG", "HEIF"])
@pytest.mark.parametrize("name", photographs.NAMES[:4])
def test_a_truncated_photograph_is_refused(name: str, photo_format: str, limits: PhotoLimits) -> None:
    data = photographs.of_a_phone(photographs.photograph(name), photo_format)
    for kept in (30, 60, 90, 99):
        assert code_of(data[: len(data) * kept // 100], limits) in ("truncated", "damaged"), kept


def test_a_truncated_photo_of_a_phone_is_refused(samples: Path, limits: PhotoLimits) -> None:
    for name in ("heic/iphone.heic", "heic/nokia_8_3.heif", "gps/DSCN0010.jpg"):
        data = (samples / "photos" / name).read_bytes()
        for kept in (30, 60, 90, 99):
            assert code_of(data[: len(data) * kept // 100], limits) in ("truncated", "damaged"), (name, kept)


def test_a_small_file_of_many_pixels_is_refused_from_its_header(limits: PhotoLimits) -> None:
    bomb = png(13_000, 13_000, rows=13_000)
    assert len(bomb) < 50_000
    assert code_of(bomb, limits) == "too_many_pixels"
    # The header alone is enough: the pixels are never asked for.
    assert code_of(png(60_000, 60_000, rows=1), limits) == "too_many_pixels"


def test_pillows_own_limit_applies_above_generous_limits() -> None:
    with pytest.raises(PhotoRejected, match=r"144 megapixels; 89 are allowed\.") as rejected:
        process_photo(png(12_000, 12_000, rows=1), PhotoLimits(10**6, 10**10))
    assert rejected.value.code == "too_many_pixels"


def test_a_file_larger_than_allowed_is_refused_before_it_is_read() -> None:
    assert code_of(bytes(101), PhotoLimits(max_bytes=100, max_pixels=100)) == "too_large"


@pytest.mark.parametrize("photo_format", ["JPEG", "PNG", "HEIF"])
def test_a_file_of_exactly_the_size_limit_is_processed_and_one_byte_more_is_refused(
    photo_format: str, picture: Image.Image, encode: Encode
) -> None:
    data = encode(picture.resize((64, 48)), photo_format)
    exactly, less = (PhotoLimits(max_bytes, 64 * 48) for max_bytes in (len(data), len(data) - 1))
    assert process_photo(data, exactly).variants
    assert code_of(data, less) == "too_large"


def test_the_sandbox_takes_a_file_of_exactly_the_size_limit(picture: Image.Image, encode: Encode) -> None:
    data = encode(picture.resize((64, 48)), "JPEG")
    with PhotoSandbox(PhotoLimits(len(data), 64 * 48)) as sandbox:
        assert sandbox.process(data).variants
        with pytest.raises(PhotoRejected) as refused:
            sandbox.process(data + b"\x00")
    assert refused.value.code == "too_large"


@pytest.mark.parametrize(
    ("photo_format", "options", "factor"),
    [("PNG", {}, 1), ("JPEG", {"progressive": True}, 1), ("JPEG", {}, 4), ("WEBP", {}, 1), ("HEIF", {}, 1)],
)
def test_a_photo_of_exactly_the_pixel_limit_is_processed_and_a_smaller_limit_refuses_it(
    photo_format: str, options: dict[str, Any], factor: int, picture: Image.Image, encode: Encode
) -> None:
    data = encode(picture.resize((64, 48)), photo_format, **options)
    assert validate(data, PhotoLimits(10**6, 64 * 48 // factor)).width == 64
    assert code_of(data, PhotoLimits(10**6, 64 * 48 // factor - 1)) == "too_many_pixels"


def test_a_heic_in_hdr_has_a_limit_of_its_own() -> None:
    (case,) = (case for case in made_heif.cases() if case.name == "nclx_pq_10_bit.heic")
    assert validate(case.read(), PhotoLimits(10**7, 640 * 480 * 6 // 5)).width == 640
    with pytest.raises(PhotoRejected, match=r"0\.307 megapixels; 0\.3 are allowed in HDR\.") as rejected:
        validate(case.read(), PhotoLimits(10**7, 360_000))
    assert rejected.value.code == "too_many_pixels"


@pytest.mark.parametrize("size", [(20_000, 10), (10, 20_000), (1, 1), (2, 3), (1, 5000)])
@pytest.mark.parametrize("photo_format", ["JPEG", "PNG"])
def test_extreme_shapes_become_photos_without_empty_edges(
    size: tuple[int, int], photo_format: str, encode: Encode, limits: PhotoLimits
) -> None:
    photo = process_photo(encode(Image.new("RGB", size, "teal"), photo_format), limits)
    assert (photo.header.width, photo.header.height) == size
    for variant in photo.variants:
        assert 1 <= variant.width <= min(variant.size, size[0])
        assert 1 <= variant.height <= size[1]


def test_the_name_of_a_file_changes_nothing(picture: Image.Image, encode: Encode, limits: PhotoLimits) -> None:
    webp_called_jpeg = encode(picture, "WEBP")
    assert validate(webp_called_jpeg, limits).format.value == "WEBP"


def test_a_file_that_is_also_something_else_yields_only_its_picture(
    picture: Image.Image, encode: Encode, limits: PhotoLimits
) -> None:
    payload = b"<script>alert(1)</script>PK\x03\x04%PDF-1.7"
    jpeg = encode(picture, "JPEG", comment=payload) + payload
    for variant in process_photo(jpeg, limits).variants:
        assert b"script" not in variant.data
        assert b"%PDF" not in variant.data
        assert b"PK\x03\x04" not in variant.data


def test_a_heic_with_a_trailer_of_a_phone_is_not_truncated(
    picture: Image.Image, encode: Encode, limits: PhotoLimits
) -> None:
    heic = encode(picture.resize((64, 48)), "HEIF")
    assert process_photo(heic + b"\x00\x01\x02\x03\x04\x05\x06\x07\x08trailer", limits).header.width == 64


def test_a_gif_gives_its_first_frame(encode: Encode, limits: PhotoLimits) -> None:
    first, second = Image.new("RGB", (40, 30), "red"), Image.new("RGB", (40, 30), "blue")
    gif = encode(first, "GIF", save_all=True, append_images=[second])
    assert process_photo(gif, limits).placeholder.dominant_colour == "#ff0000"


@pytest.mark.parametrize(
    "exif", [b"Exif\x00\x00", b"Exif\x00\x00II*\x00\xff\xff\xff\xff", b"Exif\x00\x00" + bytes(range(256))]
)
def test_invalid_exif_does_not_cause_a_refusal(
    exif: bytes, picture: Image.Image, encode: Encode, limits: PhotoLimits
) -> None:
    assert process_photo(encode(picture, "JPEG", exif=exif), limits).header.orientation == 1


@pytest.mark.parametrize("orientation", [0, 9, 65_535])
def test_an_impossible_orientation_is_upright(
    orientation: int, picture: Image.Image, encode: Encode, limits: PhotoLimits
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert validate(encode(picture, "JPEG", exif=exif), limits).orientation == 1


@pytest.mark.parametrize("part", ["header", "entries", "both"])
@pytest.mark.parametrize("name", photographs.NAMES[:4])
def test_a_photograph_with_broken_metadata_is_read(name: str, part: str, limits: PhotoLimits) -> None:
    data = bytearray(photographs.of_a_phone(photographs.photograph(name)))
    header = data.index(b"Exif\x00\x00") + 6
    parts = {
        "header": (header, header + 8),
        "entries": (header + 8, data.index(b"ACME")),
        "both": (header, header + 60),
    }
    start, end = parts[part]
    data[start:end] = np.random.default_rng(7).bytes(end - start)
    photo = process_photo(bytes(data), limits)
    assert photo.variants
    assert photo.header.orientation == 1


def test_samples_with_broken_metadata_are_read(samples: Path, limits: PhotoLimits) -> None:
    paths = sorted((samples / "photos" / "invalid").iterdir())
    assert len(paths) == 6
    for path in paths:
        assert process_photo(path.read_bytes(), limits).variants, path.name


@pytest.fixture(scope="module")
def small_files(picture: Image.Image, encode: Encode) -> list[bytes]:
    small = picture.resize((48, 36))
    return [encode(small, name) for name in ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF")]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(which=st.integers(0, 5), edits=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=8))
def test_flipped_bytes_end_in_a_photo_or_a_rejection(
    which: int, edits: list[tuple[float, int]], small_files: list[bytes], limits: PhotoLimits
) -> None:
    data = bytearray(small_files[which])
    for place, value in edits:
        data[int(place * len(data))] = value
    try:
        photo = process_photo(bytes(data), limits)
    except PhotoRejected:
        return
    assert photo.variants


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=300), head=st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a"]))
def test_random_bytes_are_refused(data: bytes, head: bytes) -> None:
    with pytest.raises(PhotoRejected):
        process_photo(head + data, PhotoLimits(1000, 1000))


def test_there_are_ten_packaged_photographs() -> None:
    assert len(photographs.NAMES) == 10
    for name in photographs.NAMES:
        image = photographs.photograph(name)
        assert min(image.size) >= 300, name
        assert np.asarray(image).std() > 10, name
