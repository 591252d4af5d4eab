"""Files that are broken, or made to break: each ends in a rejection with a stable code, or in a clean photo."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ingestion.photos.process import process_photo
from ingestion.photos.rejection import PhotoRejected
from ingestion.photos.sandbox import PhotoSandbox
from ingestion.photos.validate import PhotoLimits, validate
from photofeed.settings import Settings

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
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "damaged"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "truncated"),
        (b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00mif1avif", "truncated"),
    ],
)
def test_what_is_no_photo_is_refused_with_a_reason(data: bytes, code: str, limits: PhotoLimits) -> None:
    assert code_of(data, limits) == code


def test_a_format_that_is_not_taken_here_is_refused_by_name(picture: Image.Image, encode: Encode) -> None:
    limits = PhotoLimits.of(Settings(upload_formats=frozenset({"jpeg", "heif"})))
    small = picture.resize((64, 48))
    with PhotoSandbox(limits) as sandbox:
        assert sandbox.process(encode(small, "HEIF")).variants
        with pytest.raises(PhotoRejected, match=r"GIF files are not taken\. .*: JPEG, HEIC\.") as refused:
            sandbox.process(encode(small, "GIF"))
    assert refused.value.code == "unsupported_format"


@pytest.mark.parametrize("photo_format", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF"])
@pytest.mark.parametrize("kept", range(0, 100, 5))
def test_a_cut_photo_is_never_published_half_grey(
    photo_format: str, kept: int, picture: Image.Image, encode: Encode, limits: PhotoLimits
) -> None:
    data = encode(picture.resize((320, 240)), photo_format)
    cut = data[: len(data) * kept // 100]
    assert code_of(cut, limits) in ("empty", "not_an_image", "truncated", "damaged")


@pytest.mark.parametrize("kept", range(5, 100, 10))
def test_a_cut_progressive_jpeg_is_refused(
    kept: int, picture: Image.Image, encode: Encode, limits: PhotoLimits
) -> None:
    data = encode(picture.resize((320, 240)), "JPEG", progressive=True)
    assert code_of(data[: len(data) * kept // 100], limits) in ("truncated", "damaged")


def test_a_cut_photo_of_a_phone_is_refused(samples: Path, limits: PhotoLimits) -> None:
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


def test_pillows_own_guard_stands_behind_generous_limits() -> None:
    assert code_of(png(12_000, 12_000, rows=1), PhotoLimits(10**6, 10**10)) == "too_many_pixels"


def test_a_file_larger_than_allowed_is_refused_before_it_is_read() -> None:
    assert code_of(bytes(101), PhotoLimits(max_bytes=100, max_pixels=100)) == "too_large"


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


def test_a_heic_with_a_trailer_of_the_phone_is_not_called_cut(
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
def test_nonsense_in_the_exif_costs_nobody_their_photo(
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


def test_samples_with_broken_metadata_are_read(samples: Path, limits: PhotoLimits) -> None:
    for path in sorted((samples / "photos" / "invalid").iterdir()):
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
